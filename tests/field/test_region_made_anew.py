"""A region that is unlinked and made again: whoever waits for the old one, or writes to it, is told."""

import asyncio
import contextlib
import importlib
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.loops import LOOPS, loop_of
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import V1, V2, Record, record
from helpers.threads import InThread
from typedshm.testing.inspection import attach_apart


@pytest.fixture(params=["named", "file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return "region" if request.param == "named" else tmp_path / "region"


def replaced(verb: Callable[[], object]) -> typedshm.RegionReplaced:
    """Call a verb until it says what has happened."""
    errors: list[typedshm.RegionReplaced] = []

    def call() -> bool:
        try:
            verb()
        except typedshm.Timeout:
            pass
        except typedshm.RegionReplaced as error:
            errors.append(error)
        return bool(errors)

    until(call)
    return errors[0]


def enter(block: Any) -> None:
    with block:
        pass


VERBS: dict[str, Callable[["typedshm.Region[V1]"], object]] = {
    "write": lambda region: region.write(V1(tick=1)),
    "update": lambda region: enter(region.update()),
    "loan": lambda region: enter(region.loan()),
    "lock": lambda region: enter(region.lock()),
    "wait": lambda region: region.wait(timeout=PATIENCE),
    "wait, but not for long": lambda region: region.wait(timeout=0),
    "follow": lambda region: next(region.follow(start=region.version + 1)),
}
READING = ("wait", "wait, but not for long", "follow")


@pytest.mark.parametrize("verb", VERBS)
def test_whoever_waits_or_writes_is_told(name: Any, verb: str) -> None:
    with typedshm.create(name, V1) as writer, attach_apart(name, V1) as reader:
        writer.write(V1(tick=1))
        reader.read()
        typedshm.unlink(name)
        with typedshm.create(name, V2) as new:
            new.write(V2(tick=10))
            error = replaced(lambda: VERBS[verb](reader))
            assert isinstance(error, typedshm.RegionLost)
            words = str(error)
            assert words.startswith(f"region {str(name)!r} was replaced")
            assert "speed" in words, "the difference of the layouts"
            assert "region.reattach()" in words
            with pytest.raises(typedshm.RegionReplaced):
                VERBS[verb](reader)
            assert reader.read().tick <= 1, "what was there can be read"
            assert new.version == 1


@pytest.mark.parametrize("verb", READING)
def test_a_reader_without_the_right_to_write_is_told_too(name: Any, verb: str) -> None:
    with typedshm.create(name, V1), attach_apart(name, V1, readonly=True) as reader:
        typedshm.unlink(name)
        with typedshm.create(name, V1):
            assert "another layout" not in str(replaced(lambda: VERBS[verb](reader)))


FOR_EVER: dict[str, Callable[["typedshm.Region[V1]"], object]] = {
    "wait": lambda region: region.wait(timeout=None),
    "follow": lambda region: next(region.follow(timeout=None)),
    "next": lambda region: asyncio.run(region.next(timeout=None)),
    "async for": lambda region: asyncio.run(anext(region.follow(timeout=None))),
}


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("verb", FOR_EVER)
def test_who_waits_for_ever_is_told_before_that(name: Any, verb: str, readonly: bool) -> None:
    with typedshm.create(name, V1), attach_apart(name, V1, readonly=readonly) as reader:
        waiting = InThread(FOR_EVER[verb], reader)
        typedshm.unlink(name)
        with typedshm.create(name, V1), pytest.raises(typedshm.RegionReplaced):
            waiting.result()


def test_reading_never_says_anything(name: Any) -> None:
    with typedshm.create(name, V1) as writer, attach_apart(name, V1) as reader:
        writer.write(V1(tick=1))
        typedshm.unlink(name)
        with typedshm.create(name, V1):
            until(lambda: reader.info().replaced)
            for _ in range(3):
                assert reader.read().tick == 1
                assert reader.version == 1
                with reader.borrow() as t:
                    assert t.tick == 1
                assert "replaced" in repr(reader)
                time.sleep(0)


def test_what_is_published_already_is_had_first(name: Any) -> None:
    with typedshm.create(name, V1, slots=8) as writer, attach_apart(name, V1) as reader:
        for n in range(5):
            writer.write(V1(tick=n))
        typedshm.unlink(name)
        with typedshm.create(name, V1):
            follower = reader.follow(every=True, start="oldest")
            assert [next(follower).tick for _ in range(5)] == list(range(5))
            with pytest.raises(typedshm.RegionReplaced):
                next(follower)


def test_info_tells_which_region_it_is_and_what_its_name_means(name: Any) -> None:
    with typedshm.create(name, V1) as region, attach_apart(name, V1) as other:
        one = region.info()
        assert (one.unlinked, one.replaced) == (False, False)
        assert other.info().instance == one.instance
        assert len(one.instance) == 16
        assert int(one.instance, 16)
        typedshm.unlink(name)
        until(lambda: region.info().unlinked)  # of files on Windows it is asked once a second
        assert not region.info().replaced
        with typedshm.create(name, V1) as new:
            assert new.info().instance != one.instance
            until(lambda: region.info().replaced)
            assert not region.info().unlinked
            assert region.info().instance == one.instance
        if isinstance(name, str):  # the last one has taken it away
            assert region.info().unlinked


def test_a_region_that_was_unlinked_goes_on_and_its_writer_is_warned_once(name: Any) -> None:
    with typedshm.create(name, V1) as writer, attach_apart(name, V1) as reader:
        typedshm.unlink(name)
        until(lambda: writer.info().unlinked)
        warned: list[Warning] = []

        def write() -> bool:
            try:
                writer.write(V1(tick=1))
            except typedshm.RegionWarning as warning:
                warned.append(warning)
            return bool(warned)

        until(write)  # a test's warnings are errors
        assert "was unlinked" in str(warned[0])
        for _ in range(3):
            time.sleep(0.11)  # longer than nobody asks what the name means
            writer.write(V1(tick=2))
            with writer.update() as t:
                t.tick += 1
            assert reader.wait(timeout=PATIENCE).tick == 3
        with pytest.raises(typedshm.Timeout):
            reader.wait(timeout=0.11)


def test_a_name_that_leads_to_something_else_is_unlinked_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "region"
    with typedshm.create(path, V1) as region:
        moved = tmp_path / "moved"
        os.rename(path, moved)
        for put in (
            lambda: path.write_bytes(b"precious" * 100),
            lambda: path.write_bytes(b""),
            path.mkdir,
            lambda: path.write_bytes(moved.read_bytes()[:100]),
        ):
            put()
            until(lambda: region.info().unlinked)
            assert not region.info().replaced
            with pytest.raises(typedshm.Timeout):
                region.wait(timeout=0.11)
            path.rmdir() if path.is_dir() else path.unlink()
        os.rename(moved, path)
        until(lambda: not region.info().unlinked)


def lock_and_stay(pipe: Any, name: Any) -> None:
    with typedshm.attach(name, V1) as region, region.lock():
        pipe.send("locked")
        pipe.recv()


@pytest.mark.filterwarnings("ignore::typedshm.RegionWarning")  # of who looks while the name leads nowhere
@pytest.mark.parametrize("verb", ["write", "update", "lock"])
def test_who_waits_for_the_lock_is_told(name: Any, verb: str) -> None:
    with typedshm.create(name, V1) as region, Child(lock_and_stay, name) as holder:
        holder.expect("locked")
        waiting = InThread(VERBS[verb], region)
        typedshm.unlink(name)
        with typedshm.create(name, V1):
            with pytest.raises(typedshm.RegionReplaced):
                waiting.result()
            with pytest.raises(typedshm.RegionReplaced):
                region.write(V1(tick=1), timeout=0)
        holder.send()


def test_a_mutex_whose_name_means_another_lets_nobody_in() -> None:
    from typedshm.memory import lifecycle
    from typedshm.memory.names import locate

    mutex = typedshm.NamedMutex("mutex")
    lifecycle.unlink(locate("mutex", kind="mutex"))
    with typedshm.NamedMutex("mutex") as other:

        def take() -> None:
            if mutex.acquire(timeout=0):
                mutex.release()

        assert str(replaced(take)).startswith("mutex 'mutex' was replaced: another mutex has its name now")
        assert other.held
    mutex.close()
    other.close()


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    resource: Any = importlib.import_module("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@marks.not_on_windows("limits on open files are POSIX's")
def test_who_can_open_no_file_to_look_is_told_nothing_wrong(name: Any) -> None:
    with typedshm.create(name, V1) as region, attach_apart(name, V1) as reader:
        typedshm.unlink(name)
        with typedshm.create(name, V1):
            assert region.info().replaced
            with no_descriptor_left():
                info = reader.info()
                assert (info.unlinked, info.replaced) == (False, False)
                reader.write(V1(tick=1))  # a warning would be an error
            assert reader.info().replaced


@marks.root
def test_what_another_user_has_put_under_the_name_replaces_nothing() -> None:
    with typedshm.create("region", V1) as region, typedshm.create("other", V1):
        path = typedshm.path_of("region")
        typedshm.unlink("region")
        path.write_bytes(typedshm.path_of("other").read_bytes())
        try:
            assert (region.info().unlinked, region.info().replaced) == (False, True)
            os.chown(path, 54321, 54321)
            assert (region.info().unlinked, region.info().replaced) == (True, False)
        finally:
            path.unlink()


# ---- coroutines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("readonly", [False, True])
def test_coroutines_are_told(loop: str, readonly: bool) -> None:
    events = loop_of(loop)
    with typedshm.create("region", V1) as writer, attach_apart("region", V1, readonly=readonly) as reader:
        writer.write(V1(tick=1))

        async def wait() -> None:
            assert (await reader.next()).tick == 1
            with pytest.raises(typedshm.RegionReplaced):
                await reader.next()

        async def follow() -> None:
            follower = reader.follow()
            assert (await anext(follower)).tick == 1
            with pytest.raises(typedshm.RegionReplaced):
                await anext(follower)

        async def replace() -> None:
            await events.sleep(0.01)
            typedshm.unlink("region")
            with typedshm.create("region", V2):
                while len(done) < 2:
                    await events.sleep(0.005)

        done: list[int] = []

        async def counted(function: Any) -> None:
            await function()
            done.append(1)

        async def main() -> None:
            await events.together(lambda: counted(wait), lambda: counted(follow), replace)

        events.run(main)


# ---- reattach ------------------------------------------------------------------------------------------------------


def test_reattach_opens_the_region_that_has_the_name_now(name: Any) -> None:
    with typedshm.create(name, V1) as writer:
        reader = typedshm.attach(name, V1, readonly=True)
        reader.timeout = 7
        writer.write(V1(tick=1))
        typedshm.unlink(name)
        with typedshm.create(name, V1) as new:
            new.write(V1(tick=10))
            with reader.reattach() as again:
                assert again.read() == V1(tick=10)
                assert (again.readonly, again.timeout, again.name) == (True, 7, name)
                assert again.info().instance == new.info().instance
                assert type(again.read()) is V1
            assert not reader.closed
            assert reader.read() == V1(tick=1)
            reader.close()
            with reader.reattach() as again:
                assert again.read() == V1(tick=10), "of a handle that was closed too"


def test_reattach_of_a_handle_without_a_class_takes_the_new_layout(name: Any) -> None:
    with typedshm.create(name, V1), attach_apart(name) as reader, attach_apart(name, V1) as typed:
        typedshm.unlink(name)
        with typedshm.create(name, V2) as new:
            new.write(V2(tick=10, speed=2.5))
            with reader.reattach() as again:
                assert again.read().speed == 2.5
            with typed.reattach() as again:
                assert again.read() == V1(tick=10), "whose fields are the first of the new one"
        if isinstance(name, Path):
            typedshm.unlink(name)
        with typedshm.create(name, Record), pytest.raises(typedshm.LayoutMismatch, match="tick"):
            typed.reattach()


def test_reattach_waits_for_a_region(name: Any) -> None:
    with typedshm.create(name, V1) as region:
        typedshm.unlink(name)
        with pytest.raises(typedshm.RegionNotFound):
            region.reattach()
        with pytest.raises(typedshm.Timeout, match=r"timed out after 0\.01 s"):
            region.reattach(timeout=0.01)
        waiting = InThread(region.reattach, timeout=PATIENCE)
        with typedshm.create(name, V1) as new, waiting.result() as again:
            assert again.info().instance == new.info().instance


def test_a_pickle_of_a_region_that_was_replaced_says_so(name: Any) -> None:
    with typedshm.create(name, V1) as region:
        handle = pickle.dumps(region)
        typedshm.unlink(name)
        with typedshm.create(name, V1), pytest.raises(typedshm.RegionReplaced, match="another region of that name"):
            pickle.loads(handle)


@marks.not_on_windows("hard links to open files are POSIX's")
@pytest.mark.parametrize("verb", ["write", "lock", "wait, but not for long"])
def test_of_two_names_of_one_file_only_the_one_that_leads_elsewhere_is_said_to(tmp_path: Path, verb: str) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    with typedshm.create(one, V1) as first:
        os.link(one, other)
        with typedshm.attach(other, V1) as second:
            typedshm.unlink(other)
            with typedshm.create(other, V1):
                assert "other' was replaced" in str(replaced(lambda: VERBS[verb](second)))
                first.write(V1(tick=1))
                for _ in range(3):
                    time.sleep(0.11)  # longer than nobody asks what the name means
                    first.write(V1(tick=2))
                assert second.read().tick == 2


# ---- many times ----------------------------------------------------------------------------------------------------


def follow_by_hand(pipe: Any, name: Any, last: int) -> int:
    """Follow a name over all its regions; returns how many they were."""
    region = typedshm.attach(name, V1, timeout=PATIENCE)
    regions = 1
    while True:
        try:
            if region.wait(timeout=PATIENCE).tick == last:
                region.close()
                return regions
        except typedshm.RegionReplaced:
            old, region = region, region.reattach(timeout=PATIENCE)
            old.close()
            regions += 1


@pytest.mark.parametrize("times", [8])
def test_three_readers_follow_a_name_that_is_made_anew_again_and_again(name: Any, times: int) -> None:
    region = typedshm.create(name, V1)
    children = [Child(follow_by_hand, name, times) for _ in range(3)]
    for n in range(times):
        region.write(V1(tick=n))
        typedshm.unlink(name)
        old, region = region, typedshm.create(name, V1)
        old.close()
        time.sleep(0.02)
    region.write(V1(tick=times))
    for child in children:
        assert 1 <= child.join() <= times + 1
    region.close()


def test_threads_that_write_while_the_name_changes_end_with_words_and_nothing_else(name: Any) -> None:
    region = typedshm.create(name, V1)
    ends: list[BaseException] = []
    ready = threading.Barrier(4)

    def write() -> None:
        ready.wait()
        try:
            while True:
                region.write(V1(tick=1))
        except typedshm.TypedshmError as error:
            ends.append(error)

    threads = [InThread(write) for _ in range(3)]
    ready.wait()
    # over the old one at once, as os.replace() does, since warnings are errors here
    if isinstance(name, Path) and not marks.WINDOWS:
        with typedshm.create(name.with_suffix(".new"), V1):
            os.replace(name.with_suffix(".new"), name)
            for thread in threads:
                thread.result()
        assert {type(error) for error in ends} == {typedshm.RegionReplaced}
    else:
        region.close()
        for thread in threads:
            thread.result()
        assert {type(error) for error in ends} == {typedshm.Closed}
    region.close()


def test_a_task_that_waits_is_told_while_its_loop_has_other_things_to_do() -> None:
    async def main() -> None:
        with typedshm.create("region", V1), attach_apart("region", V1) as reader:
            waiting = asyncio.create_task(reader.next())
            await asyncio.sleep(0)
            typedshm.unlink("region")
            with typedshm.create("region", V1), pytest.raises(typedshm.RegionReplaced):
                await asyncio.wait_for(waiting, PATIENCE)

    asyncio.run(main())


def test_a_relative_path_means_the_folder_of_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with typedshm.create(Path("region"), Record) as region:
        region.write(record(1))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert not region.info().unlinked
        assert pickle.loads(pickle.dumps(region)).read() == record(1)
        with region.reattach() as again:
            assert again.info().instance == region.info().instance
    monkeypatch.chdir(tmp_path)
