"""Numbers and texts at offsets that another program wrote: every one is compared with the size first."""

import struct
import sys
from typing import Any

from typedshm.errors import RegionCorrupt

NATIVE = "<" if sys.byteorder == "little" else ">"
"""The byte order of programs on this machine, as struct writes it."""


def head(words: str, form: struct.Struct, image: bytes | bytearray | memoryview) -> tuple[Any, ...]:
    """Return what memory begins with.

    Raises
    ------
    RegionCorrupt
        It is shorter; `words` say in the message what begins there.
    """
    if len(image) < form.size:
        raise RegionCorrupt(f"{words}: expected at least {form.size} bytes, found {len(image)}")
    return form.unpack_from(image)


def check_items(words: str, offset: int, count: int, size: int, image: bytes | bytearray | memoryview) -> None:
    """Check that so many items of that size lie in the memory at that offset.

    Raises
    ------
    RegionCorrupt
        They do not; `words` say in the message what they are.
    """
    if not (offset >= 0 and count >= 0 and offset + count * size <= len(image)):
        raise RegionCorrupt(
            f"{words}: expected {count:,} items of {size} bytes at offset {offset:,} within {len(image):,} bytes"
        )


def text_at(image: bytes, offset: int, most: int, encoding: str = "utf-8") -> str:
    """Return the text at an offset: up to a NUL, to its greatest length, or to the end of the memory."""
    return image[offset : offset + most].partition(b"\0")[0].decode(encoding, "replace")
