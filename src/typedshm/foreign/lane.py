"""Lane: one source of a program on its way into one region."""

import contextlib
import threading
import time
import warnings
from typing import Any, cast

from typedshm.errors import Closed, RegionNotFound, RegionWarning, Timeout, TypedshmError, quoted
from typedshm.foreign.flattening import Capacity, Flattening
from typedshm.foreign.region import ForeignRegion
from typedshm.foreign.snapshot import Snapshot
from typedshm.foreign.state import State
from typedshm.memory.names import Name, Scope
from typedshm.region.region import Region
from typedshm.sharing.opening import create, unlink
from typedshm.struct.struct import Struct

_SLICE = 0.1
"""Seconds of one wait, after which the thread looks whether it is to end."""
_LOOK = 0.25
"""Seconds between looks at the state of the source."""
_PAUSE = 0.05
"""Seconds after an error."""


class Lane:
    """Publishes one source as a region, in a thread of its own.

    Parameters
    ----------
    source
        A handle that is used by nobody else; it is closed with the lane.
    name, scope, mode
        Of the region.
    period
        The least seconds from one version to the next.
    capacity
        As of :class:`Flattening`.
    """

    def __init__(
        self,
        source: ForeignRegion[Any],
        name: Name,
        *,
        period: float,
        capacity: Capacity,
        scope: Scope,
        mode: int | None,
    ) -> None:
        self.name = name
        self.count = 0
        """Versions that were published."""
        self.failed = 0
        """Updates that could not be."""
        self.state = State.ABSENT
        """Of the source, as it was seen last."""
        self.error: Exception | None = None
        """Why the last of them could not be."""
        self.region: Region[Any] | None = None
        """The region, once there was a value."""
        self._source = source
        self._period = period
        self._capacity = capacity
        self._scope: Scope = scope
        self._mode = mode
        self._flattening: Flattening | None = None
        self._told: set[tuple[object, str]] = set()
        self._looked = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"typedshm bridge {name}", daemon=True)

    def start(self) -> None:
        """Publish what there is already, so that the region is there at once, and go on in the thread.

        Raises
        ------
        RegionExists
            A region has the name.
        FieldValueError
            The value does not fit into the capacity that was given.
        """
        self._look()
        if self.state.readable:
            try:
                value = self._source.read()
            except (TypedshmError, OSError) as error:
                self._fail(error)
            else:
                self._publish(value)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and remove the region."""
        self._closing.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._source.close()
        self._remove()

    # ---- in the thread ----

    def _run(self) -> None:
        due = time.monotonic() + self._period
        while not self._closing.wait(min(max(due - time.monotonic(), 0.0), _LOOK)):
            if time.monotonic() >= due:
                try:
                    due = self._step(due)
                except Closed:
                    return
            if time.monotonic() - self._looked >= _LOOK:
                self._look()

    def _step(self, due: float) -> float:
        """Publish the next value, if there is one soon, and return when the one after it may be published."""
        try:
            value = self._source.wait(timeout=_SLICE)
            self._publish(value)
        except Timeout:
            return 0.0  # the state says why
        except Closed:
            raise
        except (TypedshmError, ValueError, TypeError, OSError) as error:
            self._fail(error)
            return time.monotonic() + _PAUSE
        return max(due + self._period, time.monotonic()) if self._period else 0.0

    def _look(self) -> None:
        """Note the state of the source, and let go of a region that somebody has removed."""
        self._looked = time.monotonic()
        try:
            self.state = self._source.state
        except (TypedshmError, OSError) as error:
            self._fail(error)
        if self.region is not None and self.region.info().unlinked:
            self._remove()

    def _publish(self, value: Any) -> None:
        flat = self._flat(value)
        if self.region is not None and self.region.layout != type(flat).layout:
            self._remove()  # readers are told that the region was replaced
        if self.region is None:
            self.region = create(self.name, type(flat), scope=self._scope, mode=self._mode, check=False)
        self.region.write(flat)
        self.count += 1

    def _flat(self, value: Any) -> Struct:
        if not isinstance(value, Snapshot):
            return cast("Struct", value)
        if self._flattening is None or not self._flattening.fits(value):
            self._flattening = Flattening(value, self._capacity)
        return self._flattening.flat(value)

    def _remove(self) -> None:
        region, self.region = self.region, None
        if region is None:
            return
        info = region.info()
        if not (info.unlinked or info.replaced):
            with contextlib.suppress(RegionNotFound):  # somebody was faster
                unlink(self.name, scope=self._scope)
        region.close()

    def _fail(self, error: Exception) -> None:
        self.error = error
        self.failed += 1
        kind = type(error), str(error).partition(":")[0]
        if kind not in self._told:
            self._told.add(kind)
            with contextlib.suppress(RegionWarning):  # where warnings are errors, this thread goes on all the same
                warnings.warn(f"bridge to region {quoted(self.name)}: {error}", RegionWarning, stacklevel=2)
