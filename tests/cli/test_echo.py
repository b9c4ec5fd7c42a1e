"""``typedshm echo``: a line for each version."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import numpy as np
import pytest

import typedshm as ts
from helpers.peers import Child
from helpers.shared_types import V1, V2, Pose
from helpers.terminal import Pipe, run_here, typedshm
from typedshm.cli.samples import Sample
from typedshm.cli.sources import open_source
from typedshm.cli.streams import Stream
from typedshm.cli.targets import Target


def test_each_line_has_number_time_and_value() -> None:
    with ts.share("pose", Pose(x=1.5, y=-2)):
        done = typedshm("echo", "pose", "-n", "1")
        assert re.fullmatch(r"1  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z  x=1\.5 y=-2\.0\n", done.stdout)
        assert run_here("echo", "pose.y", "-n", "1").stdout.endswith("Z  -2.0\n")


def test_lines_come_as_versions_are_published() -> None:
    with ts.share("pose", Pose(x=0)) as pose, Pipe("echo", "pose", "--json") as echo:
        for x in range(3):
            if x:
                pose.write(Pose(x=x))
            line = json.loads(echo.line())
            assert (line["version"], line["value"]) == (x + 1, {"x": x, "y": 0})
            assert abs(datetime.fromisoformat(line["time"]) - ts.time_of(pose.read())).total_seconds() == 0


def test_the_json_of_a_field_is_that_of_show() -> None:
    with ts.share("table", np.array([[1, np.nan]])):
        line = json.loads(run_here("echo", "table[0]", "--json", "-n", "1").stdout)
        assert line["value"] == [1, "NaN"]
        assert run_here("show", "table[0]", "--json").stdout == '[1.0, "NaN"]\n'


def test_every_version_is_printed_and_the_missed_are_counted() -> None:
    with ts.create("pose", Pose, slots=4) as pose:
        for x in range(10):
            pose.write(Pose(x=x))
        done = run_here("echo", "pose.x", "--every", "--since", "1", "-n", "3")
        lines = [line.split("  ") for line in done.stdout.splitlines()]
        first = int(lines[0][0])
        assert [(int(version), float(x)) for version, _, x in lines] == [(first + n, first - 1 + n) for n in range(3)]
        assert done.stderr == f"typedshm: {first - 1} versions before {first} were dropped\n"


def test_without_every_only_the_newest_is_printed() -> None:
    with ts.create("pose", Pose, slots=8) as pose:
        for x in range(5):
            pose.write(Pose(x=x))
        done = run_here("echo", "pose.x", "--since", "2", "-n", "1")
    assert (done.stdout.split("  ")[0], done.stderr) == ("5", "")


def test_a_version_that_never_was_is_refused() -> None:
    with ts.share("pose", Pose()):
        done = run_here("echo", "pose", "--since", "9")
    assert done.returncode == 1
    assert "expected at most 2 as start" in done.stderr


def test_no_version_in_time_ends_with_4() -> None:
    with ts.share("pose", Pose()):
        done = run_here("echo", "pose", "--timeout", "0.1")
    assert (done.returncode, len(done.stdout.splitlines())) == (4, 1)
    assert done.stderr == "typedshm: pose: no newer version in 0.1 s\n"


def test_an_empty_region_is_waited_for() -> None:
    with ts.create("pose", Pose) as pose, Pipe("echo", "pose", "-n", "1") as echo:
        pose.write(Pose(x=3))
        assert "x=3.0" in echo.line()
        assert echo.end() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for another process")
def test_ctrl_c_ends_it_with_130() -> None:
    with ts.share("pose", Pose()), Pipe("echo", "pose") as echo:
        echo.line()
        echo.interrupt()
        assert echo.end() == 130
        assert echo.complaint() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no error of its own for a closed pipe")
def test_a_pipe_that_is_closed_ends_it_quietly() -> None:
    with ts.share("pose", Pose()) as pose:
        process = subprocess.Popen(
            [sys.executable, "-m", "typedshm", "echo", "pose"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        while process.poll() is None:
            pose.write(Pose())
        assert process.stderr is not None
        with process.stderr:
            assert process.stderr.read() == b""
        assert process.returncode == 141


def test_it_goes_on_after_the_region_was_replaced() -> None:
    with ts.share("car", V1(tick=1)), Pipe("echo", "car") as echo:
        assert "tick=1" in echo.line()
        ts.unlink("car")
        with ts.share("car", V2(tick=2, speed=3.0)) as car:
            assert "tick=2 speed=3.0" in echo.line()
            assert echo.complaint() == "typedshm: car was replaced; going on with what has its name now"
            car.write(V2(tick=3))
            assert echo.line().startswith("2  ")
            echo.kill()  # while somebody else has the region, as the last to leave removes it


def test_it_leaves_a_region_that_nobody_writes_and_goes_on_when_it_is_back() -> None:
    with ts.share("car", V1(tick=1)) as car, Pipe("echo", "car") as echo:
        assert "tick=1" in echo.line()
        car.close()
        assert echo.complaint() == "typedshm: car has no writer any more; waiting until it is back"
        with ts.create("car", V1) as again:  # which an open region would refuse
            again.write(V1(tick=7))
            assert echo.complaint() == "typedshm: car is back"
            assert "tick=7" in echo.line()
            echo.kill()


def test_it_stays_with_a_region_whose_name_was_taken_away() -> None:
    with ts.share("car", V1(tick=1)) as car, Pipe("echo", "car", "--timeout", "60") as echo:
        assert "tick=1" in echo.line()
        ts.unlink("car")
        with pytest.warns(ts.RegionWarning):
            car.write(V1(tick=2))
        assert "tick=2" in echo.line()
        echo.kill()


def test_a_field_that_a_later_region_has_not_ends_it_with_2() -> None:
    with ts.share("car", V2(tick=1, speed=2.0)), Pipe("echo", "car.speed") as echo:
        echo.line()
        ts.unlink("car")
        with ts.share("car", V1(tick=2)):
            assert echo.end() == 2


def test_bare_arrays_have_exact_versions_and_times() -> None:
    with ts.create("table", ts.array(np.int64, 4), slots=8) as table:
        times = {}
        for number in range(1, 4):
            table.write(np.full(4, number))
            times[number] = table.info().published
        done = run_here("echo", "table", "--json", "-n", "1")
        line = json.loads(done.stdout)
        assert (line["version"], line["value"]) == (3, [3] * 4)
        assert datetime.fromisoformat(line["time"]) == times[3]


def write_on(pipe: Connection) -> None:
    """Write arrays that say which version they are, as fast as it goes."""
    with ts.attach("table") as table:
        number = table.version
        pipe.send("writing")
        while not pipe.poll():
            number += 1
            table.write(np.full(1000, number))


def test_versions_of_bare_arrays_are_right_beside_a_busy_writer() -> None:
    with ts.share("table", np.ones(1000, np.int64)), Child(write_on) as writer:
        writer.expect("writing")
        source = open_source(Target("table", None))
        before, after = None, 0
        for every in [False, True] * 200:
            sample = source.wait(after, 60, every=every)
            assert sample is not None
            assert sample.value.min() == sample.value.max() == sample.version > after
            assert before is None or sample.published >= before
            before, after = sample.published, sample.version
        source.close()
        writer.send("done")


class Flaky:
    """A source that fails as it is told before it has a version."""

    label, instance, version = "car", "0", 0
    layout = V1.layout

    def __init__(self, *answers: "Sample | Exception | None") -> None:
        self.answers, self.closed = list(answers), False

    def read(self) -> "Sample | None":
        return self.wait(0, 0)

    def wait(self, after: int, timeout: "float | None", *, every: bool = False) -> "Sample | None":
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def is_current(self) -> bool:
        return True

    def is_abandoned(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


SAMPLE = Sample(3, datetime.now(UTC), V1(tick=3))


def test_a_stream_goes_on_after_what_may_pass(capsys: pytest.CaptureFixture[str]) -> None:
    source = Flaky(ts.Overrun("written too fast"), ts.TornWrite("half written"), None, SAMPLE)
    stream = Stream(Target("car", None), source)
    assert stream.next() == SAMPLE
    assert stream.dropped == 2
    assert capsys.readouterr().err == "typedshm: written too fast\ntypedshm: half written\n"


@pytest.mark.parametrize("answer", [ts.RegionLost("lost"), ts.RegionReplaced("replaced")])
def test_a_stream_whose_source_does_not_come_back_ends_in_time(
    answer: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Flaky(answer)
    assert Stream(Target("car", None), source).next(timeout=0.01) is None
    assert source.closed
    assert capsys.readouterr().err.endswith("; waiting until it is back\n")
