"""Consumers of layouts and of the protocol outside Python."""
