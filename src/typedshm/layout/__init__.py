"""What the bytes of a value mean: NumPy and Python only, no extension module and no system call."""
