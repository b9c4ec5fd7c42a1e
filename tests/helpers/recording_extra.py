"""Skips a file of tests where the libraries of the extra ``record`` are missing.

It is imported first: ``import helpers.recording_extra  # noqa: F401``, and below it ``# isort: split``.
"""

import pytest

for library in ("mcap", "lz4", "zstandard"):
    pytest.importorskip(library, reason="recordings need the extra 'record'")
