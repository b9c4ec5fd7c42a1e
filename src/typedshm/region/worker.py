"""Threads of the library that do things for the program: one for all subscriptions, one for what has to be polled.

Each is started with its first task, and ends with the last one. It is a daemon: an interpreter that ends does not wait
for it, and no task runs any more then.
"""

import atexit
import threading
import time
from abc import ABC, abstractmethod
from collections import deque

import typedshm._native as _native
from typedshm.memory import fork
from typedshm.region.waitset import start_thread

EXIT_PATIENCE = 0.2
"""Seconds that an ending interpreter gives a task that is running."""


class Task(ABC):
    """Something that a worker does again and again, whenever its flag hands it out, or a time has passed."""

    @abstractmethod
    def run(self) -> float | None:
        """Do it once. Must not raise.

        Returns
        -------
        float or None
            Seconds until it is to be done again; None: once the worker's flag hands it out.
        """


class Worker:
    """A thread that runs tasks one at a time, those that are due in turn.

    Parameters
    ----------
    name
        The thread's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.forget()

    def forget(self) -> None:
        """Begin anew, without tasks and without a thread: in the child of a fork."""
        self._changed = threading.Condition()
        self._tasks: set[Task] = set()
        self._due: deque[Task] = deque()
        self._timers: dict[Task, float] = {}
        self._running: Task | None = None
        self._thread = 0  # its number, from its first step to its last
        self._started = False
        self._flag: _native.Flag | None = None

    @property
    def flag(self) -> _native.Flag:
        """What hands out tasks that are due."""
        if self._flag is None:
            self._flag = _native.Flag(False)
        return self._flag

    def add(self, task: Task) -> None:
        """Run a task, from now on."""
        with self._changed:
            self._tasks.add(task)
            self._due.append(task)
            self.flag.set()
            if self._started:
                return
            self._started = True
        try:
            start_thread(self._name, self._work)
        except BaseException:
            with self._changed:
                self._started = False
                self._tasks.discard(task)
            raise

    def remove(self, task: Task) -> None:
        """Do not run a task any more; returns when it is not running, unless it has called this itself."""
        with self._changed:
            self._tasks.discard(task)
            self._timers.pop(task, None)
            self.flag.set()  # a thread without tasks ends
            while self._running is task and threading.get_ident() != self._thread:
                self._changed.wait()

    def stop(self, patience: float) -> None:
        """Run no task any more; wait for one that is running, so many seconds at most."""
        with self._changed:
            self._tasks.clear()
            self._timers.clear()
            self.flag.set()
            if threading.get_ident() != self._thread:
                self._changed.wait_for(lambda: not self._started, patience)

    def _work(self) -> None:
        """Run the thread."""
        self._thread = threading.get_ident()
        flag = self.flag
        while True:
            with self._changed:
                if not self._tasks:
                    self._started, self._thread = False, 0
                    self._due.clear()
                    self._changed.notify_all()
                    return
                task = self._running = self._next(flag)
                pause = min(self._timers.values()) - time.monotonic() if self._timers else None
            if task is None:
                flag.wait(pause)
                continue
            again = task.run()
            with self._changed:
                self._running = None
                if again is not None and task in self._tasks:
                    if again > 0:
                        self._timers[task] = time.monotonic() + again
                    else:
                        self._due.append(task)
                self._changed.notify_all()
            del task  # which is nobody's now, perhaps

    def _next(self, flag: _native.Flag) -> Task | None:
        """Return the next task that is due."""
        for task in flag.take():
            if task not in self._due:
                self._due.append(task)
        now = time.monotonic()
        for task in [task for task, when in self._timers.items() if when <= now]:
            del self._timers[task]
            self._due.append(task)
        while self._due:
            if (task := self._due.popleft()) in self._tasks:
                return task
        return None


SUBSCRIPTIONS = Worker("typedshm subscriptions")
"""Calls what was given to subscribe()."""

POLLING = Worker("typedshm polling")
"""Looks for what nobody can tell a Notifier."""

_WORKERS = (SUBSCRIPTIONS, POLLING)


def _after_fork() -> None:
    for worker in _WORKERS:
        worker.forget()


def _at_exit() -> None:
    for worker in _WORKERS:
        worker.stop(EXIT_PATIENCE)


fork.add_hooks("workers", in_child=_after_fork)
atexit.register(_at_exit)
