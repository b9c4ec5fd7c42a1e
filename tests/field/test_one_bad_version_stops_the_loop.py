"""A version that cannot be decoded raises its error once in each loop, which then goes on behind it."""

import asyncio
import dataclasses
import dis
import enum
import itertools
import operator
import signal
import sys
from typing import Annotated

import numpy as np
import pytest
from pydantic import BaseModel

import typedshm
from helpers.loops import LOOPS, loop_of
from helpers.peers import ALARM, PATIENCE
from helpers.shared_types import Record, record
from helpers.wire import Wire
from typedshm import Scalar, Utf8, u64
from typedshm.region import following
from typedshm.schema.resolve import schema_of
from typedshm.sharing import options


class Gear(enum.IntEnum):
    NEUTRAL = 0
    FIRST = 1


@dataclasses.dataclass
class Car:
    number: u64
    gear: Annotated[Gear, Scalar("u1")] = Gear.FIRST


class Reading(BaseModel):
    number: u64
    sensor: Annotated[str, Utf8(8)] = "oven"


BAD = {Car: ("number", "gear"), Reading: ("number", "sensor")}


@pytest.fixture(params=BAD, ids=lambda cls: cls.__name__)
def schema(request):
    return request.param


@pytest.fixture
def region(schema):
    with typedshm.create("numbers", schema, slots=8) as region:
        yield region


def write(region, *numbers):
    """Write versions; a negative number one that no instance of the schema has, as another program could."""
    for number in numbers:
        with typedshm.attach("numbers") as anybody, anybody.update() as t:
            words = np.frombuffer(t, np.uint8)
            words[:] = 0
            t.number = abs(number)
            if number < 0:
                words[8:12] = 255


def steps(follower, count):
    """What so many steps come to: numbers, and of errors their versions."""
    for _ in range(count):
        try:
            yield next(follower).number
        except typedshm.Timeout:
            yield "timeout"
        except Exception as error:
            yield told(error)


def told(error):
    (note,) = error.__notes__
    assert "region 'numbers'" in note
    return f"bad {note.split()[2]}"


# ---- the loops -----------------------------------------------------------------------------------------------------


def test_every_version_but_the_bad_one_is_yielded(region):
    write(region, 1, -2, 3)
    follower = region.follow(every=True, start="oldest", timeout=0)
    assert list(steps(follower, 5)) == [1, "bad 2", 3, "timeout", "timeout"]
    assert (follower.version, follower.dropped, follower.failed, region.dropped) == (3, 0, 1, 0)


def test_the_position_is_that_of_the_bad_version_once_it_was_told(region):
    write(region, 1, -2)
    follower = region.follow(every=True, start=2, timeout=0)
    assert list(steps(follower, 1)) == ["bad 2"]
    assert (follower.version, follower.dropped) == (2, 0)


def test_a_bad_newest_version_is_told_once_and_then_waited_behind(region):
    write(region, -1)
    follower = region.follow(timeout=0)
    assert list(steps(follower, 3)) == ["bad 1", "timeout", "timeout"]
    write(region, 2)
    assert list(steps(follower, 1)) == [2]


def test_several_bad_versions_are_told_one_by_one(region):
    write(region, -1, -2, 3, -4)
    follower = region.follow(every=True, start="oldest", timeout=0)
    assert list(steps(follower, 5)) == ["bad 1", "bad 2", 3, "bad 4", "timeout"]
    assert (follower.failed, follower.dropped) == (3, 0)


def test_missed_versions_are_counted_beside_bad_ones(region):
    write(region, 1)
    follower = region.follow(timeout=0)
    assert next(follower).number == 1
    write(region, 2, 3, -4)
    assert list(steps(follower, 1)) == ["bad 4"]
    write(region, 5, 6)
    assert list(steps(follower, 1)) == [6]
    assert (follower.dropped, follower.failed) == (3, 1)


def test_each_of_several_followers_is_told(region, schema):
    write(region, 1, -2, 3)
    followers = [region.follow(every=True, start="oldest", timeout=0) for _ in range(2)]
    with typedshm.attach("numbers", schema) as other:
        followers.append(other.follow(every=True, start="oldest", timeout=0))
        for follower in followers:
            assert list(steps(follower, 4)) == [1, "bad 2", 3, "timeout"]


def test_a_borrowed_bad_version_is_a_struct_whose_other_fields_are_right(region):
    write(region, 1, -2, 3)
    follower = region.follow(every=True, borrow=True, start="oldest", timeout=0)
    assert list(steps(follower, 3)) == [1, 2, 3]
    assert follower.failed == 0


def test_wait_tells_once_and_then_waits(region):
    write(region, 1, -2)
    with pytest.raises(typedshm.FieldValueError) as caught:
        region.wait(timeout=0)
    assert told(caught.value) == "bad 2"
    with pytest.raises(typedshm.Timeout):
        region.wait(timeout=0)
    write(region, 3)
    assert region.wait(timeout=0).number == 3


def test_read_tells_each_time(region):
    write(region, -1)
    for _ in range(2):
        with pytest.raises(typedshm.FieldValueError) as caught:
            region.read()
        assert told(caught.value) == "bad 1"


@pytest.mark.parametrize("loop", LOOPS)
def test_coroutines_are_told_once(schema, loop):
    loop = loop_of(loop)

    async def main():
        with typedshm.create("numbers", schema, slots=8) as region:
            write(region, 1, -2)
            with pytest.raises(typedshm.FieldValueError) as caught:
                await region.next(timeout=PATIENCE)
            assert told(caught.value) == "bad 2"
            with pytest.raises(typedshm.Timeout):
                await region.next(timeout=0)
            write(region, 3)
            assert (await region.next(timeout=0)).number == 3

            follower, seen = region.follow(every=True, start="oldest", timeout=0), []
            while len(seen) < 4:
                try:
                    seen.extend([t.number async for t in one(follower)])
                except typedshm.Timeout:
                    seen.append("timeout")
                except ValueError as error:
                    seen.append(told(error))
            assert seen == [1, "bad 2", 3, "timeout"]

    async def one(follower):
        async for t in follower:
            yield t
            break

    loop.run(main)


def test_async_for_over_the_region_goes_on_behind_it(region):
    async def main():
        write(region, -1)
        seen = []
        while len(seen) < 2:
            try:
                async for t in region:
                    seen.append(t.number)
                    break
            except ValueError as error:
                seen.append(told(error))
                write(region, 2)
        assert seen == ["bad 1", 2]

    asyncio.run(main())


# ---- what users' code may raise ------------------------------------------------------------------------------------


class Decoding:
    """The schema of Record, with a function that makes the values."""

    def __init__(self, schema, decode):
        self._schema, self.decode = schema, decode

    def __getattr__(self, name):
        return getattr(self._schema, name)


@pytest.fixture
def decoding(monkeypatch):
    """Creates regions of records whose values a function makes of them."""
    regions = []

    def create(decode, slots=4):
        monkeypatch.setattr(options, "schema_of", lambda source: Decoding(schema_of(source), decode))
        regions.append(typedshm.create("numbers", Record, slots=slots))
        return regions[-1]

    yield create
    for region in regions:
        region.close()


class Broken(Exception):
    pass


@pytest.mark.parametrize("kind", [Broken, MemoryError, RecursionError, typedshm.Closed, typedshm.TornWrite, KeyError])
def test_whatever_error_decoding_raises_is_passed(decoding, kind):
    def decode(t):
        if t.a == 2:
            raise kind("two")
        return t.a

    region = decoding(decode)
    for n in (1, 2, 3):
        region.write(record(n))
    follower = region.follow(every=True, start="oldest", timeout=0)
    assert next(follower) == 1
    with pytest.raises(kind, match="two") as caught:
        next(follower)
    assert told(caught.value) == "bad 2"
    assert next(follower) == 3
    assert (follower.dropped, follower.failed) == (0, 1)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [0, 1])
def test_an_exit_is_never_passed_by_for_an_error(decoding, kind, before):
    """A version is decoded once more if that raises an error; Ctrl-C may come in either attempt."""
    attempts = []

    def decode(t):
        attempts.append(t.a)
        if len(attempts) <= before:
            raise Broken
        if len(attempts) == before + 1:
            raise kind("now")
        return t.a

    region = decoding(decode)
    region.write(record(1))
    follower = region.follow(timeout=0)
    with pytest.raises(kind, match="now"):
        next(follower)
    assert follower.failed == 0
    assert next(follower) == 1, "the version was not had yet"


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
def test_an_error_that_would_end_a_loop_ends_none(decoding, kind):
    def decode(t):
        raise kind

    async def step():
        await anext(region.follow())

    region = decoding(decode)
    region.write(record(1))
    for verb in (lambda: next(region.follow()), region.read, lambda: asyncio.run(step())):
        with pytest.raises(RuntimeError, match=f"decoding a value raised {kind.__name__}") as caught:
            verb()
        assert told(caught.value) == "bad 1"
        assert isinstance(caught.value.__cause__, kind)


# ---- signals -------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    """What a program's own handler of a signal raises."""


@pytest.fixture
def handled():
    """Interrupts the code that calls it, once, as a signal does; leaves the handler to the test's end."""

    def handler(number, frame):
        raise kinds.pop()

    kinds = []
    before = signal.signal(ALARM, handler)

    def interrupt(kind):
        kinds.append(kind)
        signal.raise_signal(ALARM)

    yield interrupt
    signal.signal(ALARM, before)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Interrupted])
@pytest.mark.parametrize("verb", ["follow", "follow every", "wait", "next", "follow in a coroutine"])
def test_a_signal_while_a_value_is_decoded_loses_no_version(decoding, handled, kind, verb):
    def decode(t):
        if pending:
            handled(pending.pop())
        return t.a

    async def step():
        return await {"next": region.next, "follow in a coroutine": lambda: anext(follower)}[verb]()

    async def main():
        try:
            await step()
        except kind:
            return await step()

    pending = [kind]
    region = decoding(decode)
    region.timeout = 0
    region.write(record(1))
    follower = region.follow(every=verb != "follow")
    if verb in ("next", "follow in a coroutine"):
        assert asyncio.run(main()) == 1
    else:
        get = region.wait if verb == "wait" else lambda: next(follower)
        with pytest.raises(kind):
            get()
        assert (follower.version, follower.failed, follower.dropped) == (0, 0, 0)
        assert get() == 1
        with pytest.raises(typedshm.Timeout):
            get()
    assert (follower.failed, follower.dropped) == (0, 0)


def test_a_bad_version_that_is_interrupted_is_told_the_next_time(decoding, handled):
    def decode(t):
        if pending:
            handled(pending.pop())
        raise Broken

    pending = [KeyboardInterrupt]
    region = decoding(decode)
    region.write(record(1))
    follower = region.follow(timeout=0)
    for kind in (KeyboardInterrupt, Broken, typedshm.Timeout):
        with pytest.raises(kind):
            next(follower)


class Interruption:
    """Raises Interrupted in a follower's step where Python could run the handler of a signal, the n-th of those."""

    CHECKS = ("CALL", "RESUME", "JUMP_BACKWARD")  # instructions behind which it looks for signals

    def __init__(self, n):
        self.left = n
        self._last = ""

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename != following.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if self._last.startswith(self.CHECKS):
                self.left -= 1
                if not self.left:
                    raise Interrupted
            self._last = dis.opname[frame.f_code.co_code[frame.f_lasti]]
        elif event == "return":
            self._last = ""  # the caller's CALL was this function, at whose end nothing looks
        return self


@pytest.mark.parametrize("borrow", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_a_signal_at_any_moment_of_a_step_loses_no_version(every, borrow):
    """The list takes what it gets without a step of Python in between, in which a value could be lost."""
    got, moments = [], itertools.count(1)
    with typedshm.create("numbers", Record, slots=4) as region:
        follower = region.follow(every=every, borrow=borrow, start=1, timeout=0)
        numbers = map(operator.attrgetter("a"), follower)
        for n in moments:
            region.write(record(n))
            interruption, before = Interruption(n), sys.gettrace()
            sys.settrace(interruption)
            try:
                got.extend(itertools.islice(numbers, 1))
            except Interrupted:
                pass
            finally:
                sys.settrace(before)
            if got[-1:] != [n]:
                got.extend(itertools.islice(numbers, 1))
            if interruption.left > 0:  # the step ended before, if it ran any Python
                break
        assert got == list(range(1, n + 1))
        assert (follower.dropped, follower.failed) == (0, 0)


# ---- the only slot torn --------------------------------------------------------------------------------------------


def tear(wire):
    """Leave the only slot as a writer does that is killed in its middle."""
    wire.slot(0).mark += 1


@pytest.mark.parametrize("readonly", [False, True])
def test_a_torn_version_is_told_once_and_counted_as_missed(readonly):
    with (
        typedshm.create("numbers", Record, slots=1) as writer,
        typedshm.attach("numbers", Record, readonly=readonly) as region,
        Wire("numbers") as wire,
    ):
        writer.write(record(1))
        tear(wire)
        region.timeout = 0
        follower = region.follow()
        with pytest.raises(typedshm.TornWrite):
            next(follower)
        with pytest.raises(typedshm.Timeout):
            next(follower)
        assert (follower.version, follower.dropped, region.dropped) == (1, 1, 1)
        writer.write(record(2))
        assert (next(follower), follower.dropped) == (record(2), 1)


def test_wait_and_next_tell_of_a_torn_version_once():
    async def main():
        with pytest.raises(typedshm.TornWrite):
            await region.next()
        with pytest.raises(typedshm.Timeout):
            await region.next()

    with typedshm.create("numbers", Record, slots=1) as region, Wire("numbers") as wire:
        region.timeout = 0
        region.write(record(1))
        tear(wire)
        with pytest.raises(typedshm.TornWrite):
            region.wait()
        with pytest.raises(typedshm.Timeout):
            region.wait()
        asyncio.run(main())
        region.write(record(2))
        assert region.wait() == record(2)
