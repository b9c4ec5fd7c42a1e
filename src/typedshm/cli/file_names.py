"""File names: what the file of a saved region is called."""

import re

SUFFIX = ".region"

_UNUSUAL = re.compile(r"[^\w .~+-]|^\.|[ .]$")
_ESCAPE = re.compile(rb"%([0-9A-F]{2})")


def file_name(name: str) -> str:
    """Return the name of the file of a region: with ``%XX`` for what file names cannot have, or should not."""
    return _UNUSUAL.sub(_escaped, name) + SUFFIX


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))


def region_name(file: str) -> str:
    """Return the name of the region that was saved to a file of that name."""
    encoded = file.removesuffix(SUFFIX).encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), encoded).decode("utf-8", "replace")
