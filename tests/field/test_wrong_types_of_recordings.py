"""What `typedshm.recording` says of arguments of wrong types: as all other functions, by name and in words."""

import helpers.recording_extra  # noqa: F401

# isort: split

import inspect
import itertools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from test_wrong_types import WRONG, Call, close, complaint

import typedshm
from helpers.recorded import Topic, write
from typedshm import Struct, array, f64, recording


class Car(Struct):
    x: f64


class World(NamedTuple):
    """What the calls are made on."""

    folder: pathlib.Path
    path: pathlib.Path
    opened: recording.Recording
    region: "typedshm.Region[Car]"
    recorder: recording.Recorder
    player: recording.Player


NUMBERS = itertools.count()
SPAN: dict[str, Any] = {"start": 0.0, "end": 1.0}
TOPIC: dict[str, Any] = {"name": "car", **SPAN}
ARRAY: dict[str, Any] = {**TOPIC, "fields": ["x"], "schema": Car}
WORDS = "topic|schema|layout"


def fresh(world: World, suffix: str) -> pathlib.Path:
    return world.folder / f"new-{next(NUMBERS)}{suffix}"


ROWS: dict[str, Callable[[World], Call]] = {
    "open": lambda world: Call(recording.open, {"path": world.path}, close, documented=OSError),
    "convert": lambda world: Call(
        recording.convert,
        {
            "path": world.path,
            "target": fresh(world, ".npz"),
            "topics": ["car"],
            **SPAN,
            "replace": False,
            "progress": None,
        },
        words="topic",
        documented=OSError,
    ),
    "Recording.array": lambda world: Call(world.opened.array, ARRAY, words=WORDS),
    "Recording.pieces": lambda world: Call(world.opened.pieces, ARRAY, words=WORDS),
    "Recording.frame": lambda world: Call(world.opened.frame, ARRAY, words=WORDS, documented=ImportError),
    "Recording.values": lambda world: Call(world.opened.values, {**TOPIC, "schema": Car}, words=WORDS),
    "Recording.arrays": lambda world: Call(world.opened.arrays, {"topics": ["car"], **SPAN}, words="topic"),
    "Recording.messages": lambda world: Call(world.opened.messages, {"topics": ["car"], **SPAN}, words="topic"),
    "Recording.latest": lambda world: Call(world.opened.latest, {"topics": ["car"], "end": 0.0}, words="topic"),
    "Recording.raw": lambda world: Call(world.opened.raw, {"topics": ["car"], **SPAN}, words="topic"),
    "Recording.readable": lambda world: Call(world.opened.readable, {"topics": ["car"]}, words="topic"),
    "Recording.images": lambda world: Call(world.opened.images, {**TOPIC, "name": "camera"}, words="topic"),
    "Recording.layout": lambda world: Call(world.opened.layout, {"name": "car"}, words="topic"),
    "Recording.channels": lambda world: Call(world.opened.channels, {"name": "car"}, words="topic"),
    "Recording.close": lambda world: Call(world.opened.close, {}),
    "Recorder.status": lambda world: Call(world.recorder.status, {}),
    "Recorder.close": lambda world: Call(world.recorder.close, {"timeout": 5}),
    "Recorder.wait": lambda world: (world.recorder.close(), Call(world.recorder.wait, {"timeout": 0}))[1],
}

# Made by the library, not by its users, or only looked at.
RESULTS = {
    *("Lateness", "Player", "RecordedTopic", "RecordedValue", "Recorder", "RecorderStatus", "Recording", "TopicStatus"),
    *("Recorder.forget", "RecordingCorrupt", "RecordingError", "RecordingFull", "RecordingWarning"),
}


def public() -> Iterator[str]:
    """The names of everything that users call."""
    yield "open"
    for name in recording.__all__:
        thing = getattr(recording, name)
        if name not in RESULTS:
            yield name
        if name in ("Recording", "Recorder", "Player"):
            for member, method in inspect.getmembers(thing):
                if not member.startswith("_") and callable(method) and f"{name}.{member}" not in RESULTS:
                    yield f"{name}.{member}"


def replay_row(world: World) -> Call:
    options: dict[str, Any] = {
        "path": world.path,
        "speed": 1.0,
        "loop": False,
        **SPAN,
        "state": False,
        "names": {"car": "other"},
        "topics": ["car"],
        "keep_times": False,
        "keep_versions": False,
        "take_over": False,
        "paused": True,
        "timeout": 0,
        "scope": "user",
    }
    return Call(recording.replay, options, close, words="topic", documented=OSError)


def record_row(world: World) -> Call:
    options: dict[str, Any] = {
        "names": world.region,
        "path": fresh(world, ".mcap"),
        "every": True,
        "rate": None,
        "lossless": False,
        "encoding": "auto",
        "compression": None,
        "chunk_seconds": 1.0,
        "chunk_bytes": 4096,
        "rotate_bytes": None,
        "rotate_seconds": None,
        "wait": False,
        "duration": None,
        "replace": False,
        "scope": "user",
    }
    return Call(recording.record, options, close, words="name|region|topic|rate|rotate|every", documented=OSError)


ROWS["replay"] = replay_row
ROWS["record"] = record_row
ROWS |= {
    f"Player.{verb}": lambda world, verb=verb, given=given: Call(getattr(world.player, verb), given)  # type: ignore[misc]
    for verb, given in {"play": {}, "pause": {}, "step": {"n": 1}, "close": {}}.items()
}
ROWS["Player.wait"] = lambda world: (world.player.close(), Call(world.player.wait, {"timeout": 0}, words="was closed"))[
    1
]


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    path = write(
        tmp_path / "run.mcap",
        Topic("car", Car, np.arange(5.0)),
        Topic("camera", array(np.uint8, 2, 2), np.zeros((3, 4), np.uint8)),
    )
    with (
        typedshm.create("car", Car, slots=4) as region,
        recording.open(path) as opened,
        recording.record(region, tmp_path / "live.mcap") as recorder,
        recording.replay(path, names={"car": "replayed"}, topics=["car"], paused=True) as player,
    ):
        region.write(Car(x=1.0))
        yield World(tmp_path, path, opened, region, recorder, player)


def test_every_public_name_of_recordings_has_a_row() -> None:
    assert {*public()} - {*ROWS} == set()


@pytest.mark.parametrize("name", ROWS)
def test_every_parameter_of_recordings_is_tried(name: str, world: World) -> None:
    call = ROWS[name](world)
    parameters = inspect.signature(call.function).parameters.values()
    named = {
        parameter.name
        for parameter in parameters
        if parameter.name != "self" and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    assert named - {*call.arguments} == set()


@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_argument_of_recordings_is_refused_in_words(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.folder)  # a text is a path, too
    found: list[str] = []
    for parameter in ROWS[name](world).arguments:
        for kind, wrong in WRONG.items():
            if parameter == "timeout" and wrong is None:
                continue  # waits for ever
            if parameter == "progress" and callable(wrong):
                continue  # what it says itself
            said = complaint(ROWS[name](world), parameter, wrong)
            if said:
                found.append(f"{name}({parameter}={kind}): {said[:300]}")
    assert not found, "\n".join(found)
