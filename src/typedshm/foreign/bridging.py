"""bridge(): what another program publishes, once more as ordinary regions."""

import atexit
import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from typedshm.errors import found, quoted
from typedshm.foreign.attaching import attach
from typedshm.foreign.document import Document
from typedshm.foreign.flattening import Capacity
from typedshm.foreign.lane import Lane
from typedshm.foreign.place import Where
from typedshm.foreign.region import ForeignRegion
from typedshm.foreign.resolving import which
from typedshm.foreign.state import State
from typedshm.memory.names import Name, Scope
from typedshm.region.region import Region

_PERIOD = 0.5
"""Seconds of one wait in wait_closed(): Windows interrupts none."""


class Bridge:
    """Republishes another program's memory as regions, until it is closed; :func:`typedshm.foreign.bridge` returns one.

    The regions have the name that was given; of several sources each has one, ``name-source``. Each is made when its
    source has its first value, keeps its last value while the program is away, and is removed by :meth:`close`. Should
    the program publish other things than before, the region is made anew, and readers hear of it.
    """

    def __init__(self, name: Name, lanes: dict[str, Lane]) -> None:
        self.name = name
        """The name of the region, or the beginning of the names of several."""
        self._lanes = lanes
        self._closed = threading.Event()
        try:
            for lane in lanes.values():
                lane.start()
        except BaseException:
            self.close()
            raise
        atexit.register(self.close)

    def _first(self) -> Lane:
        return next(iter(self._lanes.values()))

    @property
    def region(self) -> Region[Any] | None:
        """The region, to be read; None until there was a value. Of several sources that of the first."""
        return self._first().region

    @property
    def regions(self) -> dict[str, Region[Any] | None]:
        """The region of each source."""
        return {source: lane.region for source, lane in self._lanes.items()}

    @property
    def count(self) -> int:
        """How many versions were published, in all regions."""
        return sum(lane.count for lane in self._lanes.values())

    @property
    def failed(self) -> int:
        """How many updates could not be published."""
        return sum(lane.failed for lane in self._lanes.values())

    @property
    def state(self) -> State:
        """In what state the first source was at the last look, a quarter of a second ago at most."""
        return self._first().state

    @property
    def states(self) -> dict[str, State]:
        """The state of each source."""
        return {source: lane.state for source, lane in self._lanes.items()}

    @property
    def error(self) -> Exception | None:
        """Why the last update that could not be published was not; None if all were."""
        return next((lane.error for lane in self._lanes.values() if lane.error is not None), None)

    @property
    def closed(self) -> bool:
        """Whether the bridge was closed."""
        return self._closed.is_set()

    def close(self) -> None:
        """End the threads, and remove the regions. Does nothing the second time."""
        if self._closed.is_set():
            return
        self._closed.set()
        for lane in self._lanes.values():
            lane.close()
        atexit.unregister(self.close)

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Sleep until another thread closes the bridge, and return whether it did.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.
        """
        if timeout is not None:
            return self._closed.wait(timeout)
        while not self._closed.wait(_PERIOD):
            pass
        return True

    def run(self) -> None:
        """Bridge until Ctrl-C, for programs that do nothing else."""
        with self:
            try:
                self.wait_closed()
            except KeyboardInterrupt:  # which is how it is meant to end
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<Bridge to {quoted(self.name)}, closed>"
        states = ", ".join(f"{source} {state}" for source, state in self.states.items())
        return f"<Bridge to {quoted(self.name)}: {states}, {self.count:,} versions>"


def bridge(
    source: Where | Document | ForeignRegion[Any],
    name: Name,
    *,
    hz: float | None = None,
    timeout: float | None = 0,
    pid: int | None = None,
    unit: int = 0,
    capacity: Capacity = None,
    scope: Scope = "user",
    mode: int | None = None,
) -> Bridge:
    """Republish what another program publishes, so that it is read like any region: in other languages, by `follow()`.

    A source that is one struct becomes a region of that Struct. One with rows, texts or a table becomes a region of one
    Struct of them all, as :class:`Flattening` makes it. Threads do the work until :meth:`Bridge.close`, and go on when
    the program ends and is started again; meanwhile regions keep their last value, whose age ``time_of()`` tells.

    Parameters
    ----------
    source
        The name of a document, a path to one, a :class:`Document`; or a :class:`ForeignRegion`, of which other handles
        are used, so that it can be closed.
    name
        Of the region; of several sources each has one, ``name-source``.
    hz
        The most versions a second. Default: every update that is seen.
    timeout, pid, unit
        As of :func:`attach`: whether to wait until the memory exists, and which one is meant.
    capacity
        The most rows of arrays and bytes of texts, for all or by name. Default: half as much again as there is now.
    scope, mode
        Of the region, as for :func:`typedshm.create`.

    Raises
    ------
    RegionNotFound, Timeout
        There is no such memory, or it did not appear in time.
    RegionExists
        A region has the name.

    Examples
    --------
    >>> with typedshm.foreign.bridge("acc/physics", "physics", hz=400, timeout=None) as bridge:  # doctest: +SKIP
    ...     bridge.run()
    """
    period = _period(hz)
    if not isinstance(cast("object", name), str | os.PathLike):
        raise TypeError(f"name: expected a str or a pathlib.Path, found {found(name)}")
    pid, unit = which(pid, unit)
    if isinstance(source, ForeignRegion):
        if pid is not None or unit:
            raise ValueError("pid, unit: expected none with a ForeignRegion, which says whose memory it is")
        handles = source.again()
    else:
        with attach(source, timeout=timeout, pid=pid, unit=unit) as region:
            handles = region.again()
    lanes = {
        each: Lane(
            handle,
            _named(name, each) if len(handles) > 1 else name,
            period=period,
            capacity=capacity,
            scope=scope,
            mode=mode,
        )
        for each, handle in handles.items()
    }
    return Bridge(name, lanes)


def _period(hz: Any) -> float:
    if hz is None:
        return 0.0
    if isinstance(hz, bool) or not isinstance(hz, int | float):
        raise TypeError(f"hz: expected the most versions a second, or None for every one, found {found(hz)}")
    if not 0 < hz <= sys.float_info.max:
        raise ValueError(f"hz: expected more than 0 versions a second, found {quoted(hz)}")
    return 1 / hz


def _named(name: Name, source: str) -> Name:
    if isinstance(name, str):
        return f"{name}-{source}"
    path = Path(name)
    return path.with_name(f"{path.stem}-{source}{path.suffix}")
