"""Shared memory of other programs."""

from typedshm.foreign.section import RawSection

__all__ = ["RawSection"]
