"""The event loops of asyncio and trio, and so of anyio, and how they are woken when a region has something new.

Neither library is imported here: a program that runs a task has imported it.

A loop that can wait for descriptors has one of ours among them, a :class:`typedshm._native.Flag`. The threads that
sleep on regions raise it without Python's lock, so a task is woken by the loop's own thread alone. A loop that cannot,
as on Windows, is called from the thread that has slept.
"""

import contextlib
import functools
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import typedshm._native as _native
from typedshm import current_task
from typedshm.errors import MisuseError
from typedshm.region.waitset import join


class Loop(ABC):
    """The event loop of the current task."""

    def __init__(self, module: ModuleType, task: Any) -> None:
        self._module = module
        self.task = task

    @abstractmethod
    async def turn(self) -> None:
        """Let other tasks run."""

    async def rest(self, seconds: float) -> None:
        """Let other tasks run for a time."""
        await self._module.sleep(seconds)

    @abstractmethod
    async def sleep(self, ring: _native.Opened, number: int, seconds: float | None) -> bool:
        """Sleep until a region has something new; False if the time is over first."""


def _call(soon: Callable[..., object], *args: object) -> None:
    """Call a function in an event loop's thread, from any thread."""
    with contextlib.suppress(RuntimeError):  # the loop was closed, and its tasks are over
        soon(*args)


# ---- asyncio -------------------------------------------------------------------------------------------------------


class _Pause:
    """What a sleeping task awaits: like a future, but whoever wakes it runs the task's next step in the same call.

    A future has the loop do that in its next round, after it has asked the system once more for what is ready. Only the
    loop may wake it, outside of tasks.
    """

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_loop", "_message", "_result", "_step")

    def __init__(self, loop: Any) -> None:
        self._asyncio_future_blocking = False  # by which a task of asyncio knows what it can wait for
        self._loop = loop
        self._result: bool | None = None
        self._cancelled = False
        self._message: object = None
        self._step: Callable[[Any], object] | None = None
        self._context: Any = None

    def __await__(self) -> Generator[Any, None, bool]:
        if not self.done():
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def wake(self, woken: bool) -> None:
        """End it, and run the task."""
        if self.done():
            return
        self._result = woken
        step, self._step = self._step, None
        if step is not None:
            self._context.run(step, self)

    def wake_later(self) -> None:
        """End it, and have the loop run the task."""
        if not self.done():
            self._result = True
            self._have_step_run()

    # ---- called by the task ----

    def get_loop(self) -> Any:
        """Return the loop that it belongs to."""
        return self._loop

    def add_done_callback(self, step: Callable[[Any], object], *, context: Any) -> None:
        """Note how the task goes on."""
        self._step, self._context = step, context
        if self.done():
            self._have_step_run()

    def cancel(self, msg: object = None) -> bool:
        """End it by an error; False if it has ended."""
        if self.done():
            return False
        self._cancelled, self._message = True, msg
        self._have_step_run()
        return True

    def done(self) -> bool:
        """Return whether it has ended."""
        return self._cancelled or self._result is not None

    def result(self) -> bool:
        """Return True if there is something new, False if the time is over."""
        if self._cancelled:
            error: type[BaseException] = sys.modules["asyncio"].CancelledError
            raise error() if self._message is None else error(self._message)
        assert self._result is not None
        return self._result

    def _have_step_run(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            self._loop.call_soon(step, self, context=self._context)


class _Reader:
    """The flag of one loop of asyncio, which the loop keeps as long as it is open."""

    def __init__(self) -> None:
        self.flag = _native.Flag(True)

    def hand_out(self) -> None:
        """Wake the tasks that have something to look at. Called by the loop."""
        pauses: list[_Pause] = self.flag.take()
        pauses.reverse()
        try:
            while pauses and current_task.of_asyncio() is None:  # or the loop runs inside of a task's step, as Qt's may
                pauses.pop().wake(True)
        finally:  # perhaps as Ctrl-C or sys.exit() has ended a task, and with it the loop
            for pause in reversed(pauses):
                pause.wake_later()


class _Readers(threading.local):
    """Those of the loops that have run in a thread. Only its loop keeps a reader: it ends when that is closed."""

    def __init__(self) -> None:
        self.of: WeakKeyDictionary[Any, weakref.ref[_Reader]] = WeakKeyDictionary()


_readers = _Readers()


def _reader_of(loop: Any) -> _Reader | None:
    """Return the reader of the running loop; None if it cannot have one."""
    if sys.platform == "win32":  # its loops wait for sockets, or not for descriptors at all
        return None
    try:
        known = _readers.of.get(loop)
        reader = None if known is None else known()
        if reader is None or reader.flag.inherited:
            reader = _Reader()
            loop.add_reader(reader.flag.pollable, reader.hand_out)
            _readers.of[loop] = weakref.ref(reader)
        return reader
    except (NotImplementedError, AttributeError, TypeError, OSError):
        return None  # the loop has no such thing, or no descriptor is left


class _Asyncio(Loop):
    async def turn(self) -> None:
        await self._module.sleep(0)

    async def sleep(self, ring: _native.Opened, number: int, seconds: float | None) -> bool:
        loop = self._module.get_running_loop()
        pause = _Pause(loop)
        reader = _reader_of(loop)
        if reader is not None:
            waiter: Any = pause
            waitset = join(ring, number, pause, reader.flag)
            reader = None  # or who waits in a loop that was closed would keep what hands it out, for ever
        else:
            waiter = functools.partial(_call, loop.call_soon_threadsafe, pause.wake, True)
            waitset = join(ring, number, waiter)
        if waitset is None:
            await self.turn()
            return True
        woken = False
        timer = None if seconds is None else loop.call_later(seconds, pause.wake, False)
        try:
            woken = await pause
            return woken
        finally:
            if timer is not None:
                timer.cancel()
            if not woken:
                waitset.remove(ring, waiter)


# ---- trio ----------------------------------------------------------------------------------------------------------


class _Server:
    """A task of one run of trio's, which waits for the run's flag; it ends with the run."""

    def __init__(self, trio: ModuleType) -> None:
        self._trio = trio
        self.flag = _native.Flag(True)
        self.open = True

    async def serve(self) -> None:
        """Wake the tasks that have something to look at."""
        try:
            while True:
                await self._trio.lowlevel.wait_readable(self.flag.pollable)
                for apply in self.flag.take():
                    apply()
        finally:
            self.open = False
            self.flag.close()


_server_of_run: Any = None
"""trio's variable of that name, once trio is there."""


def _server_of(trio: ModuleType) -> _Server | None:
    """Return the server of this run of trio's; None if it cannot have one."""
    global _server_of_run
    if sys.platform == "win32":  # trio waits for sockets there
        return None
    if _server_of_run is None:
        _server_of_run = trio.lowlevel.RunVar("typedshm server", None)
    server: _Server | None = _server_of_run.get()
    if server is None:
        try:
            server = _Server(trio)
        except OSError:  # no descriptor is left
            return None
        trio.lowlevel.spawn_system_task(server.serve, name="typedshm server")
        _server_of_run.set(server)
    return server if server.open and not server.flag.inherited else None


class _Trio(Loop):
    async def turn(self) -> None:
        await self._module.lowlevel.checkpoint()

    async def sleep(self, ring: _native.Opened, number: int, seconds: float | None) -> bool:
        trio = self._module
        parked, woken = True, False

        def apply() -> None:
            nonlocal parked, woken
            if parked:
                parked, woken = False, True
                trio.lowlevel.reschedule(self.task)

        def abort(_: object) -> Any:
            nonlocal parked
            parked = False
            return trio.lowlevel.Abort.SUCCEEDED

        server = _server_of(trio)
        if server is not None:
            waiter: Any = apply
            waitset = join(ring, number, apply, server.flag)
        else:
            waiter = functools.partial(_call, trio.lowlevel.current_trio_token().run_sync_soon, apply)
            waitset = join(ring, number, waiter)
        if waitset is None:
            await self.turn()
            return True
        try:
            with trio.move_on_after(float("inf") if seconds is None else seconds):
                await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            if not woken:
                waitset.remove(ring, waiter)
        return woken


def running_loop() -> Loop:
    """Return the event loop of the current task. MisuseError if there is none."""
    if (task := current_task.of_trio()) is not None:
        return _Trio(sys.modules["trio"], task)
    if (task := current_task.of_asyncio()) is not None:
        return _Asyncio(sys.modules["asyncio"], task)
    raise MisuseError(
        "expected a task of asyncio or trio to wait for a region in, found none; use wait() outside of coroutines"
    )
