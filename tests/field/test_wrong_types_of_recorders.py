"""An argument of a wrong type or value is refused by record() in words, before there is a file."""

import helpers.recording_extra  # noqa: F401

# isort: split

import inspect
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from typedshm import recording
from typedshm.recording.encodings.choosing import ENCODINGS

ABOVE = "expected {}, above 0, found {}"

CASES: dict[str, list[tuple[Any, type[Exception], str]]] = {
    "names": [
        (None, TypeError, "names: expected the name of a region, table or document, a pathlib.Path, a Region, a Table"),
        (5, TypeError, "or several of them, found 5 (int)"),
        (b"car", TypeError, "found b'car' (bytes)"),
        ([], ValueError, "names: expected something to record, found none"),
        (["car", 5], TypeError, "names: expected each to be the name of a region, table or document"),
        ([b"car"], TypeError, "found b'car' (bytes)"),
        (np.zeros(2), TypeError, "names: expected each to be"),
        ("", typedshm.NameRefused, "name"),
    ],
    "path": [
        (None, TypeError, "path: expected a str or a pathlib.Path, found None (NoneType)"),
        (5, TypeError, "path: expected a str or a pathlib.Path, found 5 (int)"),
        (b"run.mcap", TypeError, "path: expected a str or a pathlib.Path, found b'run.mcap' (bytes)"),
        ("", ValueError, "path: expected the name of a file, found ''"),
        ("a\0b", ValueError, "path: expected the name of a file, found 'a\\x00b'"),
    ],
    "every": [(1, TypeError, "every: expected True or False, found 1 (int)"), (None, TypeError, "every: expected")],
    "lossless": [("yes", TypeError, "lossless: expected True or False, found 'yes' (str)")],
    "replace": [(0, TypeError, "replace: expected True or False, found 0 (int)")],
    "rate": [
        ("30", TypeError, "rate: expected the most times a second, found '30' (str)"),
        (True, TypeError, "rate: expected the most times a second, found True (bool)"),
        (0, ValueError, f"rate: {ABOVE.format('the most times a second', 0)}"),
        (-1, ValueError, "above 0, found -1"),
        (float("nan"), ValueError, "above 0, found nan"),
        (float("inf"), ValueError, "above 0, found inf"),
        (10**400, ValueError, "rate: expected the most times a second, found 1000"),
    ],
    "duration": [
        ("10", TypeError, "duration: expected seconds, or None for no end, found '10' (str)"),
        (0, ValueError, "duration: expected seconds, or None for no end, above 0, found 0"),
        ([1], TypeError, "duration: expected seconds"),
    ],
    "encoding": [
        ("xml", ValueError, "encoding: expected one of auto, "),
        (None, TypeError, "encoding: expected one of auto, "),
        ({"numbers": "xml"}, ValueError, "encoding: expected one of auto, "),
        ({"numbers": 5}, TypeError, "encoding: expected one of auto, "),
        ({"number": "auto"}, ValueError, "encoding: expected names of what is recorded, numbers, found 'number'"),
    ],
    "compression": [
        ("gzip", ValueError, "compression: expected one of lz4, zstd, found 'gzip' (str)"),
        (True, TypeError, "compression: expected one of lz4, zstd, found True (bool)"),
    ],
    "chunk_seconds": [
        (None, TypeError, "chunk_seconds: expected seconds, found None"),
        ("1", TypeError, "chunk_seconds: expected seconds, found '1' (str)"),
        (0, ValueError, "chunk_seconds: expected seconds, above 0, found 0"),
    ],
    "chunk_bytes": [
        (None, TypeError, "chunk_bytes: expected bytes, found None (NoneType)"),
        (1.5, TypeError, "chunk_bytes: expected bytes, found 1.5 (float)"),
        (0, ValueError, "chunk_bytes: expected bytes, from 1 to "),
    ],
    "rotate_bytes": [
        ("1 GB", TypeError, "rotate_bytes: expected bytes, found '1 GB' (str)"),
        (-1, ValueError, "rotate_bytes: expected bytes, from 1 to "),
    ],
    "rotate_seconds": [
        ("1", TypeError, "rotate_seconds: expected seconds, or None for one file, found '1' (str)"),
        (0, ValueError, "rotate_seconds: expected seconds, or None for one file, above 0, found 0"),
    ],
    "wait": [
        (None, TypeError, "wait: expected True, False or seconds, found None"),
        ("5", TypeError, "wait: expected True, False or seconds, found '5' (str)"),
        (-1, ValueError, "wait: expected True, False or seconds, found -1 (int)"),
        (float("nan"), ValueError, "wait: expected True, False or seconds, found nan (float)"),
    ],
    "scope": [
        ("all", ValueError, "scope: expected one of user, machine, found 'all' (str)"),
        (None, TypeError, "scope: expected one of user, machine, found None (NoneType)"),
    ],
}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "run.mcap"
    assert not list(tmp_path.iterdir())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("typedshm rec")]


@pytest.mark.parametrize(
    ("parameter", "given", "error", "words"),
    [
        pytest.param(parameter, *case, id=f"{parameter} {number}")
        for parameter, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_an_argument_is_refused_with_its_name(
    path: Path, parameter: str, given: Any, error: type[Exception], words: str
) -> None:
    arguments: dict[str, Any] = {"names": "numbers", "path": path}
    with (
        typedshm.share("numbers", np.zeros(2)),
        pytest.raises(error, match=re.escape(words)),
    ):
        recording.record(**(arguments | {parameter: given}))


def test_each_parameter_has_cases() -> None:
    assert set(inspect.signature(recording.record).parameters) == set(CASES)


def test_only_what_is_recorded_and_where_to_go_without_names() -> None:
    parameters = inspect.signature(recording.record).parameters.values()
    free = [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
    assert free == ["names", "path"]


@pytest.mark.parametrize("verb", ["wait", "close"])
def test_seconds_are_refused_that_are_none(tmp_path: Path, verb: str) -> None:
    with typedshm.share("numbers", np.zeros(2)), recording.record("numbers", tmp_path / "run.mcap") as recorder:
        for given in ("2", [2], True):
            with pytest.raises(TypeError, match="timeout: expected seconds, or None to wait for ever, found"):
                getattr(recorder, verb)(timeout=given)
        assert not recorder.closed


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_may_be_asked_for(tmp_path: Path, encoding: str) -> None:
    schema = typedshm.array(np.uint8, 48, 64, 3)
    with typedshm.create("camera", schema) as region:
        region.write(np.ones((48, 64, 3), np.uint8))
        with recording.record("camera", tmp_path / "run.mcap", encoding=encoding) as recorder:
            pass
    assert recorder.status().recorded == 1


@pytest.mark.parametrize("given", [np.float32(30), np.int64(30), 30])
def test_numbers_of_numpy_are_numbers(tmp_path: Path, given: Any) -> None:
    with (
        typedshm.share("numbers", np.zeros(2)),
        recording.record("numbers", tmp_path / "run.mcap", rate=given, duration=given, every=np.bool_(True)),
    ):
        pass
