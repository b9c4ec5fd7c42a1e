"""Everything that can describe the values of a region: Structs, classes, arrays."""
