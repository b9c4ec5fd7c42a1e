"""Greenlets of gevent, eventlet and the plain library share a thread, and so its lock: they are told apart.

Each test runs a program of its own, since monkey patching is for good; none can hang for longer than PATIENCE.
"""

import importlib.util
import subprocess
import sys
import textwrap

import pytest

from helpers import marks
from helpers.peers import PATIENCE

LIBRARIES = {
    "gevent, patched": (
        "gevent",
        """
        from gevent import monkey
        monkey.patch_all()
        import gevent
        give_way = lambda: gevent.sleep(0)
        def together(*functions):
            gevent.joinall([gevent.spawn(function) for function in functions], raise_error=True)
        """,
    ),
    "gevent, patched late": (
        "gevent",
        """
        import asyncio, typedshm
        from gevent import monkey
        monkey.patch_all()
        import gevent
        give_way = lambda: gevent.sleep(0)
        def together(*functions):
            gevent.joinall([gevent.spawn(function) for function in functions], raise_error=True)
        """,
    ),
    "gevent, patched but threads": (
        "gevent",
        """
        from gevent import monkey
        monkey.patch_all(thread=False)
        import gevent
        give_way = lambda: gevent.sleep(0)
        def together(*functions):
            gevent.joinall([gevent.spawn(function) for function in functions], raise_error=True)
        """,
    ),
    "gevent": (
        "gevent",
        """
        import gevent
        give_way = lambda: gevent.sleep(0)
        def together(*functions):
            gevent.joinall([gevent.spawn(function) for function in functions], raise_error=True)
        """,
    ),
    "eventlet, patched": (
        "eventlet",
        """
        import eventlet
        eventlet.monkey_patch()
        give_way = lambda: eventlet.sleep(0)
        def together(*functions):
            for started in [eventlet.spawn(function) for function in functions]:
                started.wait()
        """,
    ),
    "eventlet": (
        "eventlet",
        """
        import eventlet
        give_way = lambda: eventlet.sleep(0)
        def together(*functions):
            for started in [eventlet.spawn(function) for function in functions]:
                started.wait()
        """,
    ),
    "greenlet": (
        "greenlet",
        """
        import greenlet
        scheduler = greenlet.getcurrent()
        def give_way():
            scheduler.switch()
        def together(*functions):
            running = [greenlet.greenlet(function) for function in functions]
            while running:
                for one in running:
                    one.switch()
                running = [one for one in running if not one.dead]
        """,
    ),
}

COMMON = """
    import contextlib, faulthandler, sys
    faulthandler.dump_traceback_later({patience}, exit=True)
    import typedshm
    from typedshm import NamedMutex, Struct, u64

    class Counter(Struct):
        n: u64

    @contextlib.contextmanager
    def by_hand(mutex):
        assert mutex.acquire(timeout=0)
        try:
            yield
        finally:
            mutex.release()

    def refused(function):
        try:
            function()
        except typedshm.MisuseError as error:
            assert "another greenlet of this thread" in str(error), error
            assert "end the block before" in str(error), error
            return True
        return False

    def enter(block):
        with block:
            pass

    region = typedshm.create("counter", Counter)
    region.write(Counter(n=0))
    mutex = NamedMutex("guard")
"""


def program(library: str, script: str) -> str:
    """Run a program that uses greenlets; returns what it prints."""
    module, prelude = LIBRARIES[library]
    if importlib.util.find_spec(module) is None:  # not imported here: eventlet warns at each fork from then on
        pytest.skip(f"{module} is not installed")
    words = "\n".join(
        textwrap.dedent(part).strip() for part in (prelude, COMMON.format(patience=0.8 * PATIENCE), script)
    )
    done = subprocess.run(
        [sys.executable, "-c", words + "\nregion.close()\nmutex.close()\n"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=[name for name in LIBRARIES if name != "gevent, patched but threads"])
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_update_is_lost_between_greenlets(library: str) -> None:
    """Whoever is refused tries again; what was counted under the lock is right in the end."""
    out = program(
        library,
        """
        refusals = 0

        def until_it_is_free(step):
            global refusals
            while True:
                try:
                    return step()
                except typedshm.MisuseError:
                    refusals += 1
                    give_way()

        def under_the_lock():
            with region.lock():
                n = region.read().n
                give_way()
                region.write(Counter(n=n + 1))

        def in_a_block():
            with region.update() as t:
                n = t.n
                give_way()
                t.n = n + 1

        def under_the_mutex():
            with mutex:
                n = region.read().n
                give_way()
                region.write(Counter(n=n + 1))

        def work(step):
            for _ in range(20):
                until_it_is_free(step)
                give_way()

        together(*[lambda: work(under_the_lock)] * 3, *[lambda: work(in_a_block)] * 2)
        print(region.read().n)
        region.write(Counter(n=0))
        together(*[lambda: work(under_the_mutex)] * 5)
        print(region.read().n, refusals > 0)
        """,
    )
    assert out.split() == ["100", "100", "True"]


def test_what_one_greenlet_holds_is_refused_to_the_others(library: str) -> None:
    out = program(
        library,
        """
        def try_all():
            return {
                "lock": refused(lambda: enter(region.lock())),
                "lock, no time": refused(lambda: enter(region.lock(timeout=0))),
                "write": refused(lambda: region.write(Counter(n=7))),
                "update": refused(lambda: enter(region.update())),
                "loan": refused(lambda: enter(region.loan())),
                "second handle": refused(lambda: second.write(Counter(n=7))),
            }

        def try_mutex():
            return {
                "with": refused(lambda: enter(mutex)),
                "acquire": refused(lambda: mutex.acquire(timeout=0)),
                "second object": refused(lambda: another.acquire(timeout=0)),
            }

        second, another = typedshm.attach("counter", Counter), NamedMutex("guard")
        blocks = [
            (region.lock, try_all), (region.update, try_all), (region.loan, try_all),
            (lambda: mutex, try_mutex), (lambda: by_hand(mutex), try_mutex),
        ]
        for block, tries in blocks:
            state = []

            def hold():
                with block():
                    state.append("held")
                    while len(state) < 2:
                        give_way()

            def meddle():
                while not state:
                    give_way()
                try:
                    found = tries()
                    assert all(found.values()), found
                    assert region.read().n < 7
                finally:
                    state.append("looked")

            together(hold, meddle)
            with block():  # and now it is free
                pass
        second.close()
        another.close()
        print("done", region.info().lock_holder, mutex.owner)
        """,
    )
    assert out.split() == ["done", "None", "None"]


def test_a_greenlet_takes_again_what_it_has(library: str) -> None:
    out = program(
        library,
        """
        def nest():
            for _ in range(2):
                with region.lock(), region.lock():
                    give_way()
                    region.write(Counter(n=1))
                    with region.update() as t:
                        give_way()
                        t.n += 1
                with mutex, mutex:
                    give_way()
                    assert mutex.acquire()
                    mutex.release()

        together(nest)
        print(region.version, region.read().n, mutex.held)
        """,
    )
    assert out.split() == ["5", "2", "False"]


def test_the_main_greenlet_is_one_of_them(library: str) -> None:
    out = program(
        library,
        """
        found = []
        with region.lock(), mutex:
            together(lambda: found.append((refused(lambda: region.write(Counter(n=7))), refused(mutex.acquire))))
            region.write(Counter(n=1))
        together(lambda: region.write(Counter(n=2)))
        print(found, region.read().n)
        """,
    )
    assert out == "[(True, True)] 2\n"


def test_a_greenlet_that_fails_or_is_killed_in_a_block_gives_it_back(library: str) -> None:
    out = program(
        library,
        """
        def fail():
            with region.lock(), mutex:
                raise KeyError

        for _ in range(2):
            try:
                together(fail)
            except KeyError:
                pass

        import greenlet

        def never_ends():
            with region.lock(), mutex, region.update():
                while True:
                    main.switch()

        main = greenlet.getcurrent()
        dropped = greenlet.greenlet(never_ends)
        dropped.switch()
        held = refused(lambda: region.write(Counter(n=7)))
        del dropped
        region.write(Counter(n=1))
        print(held, region.read().n, mutex.owner)
        """,
    )
    assert out.split() == ["True", "1", "None"]


@pytest.mark.parametrize("library", ["gevent, patched", "gevent", "eventlet, patched"])
def test_greenlets_of_another_thread_wait(library: str) -> None:
    """They are held up as threads are, and not refused."""
    out = program(
        library,
        """
        ended = []

        def work():
            found = []

            def count():
                for _ in range(200):
                    region.lock().__enter__().__exit__(None, None, None)
                    with region.update() as t:
                        t.n += 1
                found.append(True)

            together(count, count)
            ended.append(all(found))

        from typedshm import _native

        together(give_way)  # so that gevent makes its first hub here: made in two threads at once, they wait for ever
        _native.start_thread(work)
        while not ended:
            with region.update() as t:
                t.n += 1
            give_way()
            sum(range(10_000))
        print(region.read().n == region.version - 1, ended)
        """,
    )
    assert out == "True [True]\n"


@pytest.mark.parametrize("library", ["gevent, patched", "gevent, patched late"])
def test_a_loop_in_one_greenlet_does_not_cover_the_others(library: str) -> None:
    """asyncio says that its loop runs, and which task, to all greenlets of the thread."""
    out = program(
        library,
        """
        import asyncio, time

        found = []

        def meddle():
            while not found:
                give_way()
            found.append(refused(lambda: region.write(Counter(n=7))))

        async def hold():
            with region.lock():
                found.append(asyncio.current_task() is not None)
                while len(found) < 2:
                    time.sleep(0)  # patched: lets other greenlets run in the middle of the task
                region.write(Counter(n=1))

        together(lambda: asyncio.run(hold()), meddle)
        print(found, region.read().n)
        """,
    )
    assert out == "[True, True] 1\n"


@pytest.mark.parametrize("library", ["greenlet", "gevent, patched"])
def test_greenlets_within_one_task_are_that_task(library: str) -> None:
    """As of SQLAlchemy, which runs parts of a coroutine in a greenlet below it."""
    out = program(
        library,
        """
        import asyncio, greenlet

        async def run_sync(function):
            below = greenlet.greenlet(function, greenlet.getcurrent())
            awaited = below.switch()
            while not below.dead:
                await awaited
                awaited = below.switch()

        def part():
            region.write(Counter(n=region.read().n + 1))
            greenlet.getcurrent().parent.switch(asyncio.sleep(0))
            with region.lock():
                region.write(Counter(n=region.read().n + 1))

        async def whole():
            with region.lock():
                await run_sync(part)
                other = asyncio.create_task(meddle())
                await other
            return other.result()

        async def meddle():
            try:
                region.write(Counter(n=7))
            except typedshm.MisuseError as error:
                return "another task" in str(error)

        print(asyncio.run(whole()), region.read().n)
        """,
    )
    assert out.split() == ["True", "2"]


# ---- coroutines under monkey patching ------------------------------------------------------------------------------

PATCHED = [
    "gevent, patched",
    pytest.param("gevent, patched late", marks=marks.not_on_windows("a loop made for sockets is not patched late")),
    "gevent, patched but threads",
    "eventlet, patched",
]


@pytest.mark.parametrize("library", PATCHED)
def test_next_under_monkey_patching_is_woken(library: str) -> None:
    """The thread that sleeps for coroutines is one of the system's, not a greenlet that stops all others."""
    out = program(
        library,
        f"""
        import asyncio

        async def write():
            for n in range(1, 6):
                while len(seen) < n:
                    await asyncio.sleep(0.001)
                region.write(Counter(n=n))

        async def read():
            seen.append((await region.next(timeout={PATIENCE})).n)
            async for t in region.follow(timeout={PATIENCE}, start=2):
                seen.append(t.n)
                if t.n == 5:
                    return

        async def main():
            await asyncio.gather(read(), write())
            try:
                await region.next(after=region.version, timeout=0.05)
            except typedshm.Timeout:
                print("timeout", seen)

        seen = []
        asyncio.run(main())
        """,
    )
    assert out == "timeout [0, 1, 2, 3, 4, 5]\n"


@pytest.mark.parametrize("library", PATCHED)
def test_next_under_monkey_patching_hears_other_processes_and_greenlets(library: str) -> None:
    out = program(
        library,
        """
        import asyncio, subprocess

        child = "import typedshm; r = typedshm.attach('counter'); r.write(typedshm.replace(r.read(), n=41))"

        async def main():
            await region.next()
            process = subprocess.Popen([sys.executable, "-c", child])
            first = await region.next()
            second = asyncio.create_task(region.next(after=2))
            await asyncio.sleep(0)
            together(lambda: region.write(Counter(n=42)))
            result = first.n, (await second).n
            assert process.wait() == 0
            return result

        print(asyncio.run(main()))
        """,
    )
    assert out == "(41, 42)\n"


@pytest.mark.parametrize("library", PATCHED)
def test_a_handle_that_is_closed_ends_the_wait_under_monkey_patching(library: str) -> None:
    out = program(
        library,
        """
        import asyncio

        async def main():
            handle = typedshm.attach("counter")
            await handle.next()
            waiting = asyncio.create_task(handle.next(after=1))
            await asyncio.sleep(0.01)
            handle.close()
            try:
                await waiting
            except typedshm.Closed:
                return "closed"

        print(asyncio.run(main()))
        """,
    )
    assert out == "closed\n"


def test_the_library_imports_no_greenlets() -> None:
    words = "import sys, typedshm; print({'greenlet', 'gevent', 'eventlet', 'asyncio', 'trio'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", words], text=True) == "set()\n"
