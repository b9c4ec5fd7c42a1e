"""Skips a file of tests where the libraries of the extra ``record`` are missing; imported before anything else."""

import pytest

for library in ("mcap", "lz4", "zstandard"):
    pytest.importorskip(library, reason="recordings need the extra 'record'")
