"""Assetto Corsa's pages, as pyaccsharedmemory and acevo-sdk read them from the bytes that we publish."""

import dataclasses
import importlib.metadata
import io
import random
from typing import Any

import pytest

from helpers import real_sims
from helpers.leaves import Choices, Seen, compare, leaves, made_up
from helpers.programs import report
from typedshm import Struct

pyacc = pytest.importorskip("pyaccsharedmemory", reason="pyaccsharedmemory is not installed")
REMARK = "physics and graphics agree in every field"


class Page(io.BytesIO):
    """A page as the package's parsers take it, which notes where each value comes from."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.seen: list[Seen] = []

    def unpack_value(self, code: str, padding: int = 0) -> Any:
        start = self.tell()
        value = pyacc.accSM.unpack_value(self, code, padding)
        self.seen.append(Seen(start, 4, code, value))
        return value

    def unpack_array(self, code: str, count: int, padding: int = 0) -> Any:
        start = self.tell()
        values = pyacc.accSM.unpack_array(self, code, count, padding)
        self.seen.extend(Seen(start + 4 * i, 4, f"{code}[{i}]", value) for i, value in enumerate(values))
        return values

    def unpack_array2D(self, code: str, count: int, inner: int) -> Any:  # noqa: N802
        return pyacc.accSM.unpack_array2D(self, code, count, inner)

    def unpack_string(self, count: int, padding: int = 0) -> str:
        start = self.tell()
        value: str = pyacc.accSM.unpack_string(self, count, padding)
        self.seen.append(Seen(start, 2 * count + padding, "text", value))
        return value


PHYSICS: Choices = {}
GRAPHICS: Choices = {  # the package refuses other members of these enums
    "status": range(4),
    "session": range(-1, 9),
    "flag": range(9),
    "penalty": range(23),
    "cars": [60],
    "weather": range(6),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("struct", "parse", "choices", "types"),
    [
        (real_sims.AccPhysics, "read_physic_map", PHYSICS, ["drs", "max_rpm"]),
        (real_sims.AccGraphics, "read_graphics_map", GRAPHICS, []),
    ],
    ids=["physics", "graphics"],
)
def test_pyaccsharedmemory_reads_every_field_as_we_do(
    struct: type[Struct], parse: str, choices: Choices, types: list[str], seed: int
) -> None:
    data = made_up(struct.layout, random.Random(seed), choices)
    page = Page(bytes(data))
    getattr(pyacc, parse)(page)
    compared, of_another_type = compare(page.seen, struct.layout, struct.from_buffer_copy(data))
    assert of_another_type == types  # whole numbers for the package, which ACC leaves at zero
    assert len(set(compared)) == len(list(leaves(struct.layout))) - len(types)
    report("pyaccsharedmemory", importlib.metadata.version("pyaccsharedmemory"), REMARK, kind="oracle")


def test_pyaccsharedmemory_has_36_bytes_too_many_in_the_static_page() -> None:
    layout = real_sims.AccStatic.layout
    data = made_up(layout, random.Random(1))
    value = real_sims.AccStatic.from_buffer_copy(data)
    page = Page(bytes(data))
    assert pyacc.read_static_map(page).car_model.partition("\0")[0] == value.car
    # 33 characters for the name of the track's layout and not 15, as the vendor's text has no number there
    end = next(field.end for field in layout.fields if field.name == "layout_name")
    before = [one for one in page.seen if one.offset + one.size <= end + 2]
    assert len(compare(before, layout, value)[0]) == 40
    assert page.seen[len(before)].size - 36 == end + 2 - page.seen[len(before)].offset
    page = Page(bytes(data[:end]) + bytes(36) + bytes(data[end:]))
    pyacc.read_static_map(page)
    behind = [one._replace(offset=one.offset - 36) for one in page.seen if one.offset >= end + 36]
    compared, of_another_type = compare(behind, layout, value)
    assert len(compared) == 10
    assert not of_another_type
    assert len(compared) + 40 + 1 == len(list(leaves(layout)))
    report(
        "pyaccsharedmemory",
        importlib.metadata.version("pyaccsharedmemory"),
        "static has 36 bytes too many there",
        kind="oracle",
    )


def of_dataclass(value: Any) -> list[Seen]:
    """The numbers of acevo-sdk's dataclass, which lie one after the other, four bytes each."""
    numbers: list[tuple[str, Any]] = []

    def add(name: str, one: Any) -> None:
        if dataclasses.is_dataclass(one):
            for field in dataclasses.fields(one):
                add(f"{name}.{field.name}", getattr(one, field.name))
        elif isinstance(one, list):
            for item in one:
                add(name, item)
        else:
            numbers.append((name, one))

    add("physics", value)
    return [Seen(4 * i, 4, name, number) for i, (name, number) in enumerate(numbers)]


@pytest.mark.parametrize("seed", range(5))
def test_acevo_sdk_reads_the_physics_as_we_do(seed: int) -> None:
    decoder = pytest.importorskip("acevo.decoder", reason="acevo-sdk is not installed")
    data = made_up(real_sims.AccPhysics.layout, random.Random(seed))
    seen = of_dataclass(decoder.decode_physics_ac(bytes(data)))
    compared, of_another_type = compare(seen, real_sims.AccPhysics.layout, real_sims.AccPhysics.from_buffer_copy(data))
    assert of_another_type == ["max_rpm"]
    assert len(compared) + 1 == len(list(leaves(real_sims.AccPhysics.layout)))
    report("acevo-sdk", importlib.metadata.version("acevo-sdk"), "physics agree in every field", kind="oracle")
