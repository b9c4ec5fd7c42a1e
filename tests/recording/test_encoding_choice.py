"""Which encoding a source is recorded in, and that a file's channel is read by the same one."""

import helpers.recording_extra  # noqa: F401

# isort: split

import dataclasses
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers.encoded import Schema, as_bytes, batch_of, chosen, messages_of
from helpers.kinds import CASES, Case
from helpers.matrix import made
from typedshm import Layout, Shape, Struct, UpTo
from typedshm.recording import RecordingCorrupt
from typedshm.recording.encodings import choosing


class Pose(Struct):
    x: typedshm.f64
    y: typedshm.u8


class Half(Struct):
    x: typedshm.f16


class Frame(Struct):
    number: typedshm.u32
    image: Annotated[NDArray[np.uint8], Shape(48, 64, 3)]


VIDEO = typedshm.array(np.uint8, UpTo(48, 64, 3, free=2)).layout


@pytest.mark.parametrize(
    ("layout", "kind", "name"),
    [
        (Pose.layout, "region", "cdr"),
        (Pose.layout, "table", "cdr"),
        (Pose.layout, "foreign", "cdr"),
        (Half.layout, "region", "typedshm"),
        (Half.layout, "table", "typedshm"),
        (Frame.layout, "region", "image"),
        (Frame.layout, "table", "cdr"),
        (VIDEO, "region", "image"),
        (VIDEO, "table", "typedshm"),
        (typedshm.array(np.float32, UpTo(5)).layout, "region", "typedshm"),
        (typedshm.array(np.float32, 5).layout, "region", "cdr"),
    ],
)
def test_by_default_others_can_read_what_they_have_a_form_for(layout: Layout, kind: str, name: str) -> None:
    assert chosen(layout, kind=kind).name == name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_there_is_a_default_for_every_kind(case: Case) -> None:
    layout = case.struct.layout
    encoding = chosen(layout)
    assert encoding.name in ("cdr", "typedshm")
    batch = batch_of(layout, [made(case, value) for value in case.values()])
    found = read_as_a_file_has_it(encoding, layout).decode(messages_of(encoding, batch))
    assert [bytes(value) for value in found.values] == as_bytes(batch)


def read_as_a_file_has_it(encoding: Any, layout: Layout, kind: str = "region", keys: tuple[str, ...] = ()) -> Any:
    metadata = {"typedshm.document": layout.to_document(keys=keys).decode(), "typedshm.kind": kind}
    return choosing.of_channel(encoding.message_encoding, Schema(encoding.schema_name, encoding.schema_data), metadata)


@pytest.mark.parametrize("wanted", choosing.ENCODINGS)
@pytest.mark.parametrize("kind", ["region", "table"])
def test_a_channel_is_read_by_the_encoding_it_was_written_in(wanted: str, kind: str) -> None:
    table = kind == "table"
    if table and wanted in ("image", "jpeg", "png"):
        pytest.skip("rows are no pictures")
    encoding = chosen(Frame.layout, wanted, kind=kind, keys=("left",) if table else ())
    again = read_as_a_file_has_it(encoding, Frame.layout, kind, ("left",) if table else ())
    assert (again.name, again.message_encoding) == (encoding.name, encoding.message_encoding)
    assert (again.schema_name, again.prefix) == (encoding.schema_name, encoding.prefix)
    value = Frame.zero()
    value.number = 7
    batch = batch_of(Frame.layout, [value], rows=[0] if table else None)
    found = again.decode(messages_of(encoding, batch))
    assert [bytes(one) for one in found.values] == as_bytes(batch)
    assert (found.rows is not None) is table


@pytest.mark.parametrize(
    ("layout", "kind", "wanted", "why"),
    [
        (Half.layout, "region", "cdr", r"'car' cannot be recorded as CDR: Half: x is f16, which CDR does not have"),
        (Pose.layout, "region", "image", r"'car' cannot be recorded as an image: Pose: it has no pictures"),
        (Pose.layout, "region", "jpeg", r"'car' cannot be recorded as JPEG: Pose: it has no pictures"),
        (Frame.layout, "table", "png", r"'car' cannot be recorded as PNG: Frame: the rows of tables are no pictures"),
        (typedshm.array(np.uint8, 2**25).layout, "region", "json", r"'car' cannot be recorded as JSON: array: .*bytes"),
        (Pose.layout, "region", "csv", r"expected one of auto, typedshm, cdr, json, image, jpeg, png, found 'csv'"),
    ],
)
def test_an_encoding_that_does_not_fit_is_refused_with_the_reason(
    layout: Layout, kind: str, wanted: str, why: str
) -> None:
    with pytest.raises(ValueError, match=f"^encoding: {why}"):
        chosen(layout, wanted, kind=kind)


DOCUMENT = Pose.layout.to_document().decode()


@pytest.mark.parametrize(
    ("encoding", "schema", "metadata", "why"),
    [
        ("cdr", None, {}, "the channel was not recorded by typedshm: it has no typedshm.document"),
        ("cdr", None, {"typedshm.document": "{"}, "typedshm.document of the channel: "),
        ("cdr", None, {"typedshm.document": "\ud800"}, "typedshm.document of the channel: "),
        ("cdr", None, {"typedshm.document": Half.layout.to_document().decode()}, "Half is not written as cdr: x is"),
        ("protobuf", None, {"typedshm.document": DOCUMENT}, "expected an encoding of typedshm, found 'protobuf'"),
        ("auto", None, {"typedshm.document": DOCUMENT}, "expected an encoding of typedshm, found 'auto'"),
        ("jpeg", None, {"typedshm.document": DOCUMENT}, "expected an encoding of typedshm, found 'jpeg'"),
        ("x" * 10**6, None, {"typedshm.document": DOCUMENT}, "expected an encoding of typedshm, found 'xxx"),
        *(
            ("cdr", Schema(f"foxglove_msgs/msg/{name}", b""), {"typedshm.document": DOCUMENT}, "it has no pictures")
            for name in ("RawImage", "CompressedImage")
        ),
        (
            *("cdr", Schema("foxglove_msgs/msg/RawImage", b"")),
            {"typedshm.document": Frame.layout.to_document().decode(), "typedshm.kind": "table"},
            "the rows of tables are no pictures",
        ),
    ],
)
def test_a_channel_that_contradicts_itself_is_refused(
    encoding: str, schema: Schema | None, metadata: dict[str, str], why: str
) -> None:
    with pytest.raises(RecordingCorrupt, match=why) as caught:
        choosing.of_channel(encoding, schema, metadata)
    assert len(str(caught.value)) < 1000


def test_the_layouts_that_are_compared_are_those_of_the_document() -> None:
    other = dataclasses.replace(Schema("typedshm_msgs/msg/Other", b"float32 z"))
    metadata = {"typedshm.document": DOCUMENT, "typedshm.kind": "region"}
    encoding = choosing.of_channel("cdr", other, metadata)
    assert encoding.schema_name == "typedshm_msgs/msg/Pose"
