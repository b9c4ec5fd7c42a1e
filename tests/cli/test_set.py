"""``typedshm set``: fields to new values, as one version."""

import sys
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm as ts
from helpers import marks
from helpers.everything import Everything, Pose, everything
from helpers.peers import Child
from helpers.terminal import run_here, typedshm


def changed(*assignments: str) -> Everything:
    """What becomes of everything()."""
    with ts.share("car", everything()) as car:
        done = typedshm("set", "car", *assignments)
        assert done.returncode == 0, done.stderr
        assert car.version == 2
        return car.read()


def test_fields_of_every_kind_are_set_in_one_version() -> None:
    value = changed(
        *("count=0x10", "narrow=1.5", "wide=-inf", "turn=2-3i", "on=yes", "gear=NEUTRAL", "lights=LEFT|RIGHT"),
        *("name=Grace = G.", "title=Dr", "rune=λμ", f"raw={'ab' * 20}", "moment=2026-01-02T03:04:05+01:00"),
        *("instant=2026-01-02 03:04:05.123456789", "pose.x=4", 'pose={"label": "b"}', "wheels[2]=9", "table=7"),
        *("table[1,2]=8", "table[0][1]=6", "spin=1j", "flags=[" + ", ".join(["true", "false"] * 10) + "]"),
        *("names[1,1]=z", "times[1]=2026-01-01", "path[0].x=3", 'path[2]={"x": 1, "label": "c"}', "picture=200"),
    )
    assert (value.count, value.narrow, value.wide, value.turn, value.on) == (16, 1.5, -np.inf, 2 - 3j, True)
    assert (value.gear, value.lights) == (0, 3)
    assert (value.name, value.title, value.rune, value.raw) == ("Grace = G.", "Dr", "λμ", b"\xab" * 20)
    assert value.moment == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert value.instant == np.datetime64("2026-01-02T03:04:05.123456789")
    assert (value.pose.x, value.pose.label) == (4, "b")
    assert value.wheels[:3].tolist() == [1, 2, 9]
    assert (value.table[1, 2], value.table[0, 1], value.table[3, 24]) == (8, 6, 7)
    assert (value.spin == 1j).all()
    assert value.flags.tolist() == [True, False] * 10
    assert value.names.tolist() == [[b"a", b"b\x1b"], [b"", b"z"]]
    assert value.times[1] == np.datetime64("2026-01-01")
    assert (value.path[0].x, value.path[1].x, value.path[2].x, value.path[2].label) == (3, 2.5, 1, "c")
    assert (value.picture == 200).all()


def test_arrays_take_lists() -> None:
    value = changed(
        *("wheels=[1, 2.5, NaN, 4]", 'names=[["a", "b"], ["c", "λ"]]', 'times=["2026-01-01", "now"]'),
        f"spin={[[1, 2]] * 10}",
    )
    assert value.wheels[:2].tolist() == [1, 2.5]
    assert np.isnan(value.wheels[2])
    assert value.names.tolist() == [[b"a", b"b"], [b"c", "λ".encode()]]
    assert value.times[1] > value.times[0]
    assert (value.spin == 1 + 2j).all()


def test_sums_start_from_what_is_there() -> None:
    value = changed("count+=3", "count-=0x1", "wide-=0.5", "wheels+=1", "table[0]-=1", "turn+=1j", "flags[19]=1")
    assert (value.count, value.wide, value.turn) == (9, 0.1 - 0.5, 1 + 3j)
    assert value.wheels[:3].tolist() == [2, 3, 4]
    assert value.table[0, :2].tolist() == [-1, 0]
    assert value.table[1, 0] == 25


def test_what_changed_is_printed_with_units() -> None:
    with ts.share("car", everything()):
        done = run_here("set", "car", "pose.x+=1.5", "name=\x1b[31m", "wheels[0]=3")
    assert (
        done.stdout == "car: version 2\n  pose.x  0.0 m → 1.5 m\n  name  'Ada' → '\\x1b[31m'\n  wheels[0]  1.0 → 3.0\n"
    )


def test_a_dry_run_changes_nothing() -> None:
    with ts.share("car", everything()) as car:
        done = typedshm("set", "car", "count+=1", "--dry-run", env={"PYTHONIOENCODING": "ascii"})
        assert done.stdout == "car: version 1 would be followed by\n  count  7 -> 8\n"
        assert car.version == 1


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("cuont=1", "cuont is not a field of Everything; did you mean count?"),
        ("count=-1", "count: expected u64 (0 to 18446744073709551615), found -1"),
        ("count=1.5", "count: expected a whole number, found '1.5'"),
        ("narrow=1e39", "narrow: expected f32 (at most 3.4e+38), found '1e39'"),
        ("wide=much", "wide: expected a number, found 'much'"),
        ("turn=1+2k", "turn: expected a complex number such as 1+2j"),
        ("on=maybe", "on: expected true or false, found 'maybe'"),
        ("gear=DRVE", "DRVE is not a member of Gear, or its number, for gear; did you mean DRIVE?"),
        ("gear=9", "gear: expected a member of Gear (NEUTRAL=0, DRIVE=1), found 9"),
        ("lights=LEFT|UP", "UP is not a member of Lights"),
        ("lights=256", "lights: expected u8 (0 to 255), found 256"),
        ("name=" + "x" * 17, "name: expected text of at most 16 bytes in utf-8, found"),
        ("title=" + "\U0001f600" * 5, "title: expected text of at most 8 code units in utf-16"),
        ("raw=00", "raw: expected 40 hexadecimal digits (20 bytes), found 1 bytes"),
        ("raw=xy", "raw: expected 40 hexadecimal digits (20 bytes), found 'xy'"),
        ("moment=yesterday", "moment: expected a time such as"),
        ("moment=2026-13-01", "moment: expected a time such as"),
        ("moment=9999-01-01", "moment: expected a time in the years 1678 to 2262"),
        ("pose=1", "pose: expected a JSON object, or an assignment to one of its fields, found '1'"),
        ('pose={"z": 1}', "z is not a field of Pose"),
        ('pose={"x": "a"}', "pose.x: expected a number, found 'a'"),
        ('pose={"x": 1', "pose: expected JSON, found"),
        ("wheels=[1, 2]", "wheels: expected a list of 4 items for f32[4], found 2 items"),
        ("wheels=[1, 2, 3, true]", "wheels[3]: expected a number, found True"),
        ("wheels=[1, 2, 3, null]", "wheels[3]: expected a number, found None"),
        ("wheels[4]=1", "wheels: expected an index from 0 to 3, found 4"),
        ("names[0,0]=toolong", "names[0,0]: expected text of at most 4 bytes"),
        ("path[20].x=1", "path: expected an index from 0 to 19, found 20"),
        ('path=[{"x": 1}]', "path: expected a list of 20 items for Pose[20], found 1 items"),
        ("name+=x", "name: expected a number for +=, found utf8(16)"),
        ("gear+=1", "gear: expected a number for +=, found u8"),
        ("moment+=1", "moment: expected a number for +=, found timestamp"),
        ("count-=8", "count: expected u64 (0 to 18446744073709551615), found -1"),
        ("picture-=1", "picture: expected u8 (0 to 255), found -1"),
        ("count", "expected FIELD=VALUE, FIELD+=VALUE or FIELD-=VALUE, found 'count'"),
        ("=1", "expected FIELD=VALUE"),
        ("count\x1b=1", r"expected a field such as pose.x or path[0].x, found 'count\x1b'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(assignment: str, message: str) -> None:
    with ts.share("car", everything()) as car:
        done = run_here("set", "car", "on=true", assignment)
        assert done.returncode == 2
        assert message in done.stderr
        assert "\x1b" not in done.stderr
        assert car.version == 1


def test_bare_arrays_are_set_by_index_or_as_array() -> None:
    with ts.share("lut", np.zeros((3, 4), np.int16)) as lut:
        assert run_here("set", "lut", "[2,3]=7", "[0]=[1,2,3,4]", "array+=1").returncode == 0
        assert lut.read().tolist() == [[2, 3, 4, 5], [1, 1, 1, 1], [1, 1, 1, 8]]
        assert "expected i16 (-32768 to 32767), found 40000" in run_here("set", "lut", "[0,0]=40000").stderr
        assert lut.version == 2


def test_items_of_structured_arrays_are_set() -> None:
    dtype = np.dtype([("a", "i4"), ("s", "S3"), ("u", "U2"), ("inner", [("q", "u1", (2,))])])
    with ts.share("rows", np.zeros(2, dtype)) as rows:
        done = run_here("set", "rows", "[1].a=5", "[1].s=61620a", "[0].u=é", "[1].inner.q[1]=9")
        assert done.returncode == 0, done.stderr
        value: Any = rows.read()
        assert value[1]["inner"]["q"].tolist() == [0, 9]
        assert (value[1]["a"], value[1]["s"], value[0]["u"]) == (5, b"ab\n", "é")


@pytest.mark.parametrize("schema", [Everything, ts.array(np.float32, 3)])
def test_an_empty_region_starts_from_zeros_and_it_is_said(schema: Any) -> None:
    bare = schema is not Everything
    with ts.create("car", schema) as car:
        assignment = "[1]=2" if bare else "count=2"
        assert "version 0 would be followed by" in run_here("set", "car", assignment, "--dry-run").stdout
        done = run_here("set", "car", assignment)
        assert "typedshm: car was empty: all else is zero" in done.stderr
        assert car.version == 1
        value: Any = car.read()
        assert value.tolist() == [0, 2, 0] if bare else (value.count, value.name) == (2, "")


def test_regions_in_files_are_set(tmp_path: Path) -> None:
    path = tmp_path / "state.region"
    ts.share(path, np.zeros(3)).close()
    assert run_here("set", str(path), "[0]=1").returncode == 0
    with ts.attach(path) as region:
        assert region.read().tolist() == [1, 0, 0]


def write_on(pipe: Connection) -> int:
    """Count in one field, as fast as it goes, until the test has done."""
    with ts.attach("car") as car:
        writes = 0
        pipe.send("writing")
        while not pipe.poll():
            with car.update() as t:
                t.count += 1
            writes += 1
        return writes


def test_a_change_beside_a_busy_writer_is_one_version_and_loses_nothing() -> None:
    with ts.share("car", everything()) as car, Child(write_on) as writer:
        writer.expect("writing")
        for number in range(3):
            done = typedshm("set", "car", "count+=1000000", f"narrow={number}", f"wide={number}", "wheels+=1")
            assert done.returncode == 0, done.stderr
            value = car.read()
            assert value.narrow == value.wide == number
        writer.send("done")
        writes = writer.join()
        value = car.read()
        assert value.count == 7 + writes + 3 * 1000000
        assert car.version == 1 + writes + 3
        assert value.wheels[:3].tolist() == [4, 5, 6]


def hold(pipe: Connection) -> None:
    """Hold the writers' lock until the test has done."""
    with ts.attach("car") as car, car.lock():
        pipe.send("held")
        pipe.recv()


def test_a_lock_that_is_held_ends_with_4_and_names_the_holder() -> None:
    with ts.share("car", everything()) as car, Child(hold) as holder:
        holder.expect("held")
        done = run_here("set", "car", "count=8", "--timeout", "0.1")
        assert done.returncode == 4
        assert f"process {holder.pid}" in done.stderr
        wrong = run_here("set", "car", "count=-8", "--timeout", "60")
        assert wrong.returncode == 2, "values are checked before the lock is taken"
        holder.send()
        holder.join()
        assert car.version == 1


def test_a_name_that_is_not_there_exits_with_3() -> None:
    with ts.share("car", everything()):
        done = run_here("set", "carr", "count=1")
    assert done.returncode == 3
    assert "did you mean 'car'?" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
@pytest.mark.skipif(marks.ROOT, reason="root may write all")
def test_a_region_that_may_only_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.region"
    ts.share(path, np.zeros(3)).close()
    path.chmod(0o400)
    assert run_here("set", str(path), "[0]=1").returncode == 5


def test_arrays_of_structs_take_lists_of_objects() -> None:
    with ts.create("poses", ts.array(Pose, 2, 2)) as poses:
        poses.write(ts.array(Pose, 2, 2).zeros())
        assert run_here("set", "poses", '[0]=[{"x": 1}, {"label": "b"}]', "[1,1].x=4").returncode == 0
        value: Any = poses.read()
        assert [[pose.x for pose in row] for row in value] == [[1, 0], [0, 4]]
        assert value[0, 1].label == "b"


@pytest.mark.parametrize(
    ("text", "array"),
    [
        ("array=[1,2,3,4]", [1, 2, 3, 4]),
        ("array=[]", []),
        ("array=7", [7, 7]),
        ("array+=1", [2, 3]),
        ("[1]=9", [1, 9]),
    ],
)
def test_a_bare_array_gets_the_shape_that_is_set(text: str, array: list[int]) -> None:
    with ts.create("numbers", ts.array(np.int32, ts.UpTo(4))) as region:
        region.write(np.array([1, 2], np.int32))
        done = typedshm("set", "numbers", text)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("numbers: version 2\n")
        assert region.read().tolist() == array
        assert region.version == 2
        for too_much in ("array=[1,2,3,4,5]", "[4]=1"):
            assert typedshm("set", "numbers", too_much).returncode == 2
        assert region.version == 2


class Box(ts.Struct):
    x: ts.u8


class Frame(ts.Struct):
    counts: Annotated[NDArray[np.uint8], ts.UpTo(4)]
    matrix: Annotated[NDArray[np.float64], ts.UpTo(3, 4)]
    boxes: Annotated[NDArray[np.void], ts.UpTo(2, 3, of=Box)]


@pytest.mark.parametrize(
    ("text", "used", "found"),
    [
        ("counts+=[1,2,3]", "2", "3"),
        ("counts-=[1]", "2", "1"),
        ("matrix+=[[1,2]]", "1 x 3", "1 x 2"),
        ("matrix[0]=[1,2]", "3", "2"),
        ("matrix[0]+=[1,2,3,4]", "3", "4"),
        ('boxes[0]=[{"x": 1}]', "2", "1"),
    ],
)
def test_a_list_of_another_shape_than_what_is_used_is_refused(text: str, used: str, found: str) -> None:
    value = Frame(counts=[1, 2], matrix=[[1, 2, 3]], boxes=[[Box(x=1), Box(x=2)]])
    with ts.share("frame", value) as frame:
        done = run_here("set", "frame", text)
        assert done.returncode == 2, done
        assert f"expected a list of {used} items, which are used, found {found}" in done.stderr
        assert frame.read() == value
        assert run_here("set", "frame", 'boxes[0]=[{"x": 3}, {"x": 4}]', "matrix[0]=[4,5,6]").returncode == 0
        assert [box.x for box in frame.read().boxes[0]] == [3, 4]
        assert frame.read().matrix.tolist() == [[4, 5, 6]]


def test_what_has_no_items_can_be_added_to() -> None:
    with ts.share("frame", Frame.zero()) as frame:
        assert run_here("set", "frame", "counts+=1", "matrix-=2").returncode == 0
        assert frame.read() == Frame.zero()


def test_negative_indices_count_from_the_last_item_that_is_used() -> None:
    with ts.share("frame", Frame(counts=[1, 2], matrix=[[1, 2, 3], [4, 5, 6]], boxes=[])) as frame:
        assert run_here("set", "frame", "counts[-1]=9", "matrix[-1,-2]=8", "matrix[-2]=0").returncode == 0
        assert frame.read().counts.tolist() == [1, 9]
        assert frame.read().matrix.tolist() == [[0, 0, 0], [4, 8, 6]]
        assert run_here("show", "frame.counts[-1]").stdout.endswith("[-1]  9\n")
        refused = run_here("set", "frame", "counts[-3]=1")
        assert refused.returncode == 2
        assert "one of the 2 items that are used, found [-3]" in refused.stderr
