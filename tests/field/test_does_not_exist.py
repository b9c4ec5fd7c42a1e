"""A region that does not exist: the message says what does exist, and what was perhaps meant."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from typedshm import Struct, f64
from typedshm.memory.names import locate
from typedshm.memory.similar import similar
from typedshm.testing import isolated


class Pose(Struct):
    x: f64


def words_of(name: Any, **options: Any) -> str:
    """What all say who would join or remove the region."""
    said = set()
    scope = {"scope": options["scope"]} if "scope" in options else {}
    with pytest.raises(typedshm.RegionNotFound) as attached:
        typedshm.attach(name, Pose, **scope)
    with pytest.raises(typedshm.Timeout) as waited:
        typedshm.attach(name, Pose, timeout=0.01, **scope)
    with pytest.raises(typedshm.RegionNotFound) as removed:
        typedshm.unlink(name, **scope)
    for failure in (attached, waited, removed):
        text = str(failure.value)
        assert "does not exist" in text
        said.add(text.partition("does not exist")[2].replace("; create() or open() makes it", ""))
    (words,) = said
    return words


def test_nothing_more_is_said_where_there_is_nothing():
    assert words_of("camera") == ": nobody has it open"


@pytest.mark.parametrize("asked", ["Camera", "camrea", "cameras", "camera ", "camer", "CAMERA"])
def test_a_similar_name_is_asked_about(asked):
    with typedshm.create("camera", Pose), typedshm.create("lidar", Pose):
        assert words_of(asked).endswith("; did you mean 'camera'?")


@pytest.mark.parametrize("asked", ["robot/arm-left", "robot-arm-left", "Robot Arm Left"])
def test_signs_between_words_are_confused_often(asked):
    with typedshm.create("robot_arm_left", Pose), typedshm.create("robot_arm_right", Pose):
        assert words_of(asked).endswith("; did you mean 'robot_arm_left'?")


@pytest.mark.parametrize("asked", ["x", "map", "microphone", "car"])
def test_names_that_are_not_similar_are_not_suggested(asked):
    with typedshm.create("camera", Pose):
        assert "did you mean" not in words_of(asked)


@marks.left_behind
def test_what_killed_processes_left_is_not_suggested():
    path = Path(locate("camera").address)
    path.write_bytes(b"")
    assert "did you mean" not in words_of("Camera")
    path.unlink()


@marks.left_behind
def test_what_killed_processes_left_in_the_other_scope_is_not_named():
    path = Path(locate("camera", "machine").address)
    path.write_bytes(b"")
    try:
        assert words_of("camera") == ": nobody has it open"
    finally:
        path.unlink()


def test_the_other_scope_is_named():
    with typedshm.create("camera", Pose, scope="machine"):
        assert words_of("camera").endswith("; there is one of scope='machine'")
    with typedshm.create("camera", Pose):
        assert words_of("camera", scope="machine").endswith("; there is one of scope='user'")


def test_another_namespace_is_named():
    with typedshm.create("camera", Pose), isolated():
        assert "there is one in another TYPEDSHM_NAMESPACE" in words_of("camera")


@marks.region_files
@pytest.mark.parametrize("users", [["54321"], ["54321", "54322"]])
def test_other_users_are_named_who_have_one_of_that_name(users):
    """Each user has names of its own: what root creates, a user does not find, and the other way round."""
    ours = locate("camera").address
    theirs = [Path(ours.replace(f"-u{os.geteuid()}-", f"-u{user}-")) for user in users]
    for path in theirs:
        path.write_bytes(b"")
    try:
        words = words_of("camera")
        assert ("user 54321 has one" if len(users) == 1 else "users 54321, 54322 have one") in words
        assert "each user has names of its own; scope='machine' is for all users" in words
        assert "user 5" not in words_of("cam")
    finally:
        for path in theirs:
            path.unlink()


def test_a_path_in_a_str_is_a_name(tmp_path):
    file = tmp_path / "camera"
    assert "is a name and no file, as it is no pathlib.Path" in words_of(str(file))
    typedshm.create(file, Pose).close()
    words = words_of(str(file))
    assert f"{str(file)!r} is a name and no file: pathlib.Path({str(file)!r}) is the file of that path" in words
    with typedshm.create(str(file), Pose) as named:  # and may be one
        assert named.name == str(file)


def test_a_name_in_a_path_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with typedshm.create("camera", Pose):
        assert "there is a region named 'camera', which is no file: its name is a str" in words_of(Path("camera"))


def test_a_similar_file_is_asked_about(tmp_path):
    (tmp_path / "camera.region").touch()
    assert words_of(tmp_path / "camara.region").endswith("; did you mean 'camera.region'?")


def test_names_that_are_hostile_do_no_harm():
    with typedshm.create("camera", Pose):
        for name in ("a\0b", "%41", "+", "!", "🙂" * 5, "typedshm-u0-region-camera", ".", "..", "a" * 120):
            assert words_of(name).startswith(": nobody has it open")


@marks.region_files
def test_files_that_are_no_regions_do_no_harm():
    paths = [
        Path("/dev/shm") / f"typedshm-u{os.geteuid()}-{rest}" for rest in ("region-", "x", "region-%zz", "zz-a+b+c")
    ]
    for path in paths:
        path.touch()
    try:
        assert words_of("camera") == ": nobody has it open"
        assert typedshm.regions() == []
    finally:
        for path in paths:
            path.unlink()


def test_an_open_region_is_found_whatever_is_said():
    with typedshm.create("camera", Pose), typedshm.attach("camera", Pose, timeout=1) as region:
        assert region.version == 0


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("camera", [], None),
        ("camera", ["camera"], None),
        ("camera", ["Camera", "cameras"], "Camera"),
        ("pose", ["poses", "prose", "nose"], "poses"),
        ("x", ["y"], "y"),
        ("cra", ["bus", "car"], "car"),
        ("acr", ["rca"], None),
        ("ab", ["xyz"], None),
        ("sensor_1", ["sensor_2", "motor_1"], "sensor_2"),
    ],
)
def test_the_most_similar_name_is_the_one_with_the_fewest_changes(name, names, found):
    assert similar(name, names) == found


def _changes(one: str, other: str) -> int:
    """The letters to insert, delete, replace, or exchange with the next: by the definition, in its own time."""
    if not one or not other:
        return len(one) + len(other)
    fewest = min(
        _changes(one[1:], other) + 1,
        _changes(one, other[1:]) + 1,
        _changes(one[1:], other[1:]) + (one[0] != other[0]),
    )
    if one[:2] == other[1:2] + other[:1] and len(other) > 1:
        fewest = min(fewest, _changes(one[2:], other[2:]) + 1)
    return fewest


def test_the_most_similar_of_all_short_names_is_found():
    names = ["".join(letters) for count in (2, 4, 5) for letters in itertools.product("ab", repeat=count)]
    for name in (*names, "abc", "bca", "cabb"):
        limit = 1 + len(name) // 4
        expected = min((other for other in names if other != name), key=lambda other: _changes(name, other))
        found = similar(name, names)
        assert (found and _changes(name, found)) == _changes(name, expected) <= limit


@pytest.mark.parametrize(("count", "hint"), [(1_000, "did you mean '109'"), (1_001, "there are '100'")])
def test_names_that_would_take_long_to_compare_are_not(count: int, hint: str) -> None:
    assert similar("y" * 256, ["y" * 255]) == "y" * 255
    assert similar("y" * 257, ["y" * 256]) is None
    keys = map(str, range(100, 100 + count))
    cells = typedshm.create("cells", typedshm.rows(typedshm.array("u1", 1), keys=keys))
    with cells, pytest.raises(KeyError, match=hint):
        cells["109a"]
