"""What is known of other programs' memory, in own words: the source of the documents in schemas/, one module a family.

Each module has ``DOCUMENTS``: contents of documents by their names. ``notation`` is how layouts are written down here.
"""
