"""Identity: what defines the meaning of a layout's bytes, and how two layouts differ in it."""

import json
from collections.abc import Iterator
from typing import Any

from typedshm.layout.parts import FieldParts, LayoutParts

try:
    from _blake2 import blake2b  # what hashlib returns, but without loading OpenSSL, which takes 3 ms
except ImportError:
    from hashlib import blake2b


def identity_of(layout: LayoutParts) -> bytes:
    """Return 16 bytes that are equal for layouts whose bytes have the same meaning."""
    return blake2b(_MEANING.encode(_meaning(layout)).encode(), digest_size=16).digest()


_MEANING = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def _meaning(layout: LayoutParts) -> dict[str, Any]:
    """Return what defines the meaning of the bytes, which the identity covers."""
    return {"size": layout.size, "fields": [_meaning_of_field(field) for field in layout.fields]}


def _meaning_of_field(field: FieldParts) -> dict[str, Any]:
    means: dict[str, Any] = {
        "name": field.name,
        "kind": field.kind,
        "offset": field.offset,
        "size": field.size,
        "byte_order": field.byte_order,
    }
    if field.shape:
        means["shape"] = field.shape
    if field.free:
        means["free"], means["data_offset"] = field.free, field.data_offset
    if field.unit:
        means["unit"] = field.unit
    if field.encoding:
        means["encoding"] = field.encoding
    if field.struct is not None:
        means["struct"] = _meaning(field.struct)
    return means


def same(one: FieldParts, other: FieldParts) -> bool:
    """Return True if the bytes of two fields mean the same, at the same offset."""
    return _meaning_of_field(one) == _meaning_of_field(other)


def differences(one: LayoutParts, other: LayoutParts, prefix: str = "") -> Iterator[str]:
    """Yield the differences of two structs, a line for each field."""
    theirs = {field.name: field for field in other.fields}
    for mine in one.fields:
        name = f"{prefix}{mine.name}"
        their = theirs.pop(mine.name, None)
        if their is None:
            yield f"  - {name}: {mine}"
        elif not same(mine, their):
            nested = mine.struct is not None and their.struct is not None
            if not nested or str(mine) != str(their):
                yield f"  {name}: {mine} | {their}"
            if mine.struct is not None and their.struct is not None:
                yield from differences(mine.struct, their.struct, f"{name}.")
    for their in theirs.values():
        yield f"  + {prefix}{their.name}: {their}"
