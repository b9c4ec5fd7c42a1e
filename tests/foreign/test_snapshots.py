"""Snapshots beside Structs: each function for values works with them, or says what to take instead."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers.small_documents import layout_of, one_source
from typedshm import Struct, foreign, u32


class Row(Struct):
    number: u32


class Head(Struct):
    first: u32
    count: u32


PARTS = [{"name": "rows", "layout": layout_of(Row), "offset": "first", "count": "count"}]


@pytest.fixture
def value(tmp_path: Path) -> Any:
    document = one_source(Head, at=tmp_path / "memory", parts=PARTS)
    with foreign.Publisher(document, size=256) as program, foreign.attach(document) as region:
        program.write({}, rows=[{"number": 3}])
        return region.read()


@pytest.mark.parametrize(
    "function",
    [
        typedshm.asdict,
        lambda value: typedshm.asdict(value, mode="json"),
        lambda value: typedshm.raw(value, "first"),
        lambda value: typedshm.replace(value, first=1),
        lambda value: typedshm.resize(value, "rows", 3),
        typedshm.to_struct,
        typedshm.layout_of,
        typedshm.load,
        lambda value: typedshm.compare(value, Head),
        lambda value: typedshm.create("snapshot", value),
        lambda value: typedshm.share("snapshot", value),
    ],
)
def test_functions_for_structs_say_what_to_take_instead(function: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(TypeError) as refused:
        function(value)
    words = "found a Snapshot, which is no Struct: value.head is its Struct, value.asdict() a dict of all parts"
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_writers_say_what_to_take_instead(value: Any, tmp_path: Path) -> None:
    with (
        typedshm.create("snapshots", Head) as region,
        foreign.Publisher(tmp_path / "other", Head) as publisher,
        foreign.attach(tmp_path / "other", Head, writable=True) as other,
    ):
        for write in (region.write, publisher.write, other.write):
            with pytest.raises(TypeError, match=r"value\.head is its Struct"):
                write(value)
            write(value.head)


def test_what_is_said_to_work_works(value: Any) -> None:
    assert typedshm.asdict(value.head) == {"first": 16, "count": 1}
    assert value.asdict() == {"first": 16, "count": 1, "rows": [{"number": 3}]}
    flat: Any = foreign.Flattening(value).flat(value)
    assert typedshm.asdict(flat)["rows"][0].number == 3
    assert typedshm.version_of(value) is typedshm.time_of(value) is None
    for again in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        assert again(value) == value


def test_a_field_is_set_in_the_head(value: Any) -> None:
    with pytest.raises(AttributeError, match=r"a Snapshot's first is not set: value\.head\.first = … sets the field"):
        value.first = 3
    with pytest.raises(AttributeError, match=r"a Snapshot's rows is not set: value\.parts is a dict"):
        value.rows = 3
    value.head.first = 3
    assert value.first == 3
