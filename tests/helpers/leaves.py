"""The single numbers and texts of a layout: made up at random, and compared with what another reader makes of them."""

import math
import random
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField

Choices = Mapping[str, Sequence[Any]]
"""The values that a field may have, by its name, where an independent reader refuses others."""


class Leaf(NamedTuple):
    """One number or text."""

    path: str
    offset: int
    size: int
    field: LayoutField


class Seen(NamedTuple):
    """What another reader found at an offset, and what it calls it."""

    offset: int
    size: int
    name: str
    value: Any


def leaves(layout: Layout, base: int = 0, path: str = "") -> Iterator[Leaf]:
    """Yield all of a layout, item by item, in the order of the declaration."""
    for field in layout.fields:
        count = math.prod(field.shape)
        size = field.size // max(count, 1)
        for number in range(count):
            index = "".join(f"[{i}]" for i in np.unravel_index(number, field.shape)) if field.shape else ""
            offset, name = base + field.start + number * size, f"{path}{field.name}{index}"
            if field.struct is None:
                yield Leaf(name, offset, size, field)
            else:
                yield from leaves(field.struct, offset, f"{name}.")


def made_up(layout: Layout, dice: random.Random, choices: Choices | None = None) -> bytearray:
    """Return bytes in which every leaf has a value of its kind; `choices` are by names of fields or whole paths."""
    data = bytearray(layout.size)
    for leaf in leaves(layout):
        known = choices or {}
        given = known.get(leaf.path, known.get(leaf.field.name))
        data[leaf.offset : leaf.offset + leaf.size] = _bytes(leaf, dice, given)
    return data


def _bytes(leaf: Leaf, dice: random.Random, given: Sequence[Any] | None) -> bytes:
    field = leaf.field
    kind = KINDS[field.kind]
    if kind.python is str:
        text = dice.choice(given) if given else "".join(dice.choices("Zürich 0:17.5%", k=dice.randrange(field.length)))
        room = field.length * kind.size
        encoded: bytes = text.encode(field.codec)[: room - kind.size]  # NUL ends it, on which many readers rely
        if field.codec == "utf-8":
            encoded = encoded.decode(errors="ignore").encode()
        return encoded.ljust(room, b"\0")
    if kind.python is bytes:
        return dice.randbytes(leaf.size)
    if kind.python is float:
        # what 32 bits hold exactly, so that readers agree to the last bit
        return struct.pack("<d" if kind.size == 8 else "<f", dice.choice(given) if given else _float(dice))
    if kind.python is bool:
        return (dice.choice(given) if given else dice.randrange(2)).to_bytes(leaf.size, "little")
    bits = 8 * leaf.size - kind.signed
    number = dice.choice(given) if given else dice.randrange(-(1 << bits) if kind.signed else 0, 1 << bits)
    return int(number).to_bytes(leaf.size, field.byte_order, signed=kind.signed)


def _float(dice: random.Random) -> float:
    return float(np.float32(dice.uniform(-1, 1) * 10.0 ** dice.randrange(-3, 5)))


def value_at(value: Any, path: str) -> Any:
    """Return what our reader has under a path: ``"contact[0][3][2]"``, ``"vehicle[2].name"``."""
    for step in path.split("."):
        name, _, indexes = step.partition("[")
        value = getattr(value, name)
        for index in indexes.rstrip("]").split("][") if indexes else ():
            value = value[int(index)]
    return value


def unrelated(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs of names that have no word in common, nor the beginning of one: "airTemp", "air_temperature"."""
    return {(one, other) for one, other in pairs if not any(_alike(a, b) for a in _words(one) for b in _words(other))}


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def _alike(one: str, other: str) -> bool:
    return len(min(one, other, key=len)) >= 2 and (one.startswith(other[:4]) or other.startswith(one[:4]))


def compare(seen: Iterable[Seen], layout: Layout, value: Any) -> tuple[list[str], list[str]]:
    """Compare another reader's values with those of our Struct, by their offsets: names are everybody's own.

    Returns the paths of the leaves that were compared, and those where one has a float and the other an integer. A
    value at an offset where the layout has no leaf of that size is an error; a larger text is one of the layout that
    the other reads with its padding.
    """
    ours = {leaf.offset: leaf for leaf in leaves(layout)}
    compared: list[str] = []
    of_another_type: list[str] = []
    for one in seen:
        leaf = ours.get(one.offset)
        assert leaf is not None, f"{one}: {layout.name} has no field there"
        is_text = isinstance(one.value, str)
        assert (one.size >= leaf.size) if is_text else (one.size == leaf.size), f"{one}: {leaf.path} differs in size"
        found = value_at(value, leaf.path)
        if isinstance(found, float | np.floating) != isinstance(one.value, float):
            of_another_type.append(leaf.path)
            continue
        expected = one.value.partition("\0")[0] if is_text else one.value
        if isinstance(found, bytes) and is_text:  # an item of an array of NumPy's
            found = found.decode(leaf.field.codec)
        found = bool(found) if isinstance(expected, bool) else _plain(found)
        assert found == expected, f"{one.name} at {one.offset}: {leaf.path}"
        compared.append(leaf.path)
    return compared, of_another_type


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):  # members of enums, too
        return int(value)
    return value
