"""A table: many rows under one name, each with versions of its own."""
