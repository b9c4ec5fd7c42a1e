"""Tells PyInstaller, by an entry point, where its hook for this package is."""

import os


def hook_folders() -> list[str]:
    """Return the folders with hooks: the one that holds ``hook-typedshm.py``."""
    return [os.path.dirname(__file__)]
