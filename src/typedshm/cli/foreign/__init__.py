"""Other programs' memory on the command line."""
