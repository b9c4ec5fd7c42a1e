"""Findings: what `typedshm doctor` looks at, a noun in each file.

A function that looks at the system hands what it read to one that judges: that one takes texts, numbers and entries.
"""
