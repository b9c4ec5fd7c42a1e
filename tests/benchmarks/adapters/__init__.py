"""One file for each family of peers, each with what it can do of what `base.py` lists.

A file's name is that of what it imports. It has the constant ``DISTRIBUTION`` (None for the standard library), and of
``RECORDS``, ``FRAMES``, ``WAKES``, ``STREAMS``, ``VALUES``, ``JOURNEYS``, ``BOARDS`` and ``LOOPS``, which are tuples of
classes, those that are not empty.
"""
