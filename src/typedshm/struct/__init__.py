"""A layout as a class: a ctypes Structure whose fields are descriptors of the C core."""
