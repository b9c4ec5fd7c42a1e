"""Functions that open regions by name and list them."""
