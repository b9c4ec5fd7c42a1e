"""The command line: looking into shared memory. Built from the package's public names only."""
