"""Pictures of a recording."""

import helpers.recording_extra  # noqa: F401

# isort: split

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.damaged import used_of
from helpers.recorded import START, STEP, Topic, write
from typedshm import Shape, Struct, UpTo, array, f64, recording, u64
from typedshm.recording import RecordingError


class Frame(Struct):
    tick: u64
    gains: Annotated[NDArray[np.float32], Shape(3)]
    image: Annotated[NDArray[np.uint8], Shape(4, 6, 3)]


class Varying(Struct):
    tick: u64
    image: Annotated[NDArray[np.uint8], UpTo(8, 8, 3, free=2)]


class Plain(Struct):
    x: f64


def pictures(count: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *shape), np.uint8)


@pytest.mark.parametrize("encoding", ["typedshm", "auto", "png"])
@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 3)])
def test_pictures_of_bare_arrays_come_with_their_times(tmp_path: Path, encoding: str, shape: tuple[int, ...]) -> None:
    frames = pictures(5, *shape)
    path = write(tmp_path / "run.mcap", Topic("camera", array(np.uint8, *shape), frames, encoding=encoding))
    with recording.open(path) as opened:
        found = [*opened.images("camera")]
    assert [time for time, _ in found] == [np.datetime64(START + STEP * n, "ns") for n in range(5)]
    assert (np.array([image for _, image in found]) == frames).all()


def test_pictures_of_structs_are_the_array_with_their_shape(tmp_path: Path) -> None:
    values = np.zeros(3, Frame.layout.dtype)
    values["image"] = pictures(3, 4, 6, 3)
    path = write(tmp_path / "run.mcap", Topic("camera", Frame, values))
    with recording.open(path) as opened:
        found = [image for _, image in opened.images("camera", start=0.001)]
    assert (np.array(found) == values["image"][1:]).all()


def test_pictures_of_varying_size_have_theirs(tmp_path: Path) -> None:
    images = [pictures(1, n + 1, 2 * n + 1, 3)[0] for n in range(4)]
    values: list[Any] = [used_of(Varying(tick=n, image=image)) for n, image in enumerate(images)]
    path = write(tmp_path / "run.mcap", Topic("camera", Varying, values))
    with recording.open(path) as opened:
        found = [image for _, image in opened.images("camera")]
    for image, expected in zip(found, images, strict=True):
        assert np.array_equal(image, expected)


def test_values_without_pictures_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", Topic("car", Plain, np.zeros(2)))
    with recording.open(path) as opened, pytest.raises(RecordingError, match="'car': expected pictures"):
        opened.images("car")
