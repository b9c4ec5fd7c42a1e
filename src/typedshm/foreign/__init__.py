"""Memory that another program made."""

from typedshm.foreign.section import RawSection

__all__ = ["RawSection"]
