"""Assetto Corsa's pages, as pyaccsharedmemory and acevo-sdk read them from the bytes that we publish."""

import dataclasses
import importlib.metadata
import io
import random
import struct
from typing import Any, ClassVar

import pytest

import typedshm
from helpers.leaves import Choices, Seen, compare, leaves, made_up, unrelated
from helpers.programs import report
from typedshm import Struct

pyacc = pytest.importorskip("pyaccsharedmemory", reason="pyaccsharedmemory is not installed")
REMARK = "physics and graphics agree in every field"

ACC, ACEVO = (
    {page: typedshm.load(f"{name}/{page}") for page in ("physics", "graphics", "static")} for name in ("acc", "acevo")
)


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
    "active_cars": [60],
    "track_grip": range(7),
    "rain_intensity": range(6),
    "rain_intensity_in_10_min": range(6),
    "rain_intensity_in_30_min": range(6),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("struct", "parse", "choices", "types"),
    [
        (ACC["physics"], "read_physic_map", PHYSICS, ["drs"]),
        (ACC["graphics"], "read_graphics_map", GRAPHICS, []),
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
    assert of_another_type == types  # a whole number for the package, which ACC leaves at zero
    assert len(set(compared)) == len(list(leaves(struct.layout))) - len(types)
    report("pyaccsharedmemory", importlib.metadata.version("pyaccsharedmemory"), REMARK, kind="oracle")


def test_pyaccsharedmemory_has_36_bytes_too_many_in_the_static_page() -> None:
    layout = ACC["static"].layout
    data = made_up(layout, random.Random(1))
    value = ACC["static"].from_buffer_copy(data)
    page = Page(bytes(data))
    assert pyacc.read_static_map(page).car_model.partition("\0")[0] == value.car_model
    # 33 characters for the name of the track's layout and not 15, as the vendor's text has no number there
    end = next(field.end for field in layout.fields if field.name == "track_configuration")
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
    layout = ACEVO["physics"].layout
    data = made_up(layout, random.Random(seed))
    seen = of_dataclass(decoder.decode_physics_ac(bytes(data)))
    compared, of_another_type = compare(seen, layout, ACEVO["physics"].from_buffer_copy(data))
    assert not of_another_type
    assert len(compared) == len(list(leaves(layout)))
    paths = {leaf.offset: leaf.path for leaf in leaves(layout)}
    assert unrelated((one.name, paths[one.offset]) for one in seen) == set()
    report("acevo-sdk", importlib.metadata.version("acevo-sdk"), "physics agree in every field", kind="oracle")


class Noted(bytes):
    """Bytes that note which of them are asked for one by one, as flags are."""

    seen: list[Seen]

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        if isinstance(key, int):
            self.seen.append(Seen(key, 1, "byte", value))
        return value


class NotedStruct:
    """The module ``struct`` as far as the decoder uses it; notes what is unpacked from where."""

    error = struct.error
    seen: ClassVar[list[Seen]] = []

    @classmethod
    def unpack_from(cls, code: str, data: bytes, offset: int) -> Any:
        (value,) = struct.unpack_from(code, data, offset)
        shown = value.partition(b"\0")[0].decode("cp1252") if isinstance(value, bytes) else value
        cls.seen.append(Seen(offset, struct.calcsize(code), code, shown))
        return (value,)


EVO: Choices = {  # what the decoder takes for plausible; it reads text as ASCII
    "status": range(4),
    "npos": [0.25, 0.5, 1.0],
    "gear": range(-1, 12),
    "rpm": range(20_000),
    "display_speed_kmh": range(400),
    "total_drivers": range(1, 60),
    "max_gears": range(1, 12),
    "best_lap_time_ms": range(100_000),
    "last_lap_time_ms": range(100_000),
    "active_cars": [60],
    "track_length": [3689.25, 20_832.0],
    **{name: ["Race", "Nowhere 9"] for name in ("driver_name", "driver_surname", "car_model", "session_name", "track")},
    **{name: ["0.8.1", "Ring"] for name in ("sm_version", "ac_evo_version", "nation", "track_configuration")},
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("page", "decode", "known"), [("graphics", "decode_graphics_evo", 116), ("static", "decode_static_evo", 19)]
)
def test_acevo_sdk_reads_the_other_pages_as_we_do(
    page: str, decode: str, known: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = pytest.importorskip("acevo.decoder", reason="acevo-sdk is not installed")
    layout = ACEVO[page].layout
    data = made_up(layout, random.Random(seed), EVO)
    noted, NotedStruct.seen[:] = Noted(data), []
    noted.seen = NotedStruct.seen
    texts = decoder._read_cstring

    def read_text(data: bytes, offset: int, length: int) -> str:
        value: str = texts(bytes(data), offset, length)
        noted.seen.append(Seen(offset, length, "text", value))
        return value

    monkeypatch.setattr(decoder, "struct", NotedStruct)
    monkeypatch.setattr(decoder, "_read_cstring", read_text)
    assert getattr(decoder, decode)(noted) is not None, "the decoder took it for implausible"
    signed = {leaf.offset for leaf in leaves(layout) if leaf.field.kind == "i8"}
    seen = [
        one._replace(value=one.value - 256) if one.name == "byte" and one.offset in signed and one.value > 127 else one
        for one in noted.seen
        if (page, one.offset, one.size) != ("graphics", 2264, 1)  # a flag for it, where we have the float of the others
    ]
    compared, of_another_type = compare(seen, layout, ACEVO[page].from_buffer_copy(data))
    assert not of_another_type
    assert len(set(compared)) == known
    report(
        "acevo-sdk", importlib.metadata.version("acevo-sdk"), f"{len(set(compared))} fields of {page}", kind="oracle"
    )
