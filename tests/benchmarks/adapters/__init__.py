"""One file for each family of peers, each with what it can do of what `base.py` lists.

A file's name is that of what it imports. It has the constants ``DISTRIBUTION`` (None for the standard library) and
``RECORDS``, ``FRAMES``, ``WAKES``, ``VALUES`` and ``JOURNEYS``: tuples of classes, often empty; ours also ``LOOPS``.
"""
