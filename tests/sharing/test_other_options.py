"""open() of a region that was made with other options than are asked for warns, once for each handle."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks, peers
from helpers.peers import Child
from typedshm import Region, RegionWarning, Struct, Topic, u64
from typedshm.testing.inspection import attachment_of


class Tick(Struct):
    tick: u64


class Tock(Struct):
    tock: u64


def by_function(**options: Any) -> Region[Tick]:
    return typedshm.open("tick", Tick, **options)


def by_topic(**options: Any) -> Region[Tick]:
    return Topic("tick", Tick, **options).open()


def by_call(**options: Any) -> Region[Tick]:
    return Topic("tick", Tick, slots=9, mode=0o600).open(**options)


Way = Callable[..., Region[Tick]]


@pytest.fixture(params=[by_function, by_topic, by_call], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with typedshm.create("tick", Tick, slots=4, mode=0o640):
        yield request.param


WORDS = (
    r"^region 'tick' exists already, and is used as it is: expected slots=8, found 4; expected mode=0o600, found "
    r"0o640\. It is open in this process\. Ask for the same everywhere, or leave out slots= and mode= to take what "
    r"there is; once no process has it open, open\(\) makes it as asked for$"
)


def test_the_warning_has_both_values_and_what_to_do(way: Way) -> None:
    with pytest.warns(RegionWarning, match=WORDS) as told:
        region = way(slots=8, mode=0o600)
    with region:
        region.write(Tick(tick=1))
        assert region.read().tick == 1
        assert region.info().slots == 4
    assert len(told) == 1
    assert told[0].filename == __file__
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[told[0].lineno - 1]
    assert re.search(r"\bopen\(|\.open\(", line)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slots": 3, "mode": 0o640}, r"expected slots=3, found 4\..* leave out slots= to take"),
        ({"slots": 4, "mode": 0o600}, r"expected mode=0o600, found 0o640\..* leave out mode= to take"),
    ],
)
def test_only_what_differs_is_told(way: Way, options: dict[str, int], words: str) -> None:
    with pytest.warns(RegionWarning, match=f"as it is: {words}"), way(**options):
        pass


@pytest.mark.parametrize("there", [False, True])
def test_lossless_is_told_where_it_was_asked_for(there: bool) -> None:
    words = f"expected lossless={not there}, found lossless={there}\\..* leave out lossless= to take"
    with typedshm.create("tick", Tick, slots=4, lossless=there):
        for way in (lambda **o: typedshm.open("tick", Tick, **o), lambda **o: Topic("tick", Tick, **o).open()):
            with way() as region, way(lossless=there, slots=4) as other:
                assert region.info().lossless is other.info().lossless is there
            with pytest.warns(RegionWarning, match=words), way(lossless=not there):
                pass


def test_each_handle_is_told_for(way: Way) -> None:
    for _ in range(2):
        with pytest.warns(RegionWarning) as told, way(slots=8, mode=0o640):
            pass
        assert len(told) == 1


def test_what_was_asked_for_and_is_there_is_no_difference(way: Way) -> None:
    with way(slots=4, mode=0o640) as region:
        assert region.info().slots == 4


def test_who_asks_for_nothing_takes_what_there_is() -> None:
    topic = Topic("tick", Tick)
    with typedshm.create("tick", Tick, slots=4, mode=0o640), topic.open() as region, typedshm.open("tick", Tick):
        assert region.info().slots == 4


def test_attach_takes_what_there_is() -> None:
    with typedshm.create("tick", Tick, slots=4), Topic("tick", Tick, slots=8).attach() as region:
        assert region.info().slots == 4


def test_who_makes_the_region_gets_what_was_asked_for() -> None:
    with typedshm.open("tick", Tick) as region:
        assert region.info().slots == 3
    with Topic("tick", Tick, slots=8, mode=0o640).open() as region:
        assert region.info().slots == 8


def test_another_layout_is_told_alone(way: Way) -> None:
    with pytest.raises(typedshm.LayoutMismatch):
        typedshm.open("tick", Tock, slots=8)


def test_where_warnings_are_errors_no_handle_stays_open(way: Way) -> None:
    # the tests' own filter makes an error of it
    with pytest.raises(RegionWarning):
        way(slots=8)
    with pytest.raises(RegionWarning) as caught:
        way(mode=0o600)
    with typedshm.attach("tick", Tick) as region:
        assert attachment_of(region).handles == 2
    del caught


def hold(pipe: Any) -> None:
    with Topic("tick", Tick, slots=4).create():
        pipe.send("held")
        pipe.recv()


def test_the_processes_that_have_it_open_are_named() -> None:
    with Child(hold) as child:
        child.expect("held")
        with pytest.warns(RegionWarning, match=rf"It is open in process {child.pid} \("):
            by_topic(slots=8).close()
        child.send()
    with by_topic(slots=8) as region:  # as the message says
        assert region.info().slots == 8


def test_a_region_in_a_file_is_unlinked_first(tmp_path: Path) -> None:
    topic = Topic(tmp_path / "tick", Tick, slots=8)
    typedshm.create(tmp_path / "tick", Tick, slots=4).close()
    words = r"expected slots=8, found 4\. Ask for .*; once no process has it open, and it is unlinked, open\(\) makes"
    with pytest.warns(RegionWarning, match=words):
        topic.open().close()
    topic.unlink(unused=True)
    with topic.open() as region:
        assert region.info().slots == 8


@marks.permission_bits
def test_so_is_a_file_with_another_mode(tmp_path: Path) -> None:
    typedshm.create(tmp_path / "tick", Tick, mode=0o644).close()
    with pytest.warns(RegionWarning, match="expected mode=0o600, found 0o644"):
        typedshm.open(tmp_path / "tick", Tick, mode=0o600).close()


@marks.permission_bits
def test_so_is_an_empty_file_with_another_mode_that_becomes_the_region(tmp_path: Path) -> None:
    path = tmp_path / "tick"
    path.touch()
    path.chmod(0o644)
    with pytest.warns(RegionWarning, match="expected mode=0o600, found 0o644"):
        typedshm.open(path, Tick, slots=8, mode=0o600).close()


def test_a_script_sees_its_own_line_once() -> None:
    script = """if True:
        import typedshm
        with typedshm.create("lut", typedshm.array("u1", 2)):
            for _ in range(3):
                typedshm.Topic("lut", typedshm.array("u1", 2), slots=8).open().close()
    """
    done = peers.run_script(script.replace("if True:", "import warnings; warnings.simplefilter('default')\nif True:"))
    assert done.returncode == 0
    assert done.stderr.count("RegionWarning: region 'lut' exists already") == 1
    assert done.stderr.startswith("<string>:6: RegionWarning")
