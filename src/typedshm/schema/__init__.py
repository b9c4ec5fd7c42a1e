"""Schemas of a region's values: Structs, pydantic models, dataclasses and arrays."""
