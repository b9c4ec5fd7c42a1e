"""Recordings on the command line: what `record`, `replay`, `info`, `cat`, `head` and `convert` have in common."""
