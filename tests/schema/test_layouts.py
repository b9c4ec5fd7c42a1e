"""layout_of() and Layout.to_document(): the layout of whatever has one, and the way to a document and back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from pydantic import BaseModel

import typedshm
from typedshm import DocumentError, Layout, SchemaError, Struct, f32, layout_of, u16
from typedshm.layout.document import parse
from typedshm.testing.strategies import structs


class Pose(Struct):
    x: f32
    y: f32


class Reading(BaseModel):
    celsius: f32


@dataclass
class Limits:
    low: u16


@pytest.mark.parametrize(
    "thing",
    [Pose, Pose.layout, Reading, Limits, typedshm.array(np.float32, 3), "camera-frame"],
    ids=["struct", "layout", "model", "dataclass", "array", "document"],
)
def test_whatever_has_a_layout_gives_it(thing: Any) -> None:
    layout = layout_of(thing)
    assert isinstance(layout, Layout)
    assert layout_of(layout) is layout
    assert layout_of(layout.to_document()) == layout


def test_a_region_and_its_state_have_the_layout_of_its_values() -> None:
    with typedshm.create("pose", Pose) as region:
        assert layout_of(region) == layout_of(region.info()) == Pose.layout


def test_documents_are_found_by_name_by_path_and_by_text(tmp_path: Path) -> None:
    file = tmp_path / "pose.json"
    file.write_bytes(Pose.layout.to_document(indent=2))
    for thing in (file, str(file), file.read_bytes(), bytearray(file.read_bytes())):
        assert layout_of(thing) == Pose.layout
    assert typedshm.load(file).layout == Pose.layout
    file.write_text("{}")
    with pytest.raises(DocumentError, match=r"pose\.json: "):
        layout_of(file)
    with pytest.raises(FileNotFoundError):
        layout_of(tmp_path / "none.json")
    with pytest.raises(DocumentError, match="camera-frame, camera-motion, consumer-report"):
        layout_of("pose")


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    with file.open("wb") as opened:
        opened.truncate(2**21)
    with pytest.raises(DocumentError, match="at most 1,048,576 bytes"):
        layout_of(file)


@pytest.mark.parametrize("thing", [None, 3, 2.5, [Pose], np.zeros(3), object()])
def test_what_has_no_layout_is_refused_with_what_has(thing: object) -> None:
    with pytest.raises(TypeError, match=r"thing: expected a Layout, a Struct, .* found"):
        layout_of(thing)


def test_a_class_without_a_layout_is_refused() -> None:
    with pytest.raises(SchemaError, match="expected a Struct"):
        layout_of(int)


def test_shipped_documents_have_names_that_load_takes() -> None:
    ours = ["camera-frame", "camera-motion", "consumer-report"]
    assert typedshm.documents() == sorted([*ours, *typedshm.foreign.documents()])
    assert [typedshm.load(name).layout.name for name in typedshm.documents()]


# ---- documents -----------------------------------------------------------------------------------------------------


@given(structs())
def test_a_layout_survives_its_document(struct: type[Struct]) -> None:
    assert layout_of(struct.layout.to_document()) == struct.layout


def test_the_document_of_bare_arrays_says_so() -> None:
    layout = typedshm.array(Pose, 2, 3).layout
    assert parse(layout.to_document()) == (layout, "array")
    assert parse(layout.to_document("struct")) == (layout, "struct")
    with typedshm.create("poses", typedshm.array(Pose, 2, 3)) as region:
        assert parse(region.layout.to_document()) == (layout, "array")


def test_the_document_of_a_struct_is_no_array() -> None:
    with pytest.raises(SchemaError, match="Pose: expected one array field"):
        Pose.layout.to_document("array")
    with pytest.raises(ValueError, match="value: expected"):
        Pose.layout.to_document("bytes")  # type: ignore[arg-type]


def test_a_document_is_one_line_or_indented() -> None:
    assert Pose.layout.to_document().count(b"\n") == 0
    assert Pose.layout.to_document(indent=2).splitlines()[1] == b'  "typedshm": 1,'
