"""wait(), next() and follow() of other programs' memory: through restarts, without spinning, and never for too long."""

import asyncio
import math
import os
import secrets
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE
from helpers.small_documents import layout_of, one_source
from typedshm import Struct, foreign, u32
from typedshm.foreign.pace import Pace
from typedshm.foreign.state import State

SHM = Path("/dev/shm")
sysv = marks.not_on_windows("it has no System V segments")


class Head(Struct):
    sequence: u32
    tick: u32
    value: u32


TICK = foreign.Still("tick")


def head(tick: int, value: int, sequence: int = 0) -> bytes:
    return bytes(Head(sequence=sequence, tick=tick, value=value))


def put(memory: Path, tick: int, value: int, sequence: int = 0) -> None:
    """Store a head in the place of what is there."""
    memory.touch()
    with memory.open("r+b") as file:
        file.write(head(tick, value, sequence))


def replace(memory: Path, tick: int, value: int) -> None:
    """Put a new file in the place of the old one, as a program does that starts anew."""
    new = memory.with_name("new")
    new.write_bytes(head(tick, value))
    os.replace(new, memory)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture(params=["file", pytest.param("segment", marks=sysv)])
def address(request: pytest.FixtureRequest, memory: Path) -> Path | foreign.SysV:
    return memory if request.param == "file" else foreign.SysV(secrets.randbits(30) | 1 << 30)


replaces_files = pytest.mark.skipif(
    sys.platform == "win32", reason="a file that is mapped can be neither replaced nor removed there"
)

# ---- restarts ----


@replaces_files
def test_each_new_start_of_a_program_is_followed(address: Path | foreign.SysV) -> None:
    values, restarts = [], []
    with foreign.Publisher(address, Head, consistent=TICK) as publisher:
        publisher.write({"value": 0})
        region = foreign.attach(address, Head, consistent=TICK)
        follower = region.follow(timeout=PATIENCE)
        values.append(next(follower).value)
    for start in (1, 2, 3):
        assert region.state is State.ABSENT
        with foreign.Publisher(address, Head, consistent=TICK) as publisher:
            publisher.write({"value": 10 * start})  # with the same tick as before
            values.append(next(follower).value)
            publisher.write({"value": 10 * start + 1})
            values.append(next(follower).value)
            restarts.append(region.info().restarts)
    assert values == [0, 10, 11, 20, 21, 30, 31]
    assert restarts == [1, 2, 3]
    assert follower.count == 7
    region.close()
    assert list(follower) == []


@replaces_files
def test_a_file_that_is_replaced_at_once_is_followed(memory: Path) -> None:
    put(memory, 5, 0)
    with foreign.attach(memory, Head, consistent=TICK) as region:
        assert region.wait(timeout=PATIENCE).value == 0
        for value in (1, 2, 3):
            replace(memory, 5, value)
            assert region.wait(timeout=PATIENCE).value == value
        assert region.info().restarts == 3


@replaces_files
def test_memory_that_appears_ends_a_wait_for_it(address: Path | foreign.SysV) -> None:
    started = threading.Event()

    def publish() -> None:
        started.wait(PATIENCE)
        publisher = foreign.Publisher(address, Head, consistent=TICK)
        publisher.write({"value": 1})
        ready.append(publisher)

    ready: list[foreign.Publisher] = []
    thread = threading.Thread(target=publish)
    thread.start()
    started.set()
    with foreign.attach(address, Head, consistent=TICK, timeout=PATIENCE) as region:
        assert region.wait(timeout=PATIENCE).value in (0, 1)
        thread.join()
        ready[0].close()
        assert region.state is State.ABSENT
        thread = threading.Thread(target=publish)
        thread.start()
        assert region.wait(timeout=PATIENCE).value in (0, 1)
        thread.join()
        ready[1].close()


# ---- nothing is made, nothing is written ----


@pytest.mark.parametrize("writable", [False, True])
def test_a_name_that_leads_nowhere_is_left_as_it_is(tmp_path: Path, writable: bool) -> None:
    name = f"proof-{secrets.token_hex(8)}"
    key = secrets.randbits(30) | 1 << 30
    for place in (name, tmp_path / "memory", tmp_path / "no" / "folder", foreign.SysV(key)):
        for timeout in (0, 0.01):
            with pytest.raises((typedshm.RegionNotFound, typedshm.Timeout)):
                foreign.attach(place, Head, writable=writable, timeout=timeout)
    with pytest.raises(typedshm.RegionRefused):
        foreign.attach(foreign.Descriptor(2**20), Head, writable=writable)
    assert not list(tmp_path.iterdir())
    assert not SHM.exists() or name not in os.listdir(SHM)
    if Path("/proc/sysvipc/shm").exists():
        keys = [line.split()[0] for line in Path("/proc/sysvipc/shm").read_text().splitlines()]
        assert str(key) not in keys


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc/self/maps here")
@pytest.mark.parametrize("writable", [False, True])
def test_memory_is_mapped_and_opened_to_read_unless_asked(address: Path | foreign.SysV, writable: bool) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with foreign.Publisher(address, Head) as publisher:
        publisher.write({"value": 1})
        between = set(os.listdir("/proc/self/fd"))
        with foreign.attach(address, Head, writable=writable) as region:
            assert region.read().value == 1
            text = str(address) if isinstance(address, Path) else f"SYSV{address.key:08x}"
            rights = [line.split()[1] for line in Path("/proc/self/maps").read_text().splitlines() if text in line]
            assert sorted(rights) == sorted(["rw-s", "rw-s" if writable else "r--s"])
            for fd in set(os.listdir("/proc/self/fd")) - between - before:
                if Path(f"/proc/self/fd/{fd}").exists():
                    flags = int(Path(f"/proc/self/fdinfo/{fd}").read_text().split()[3], 8)
                    assert flags & os.O_ACCMODE == (os.O_RDWR if writable else os.O_RDONLY)
            if not writable:
                with pytest.raises(typedshm.ReadOnly):
                    region.write({"value": 2})


# ---- publishers that stand still, or in the middle ----


def test_a_coroutine_is_not_held_up_by_a_publisher_that_stands_in_an_update(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(memory, 1, 7, sequence=1)
    with foreign.attach(memory, Head, consistent=foreign.Parity("sequence")) as region:
        monkeypatch.setattr("typedshm.foreign.section_reader.time.sleep", None)

        async def wait() -> None:
            with pytest.raises(typedshm.Timeout):
                await region.next(timeout=0.05)
            put(memory, 1, 7, sequence=2)
            assert (await region.next(timeout=PATIENCE)).value == 7

        asyncio.run(wait())
        assert region.info().torn == 0


def test_a_publisher_that_stands_in_an_update_is_told_from_one_that_never_rests(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(memory, 1, 7, sequence=1)
    with foreign.attach(memory, Head, consistent=foreign.Parity("sequence")) as region:
        reader = region._readers["memory"]
        monkeypatch.setattr("typedshm.foreign.section_reader.PATIENCE", 0.05)
        with pytest.raises(typedshm.TornWrite, match="in the middle of an update"):
            reader.capture(0.1)
        assert region.info().torn == 1
        with pytest.raises(typedshm.Overrun):
            reader.capture(0)
        put(memory, 1, 7, sequence=2)
        assert region.read().value == 7

        calls = iter(range(2, 10**9, 2))  # an update for each look
        monkeypatch.setattr(foreign.Parity, "attempt", lambda self, access, gather: put(memory, 1, 7, next(calls)))
        with pytest.raises(typedshm.Overrun, match="faster than it can be copied"):
            reader.capture(0.1)


def test_a_wait_tells_of_contradictions_that_last(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"name": "rows", "layout": layout_of(Head), "offset": 12, "count": "value"}
    memory.write_bytes(head(1, 1000) + bytes(24))
    with foreign.attach(one_source(Head, {"kind": "still", "tick": "tick"}, at=memory, parts=[rows])) as region:
        with pytest.raises(typedshm.Timeout):
            region.wait(timeout=0.01)
        monkeypatch.setattr("typedshm.foreign.section_reader.PATIENCE", 0.02)
        with pytest.raises(typedshm.RegionCorrupt, match="rows: expected bytes within the 36 of the memory"):
            region.wait(timeout=PATIENCE)
        put(memory, 2, 2)
        assert len(region.wait(timeout=PATIENCE).rows) == 2


def test_an_age_is_a_bound_that_a_standing_publisher_exceeds(memory: Path) -> None:
    put(memory, 1, 7)
    with foreign.attach(memory, Head, consistent=TICK) as region:
        assert region.read(max_age=60).value == 7
        reader = region._readers["memory"]
        assert reader.changed_at is not None
        reader.changed_at -= 100
        with pytest.raises(typedshm.Stale, match="at most 60 s"):
            region.read(max_age=60)
        put(memory, 2, 8)
        assert region.read(max_age=60).value == 8


@pytest.mark.parametrize("call", ["wait", "follow", "attach"])
def test_times_that_are_none_are_refused(memory: Path, call: str) -> None:
    put(memory, 1, 7)
    with foreign.attach(memory, Head) as region:
        verbs = {
            "wait": lambda: region.wait(timeout="soon"),  # type: ignore[arg-type]
            "follow": lambda: region.follow(timeout=[1]),  # type: ignore[arg-type]
            "attach": lambda: foreign.attach(memory, Head, timeout=-1),
        }
        with pytest.raises((TypeError, ValueError), match="timeout"):
            verbs[call]()
        with pytest.raises(ValueError, match="sources: expected one of memory"):
            region.read("memry")


def test_a_borrowed_value_is_a_copy(memory: Path) -> None:
    put(memory, 1, 7)
    with foreign.attach(memory, Head) as region:
        with region.borrow() as value:
            put(memory, 2, 8)
            assert value.value == 7
        assert region.read().value == 8


# ---- handles that are closed ----


def test_a_loop_ends_when_another_thread_closes_the_handle(memory: Path) -> None:
    put(memory, 1, 0)
    errors: list[BaseException] = []

    def follow(region: "foreign.ForeignRegion[Head]", first: threading.Event) -> None:
        try:
            for _ in region.follow():
                first.set()
        except BaseException as error:
            errors.append(error)

    for tick in range(2, 22):
        region = foreign.attach(memory, Head, consistent=TICK)
        first = threading.Event()
        thread = threading.Thread(target=follow, args=(region, first))
        thread.start()
        assert first.wait(PATIENCE)
        put(memory, tick, tick)
        region.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert not region._readers["memory"].is_open
    assert errors == []


def test_a_handle_that_is_closed_opens_nothing_again(memory: Path) -> None:
    put(memory, 1, 0)
    region = foreign.attach(memory, Head)
    reader = region._readers["memory"]
    region.close()
    region.close()
    with pytest.raises(typedshm.RegionNotFound):
        reader.open()  # as by a thread that has been stopped right before it
    assert not reader.is_open
    for verb in (region.read, region.wait, region.follow, region.info):
        with pytest.raises(typedshm.Closed):
            verb()


@replaces_files
def test_coroutines_follow_until_the_handle_is_closed(memory: Path) -> None:
    put(memory, 1, 0)
    seen = []

    async def follow(region: "foreign.ForeignRegion[Head]") -> None:
        async for value in region:
            seen.append(value.value)
            if value.value == 3:
                region.close()
            else:
                replace(memory, 1, value.value + 1)

    asyncio.run(asyncio.wait_for(follow(foreign.attach(memory, Head, consistent=TICK)), PATIENCE))
    assert seen == [0, 1, 2, 3]


# ---- pace ----


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr("typedshm.foreign.pace.time", clock)
    return clock


def looks(pace: Pace, clock: SimpleNamespace, span: float) -> int:
    """How often it looks within a time in which nothing is published."""
    end, number = clock.now + span, 0
    while clock.now < end:
        pause = pace.pause()
        assert pause > 0
        clock.now += pause
        pace.looked(news=False)
        number += 1
    return number


def test_nobody_looks_often_at_memory_in_which_nothing_happens(clock: SimpleNamespace) -> None:
    pace = Pace(TICK)
    assert looks(pace, clock, 10) < 1100
    pace.changed()
    assert looks(pace, clock, 10) < 1100
    assert pace.period is None  # since when the first value was there is not known
    pace.changed()
    assert pace.period is None
    assert looks(pace, clock, 10) < 1100
    pace.changed()
    assert pace.period == pytest.approx(10, rel=0.01)
    assert looks(pace, clock, 10 - 0.002) < 250  # until the next is due
    assert looks(pace, clock, 10) < 1100  # which never comes


def follow_at(clock: SimpleNamespace, pace: Pace, period: float, updates: int, late: float) -> None:
    """Follow a publisher by looks that come late, by up to so many seconds."""
    begun, seen, number = clock.now, 0, 0
    while number < updates:
        clock.now += pace.pause() + late * (0.5 + 0.5 * math.sin(number))
        number = int((clock.now - begun) / period)
        if number > seen:
            pace.changed()
            seen = number
        else:
            pace.looked(news=False)


@pytest.mark.parametrize("frequency", [1, 60, 100, 333, 500])
@pytest.mark.parametrize("late", [0.0, 0.0001, 0.0003])
def test_the_period_is_that_of_the_publisher(clock: SimpleNamespace, frequency: int, late: float) -> None:
    pace = Pace(TICK)
    pace.changed()
    follow_at(clock, pace, 1 / frequency, 100, late)
    assert pace.period == pytest.approx(1 / frequency, rel=0.1)
    if frequency < 500:
        follow_at(clock, pace, 3 / frequency, 40, late)
        assert pace.period == pytest.approx(3 / frequency, rel=0.1)


@pytest.mark.parametrize("frequency", [1_500, 2_000, 10_000, 1_000_000])
def test_no_period_is_told_of_updates_that_looks_cannot_tell_apart(clock: SimpleNamespace, frequency: int) -> None:
    pace = Pace(TICK)
    pace.changed()
    for _ in range(20):
        follow_at(clock, pace, 1 / frequency, 100, 0.0001)
        assert pace.period is None


def test_the_time_of_reads_is_not_that_of_updates(clock: SimpleNamespace) -> None:
    pace = Pace(TICK)
    for _ in range(100):  # at 60 Hz, looked at once a second
        clock.now += 1
        pace.changed()
    assert pace.period is None


def test_a_tick_that_is_stored_first_is_read_late_and_timed_when_it_was_seen(clock: SimpleNamespace) -> None:
    pace = Pace(foreign.Still("tick", "first"))
    pace.changed()
    begun, seen = clock.now, 0
    for _ in range(2000):
        clock.now += pace.pause()
        number = int((clock.now - begun) * 50)
        pace.looked(news=number > seen)
        if number > seen:
            clock.now += pace.settling
            pace.changed()
            seen = number
    assert pace.settling == pytest.approx(0.7 / 50, rel=0.05)
    assert pace.period == pytest.approx(1 / 50, rel=0.05)


@pytest.mark.parametrize("frequency", [60, 333, 1000])
def test_a_regular_publisher_is_looked_at_when_its_update_is_due(clock: SimpleNamespace, frequency: int) -> None:
    pace, period = Pace(TICK), 1 / frequency
    due, seen, late, number = clock.now + period, 0, 0.0, 0
    while seen < 1000:
        clock.now += pace.pause()
        number += 1
        if clock.now >= due:
            late = max(late, clock.now - due) if seen > 50 else 0.0
            pace.changed()
            seen += 1
            due += period * (1 + int((clock.now - due) / period))
        else:
            pace.looked(news=False)
    assert late <= 0.00051
    assert number < 5 * seen
