"""Replaying: recorded versions are published once more, with the spacing that they were recorded with."""
