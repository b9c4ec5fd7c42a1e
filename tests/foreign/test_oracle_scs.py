"""Euro Truck Simulator 2 and American Truck Simulator, as truck_telemetry reads the bytes that we publish."""

import importlib.metadata
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.leaves import Seen, compare, leaves, made_up, unrelated
from helpers.programs import report
from typedshm import Struct, foreign

pytest.importorskip("truck_telemetry", reason="truck_telemetry is not installed")
from truck_telemetry.telemetry_version import v1_10, v1_12


def parsed(kind: Any, data: bytes, offset: int = 0, name: str = "") -> Iterator[Seen]:
    """What its parser finds in the bytes, value by value, with the offsets that follow from its table."""
    fields = getattr(kind, "_DictStruct__fields", None)
    item = getattr(kind, "_ArraySruct__struct", None)
    if fields is not None:
        for key, of in fields:
            if key is not None:  # None is padding
                yield from parsed(of, data, offset, f"{name}.{key}")
            offset += of.size
    elif item is not None:
        for number in range(kind.size // item.size):
            yield from parsed(item, data, offset + number * item.size, f"{name}[{number}]")
    else:
        yield Seen(offset, kind.size, name, kind.unpack_from(data, offset))


OWN_NAMES = {"lv_acceleration": "velocity", "av_acceleration": "velocity", "coordinate": "position"}


def own_name(name: str) -> str:
    """What a channel is called by the game, where the package has another word."""
    for theirs, own in OWN_NAMES.items():
        name = name.replace(theirs, own)
    return name


VERSIONS = {10: v1_10, 12: v1_12}


def layout_of(revision: int, path: Path) -> type[Struct]:
    """The Struct by which we read a revision of the plugin."""
    path.write_bytes(revision.to_bytes(4, "little").rjust(44, b"\1").ljust(32 * 1024, b"\1"))
    with foreign.attach(path, "scs/telemetry") as region:
        return type(region.read())


@pytest.mark.parametrize("revision", VERSIONS)
@pytest.mark.parametrize("seed", range(3))
def test_truck_telemetry_reads_every_channel_as_we_do(revision: int, seed: int, tmp_path: Path) -> None:
    parser = VERSIONS[revision]
    assert parser.get_version_number() == revision
    path = tmp_path / "SCSTelemetry"
    layout = layout_of(revision, path).layout
    choices = {"revision": [revision], "sdk_active": [True], "game": range(3)}
    data = bytes(made_up(layout, random.Random(seed), choices)).ljust(32 * 1024, b"\0")
    path.write_bytes(data)
    with foreign.attach(path, "scs/telemetry") as region:
        value = region.read()
    assert parser.parse_data(data)["telemetry_plugin_revision"] == revision
    seen = [one for one in parsed(parser.struct_telemetry, data) if one.value is not None]
    compared, of_another_type = compare(seen, layout, value)
    assert not of_another_type
    assert parser.struct_telemetry.size == layout.size == {10: 21_520, 12: 21_600}[revision]
    assert {leaf.path for leaf in leaves(layout)} - set(compared) == set()
    paths = {leaf.offset: leaf.path for leaf in leaves(layout)}
    assert unrelated((own_name(one.name), paths[one.offset]) for one in seen) == set()
    report("truck_telemetry", importlib.metadata.version("truck-telemetry"), f"revision {revision}", kind="oracle")
