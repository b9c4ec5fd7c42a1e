"""The rules by which other programs keep what they publish consistent: one file for each."""
