"""The region and its verbs."""
