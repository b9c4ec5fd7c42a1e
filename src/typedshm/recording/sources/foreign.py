"""ForeignSource: other programs' memory, followed by a thread of its own at the program's pace."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np

import typedshm
from typedshm import foreign
from typedshm.recording.batch import Batch
from typedshm.recording.sources.source import MOST_VERSIONS, Description, Source
from typedshm.struct.extents import compiled_extents

Open: TypeAlias = "Callable[[], foreign.ForeignRegion[Any]]"

_SLICE = 0.1
"""Seconds of one wait, after which the thread looks whether it is to end."""

_PAUSE = 0.05
"""Seconds after an error, and between looks for memory that is not there."""

_MOST_WAITING = 64 << 20
"""Bytes that wait to be recorded, at most: what comes above is dropped, and counted."""


class _Taken:
    """One value of the program's, and when it was seen."""

    __slots__ = ("data", "description", "time", "version")

    def __init__(self, description: Description, version: int, data: bytes) -> None:
        self.description = description
        self.version = version
        self.time = time.time_ns()
        self.data = data


class ForeignSource(Source):
    """Memory of another program: one source of its document. Its updates are counted from 1.

    A handle of foreign memory is for one thread, and waits as its program's rule says: so it has a thread of its own,
    which opens it. It goes on through all states of the program, which :attr:`state` tells.

    Parameters
    ----------
    topic
        What it is called in the recording.
    open_it
        Returns the handle. RegionNotFound: it is tried again.
    wait
        Seconds to wait for the memory to appear; None for ever.
    rate
        The most values a second that are taken; None: all that are seen.
    """

    def __init__(self, topic: str, open_it: Open, wait: float | None, rate: float | None) -> None:
        super().__init__(topic)
        self.state = "waiting: it does not exist yet"
        self._open_it = open_it
        self._wait = wait
        self._period = 0.0 if rate is None else 1 / rate
        self._waiting: deque[_Taken] = deque()
        self._bytes = 0  # of those, about
        self._count = 0
        self._lost = 0
        self._described: Description | None = None  # the newest that the thread has met
        self._description: Description | None = None
        self._flattening: foreign.Flattening | None = None
        self._error: Exception | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"typedshm records {topic}", daemon=True)
        self._thread.start()

    # ---- what the recorder asks ----

    @property
    def description(self) -> Description | None:
        """What the batch that was taken last is of."""
        return self._description

    @property
    def dropped(self) -> int:
        """How many updates were seen, and not recorded since too many were waiting; others nobody can count."""
        return self._lost

    @property
    def pending(self) -> int:
        """How many updates are waiting to be recorded."""
        return len(self._waiting)

    @property
    def follower(self) -> None:
        """Nothing to sleep on."""
        return

    def poll(self) -> Batch | None:
        """Take what the thread has seen."""
        taken: list[_Taken] = []
        while self._waiting and len(taken) < MOST_VERSIONS:
            if taken and self._waiting[0].description is not taken[0].description:
                break
            taken.append(self._waiting.popleft())
        if not taken:
            if self._error is not None:
                raise self._error
            return None
        self._description = taken[0].description
        data = [each.data for each in taken]
        self._bytes -= sum(map(len, data))
        equal = compiled_extents(self._description.layout) is None
        return Batch(
            versions=np.array([each.version for each in taken], np.uint64),
            times=np.array([each.time for each in taken], np.int64),
            values=np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1) if equal else data,
        )

    def close(self) -> None:
        """End the thread, which closes the handle."""
        self._closing.set()
        self._thread.join()

    # ---- the thread ----

    def _follow(self) -> None:
        try:
            handle = self._opened()
            if handle is None:
                return
            with handle:
                while not self._closing.is_set():
                    self._step(handle)
        except Exception as error:  # told by the recorder's next poll
            self._error = error

    def _opened(self) -> "foreign.ForeignRegion[Any] | None":
        began = time.monotonic()
        while True:
            try:
                return self._open_it()
            except typedshm.RegionNotFound:
                if self._wait is not None and time.monotonic() - began >= self._wait:
                    raise
            if self._closing.wait(_PAUSE):
                return None

    def _step(self, handle: "foreign.ForeignRegion[Any]") -> None:
        try:
            began = time.monotonic()
            value = handle.wait(timeout=_SLICE)
        except typedshm.Timeout:
            state = handle.state
            self.state = "recording" if state.readable else str(state)
            return
        except typedshm.TypedshmError as error:  # what the program may mend
            self.state = str(error)
            self._closing.wait(_PAUSE)
            return
        self.state = "recording"
        self._put(self._flat(value))
        self._closing.wait(max(self._period - (time.monotonic() - began), 0.0))

    def _put(self, value: "typedshm.Struct") -> None:
        layout = type(value).layout
        if self._described is None or self._described.layout != layout:
            self._described = Description(kind="foreign", layout=layout)
        extents = compiled_extents(layout)
        data = bytes(value) if extents is None else extents.pack(value)
        self._count += 1
        if self._waiting and self._bytes + len(data) > _MOST_WAITING:
            self._lost += 1
            return
        self._bytes += len(data)
        self._waiting.append(_Taken(self._described, self._count, data))

    def _flat(self, value: Any) -> "typedshm.Struct":
        if not isinstance(value, foreign.Snapshot):
            return cast("typedshm.Struct", value)
        if self._flattening is None or not self._flattening.fits(value):
            self._flattening = foreign.Flattening(value)
        try:
            return self._flattening.flat(value)
        except typedshm.FieldValueError:  # there are more rows than there is room for
            self._flattening = foreign.Flattening(value)
            return self._flattening.flat(value)
