"""The meaning of a value's bytes: Python and NumPy only, without the C core and system calls."""
