"""``typedshm record --encoding``: how values become messages, of all topics or of each."""

from pathlib import Path

import numpy as np
import pytest

import helpers.recording_extra  # noqa: F401 (skips where the libraries are missing)
import typedshm as ts
from helpers.shared_types import Pose
from helpers.terminal import run_here
from typedshm import recording


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--encoding", "json"], {"pose": ("json", "Pose"), "view": ("json", "array")}),
        (
            ["--encoding", "json", "--encoding", "view=png"],
            {"pose": ("json", "Pose"), "view": ("cdr", "CompressedImage")},
        ),
        (["--encoding", "pose=typedshm"], {"pose": ("typedshm", "Pose"), "view": ("cdr", "RawImage")}),
    ],
)
def test_encodings_are_those_of_all_or_of_each(
    given: list[str], expected: "dict[str, tuple[str, str]]", tmp_path: Path
) -> None:
    file = tmp_path / "run.mcap"
    with ts.share("pose", Pose()), ts.share("view", np.zeros((8, 8, 3), np.uint8)):
        done = run_here("record", "pose", "view", "-o", str(file), "--duration", "20ms", *given)
    assert done.returncode == 0, done.stderr
    with recording.open(file) as opened:
        found = {topic.name: (topic.encoding, topic.type_name.rpartition("/")[2]) for topic in opened.topics}
    assert found == expected


def test_an_encoding_that_a_layout_has_not_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with ts.share("pose", Pose()):
        done = run_here("record", "pose", "-o", str(file), "--encoding", "image")
    assert done.returncode == 2
    assert "pose" in done.stderr
    assert not file.exists()
