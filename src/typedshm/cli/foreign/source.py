"""ForeignSource: other programs' memory as what can be shown and watched."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import typedshm
from typedshm.cli.foreign.naming import Meant, attach, one_source
from typedshm.cli.samples import Sample
from typedshm.cli.terminal import printable

_SLICE = 0.1
"""Seconds of one wait, after which the thread looks whether it is to end."""


class ForeignSource:
    """Memory of another program, followed by a thread at the program's own pace; its updates are counted from 1."""

    no_news = "no update"
    instance = ""

    def __init__(self, meant: Meant, handle: "typedshm.foreign.ForeignRegion[Any]") -> None:
        self.label = meant.label
        self.remark = str(handle.state)
        """In what state it is, safe to print."""
        self._meant = meant
        self._handle = handle
        self._sample: Sample | None = None
        self._flattening: typedshm.foreign.Flattening | None = None
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"typedshm follows {meant.label}", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, meant: Meant, timeout: float | None = 0) -> "ForeignSource":
        """Open memory, as soon as it is there.

        Raises
        ------
        RegionNotFound, Timeout
            There is none, or none in time.
        click.UsageError
            It is not one source, or several processes publish it.
        """
        meant = one_source(meant)
        return cls(meant, attach(meant, timeout))

    def _follow(self) -> None:
        count = 0
        while not self._closing.is_set():
            try:
                value = self._flat(self._handle.wait(timeout=_SLICE))
            except typedshm.Timeout:
                self.remark = str(self._handle.state)
                continue
            except (typedshm.TypedshmError, OSError, TypeError) as error:
                self.remark = printable(error)
                self._closing.wait(_SLICE)
                continue
            count += 1
            if count % 64 == 1:
                self.remark = str(self._handle.state)
            with self._changed:
                self._sample = Sample(count, datetime.now(UTC), value)
                self._changed.notify_all()

    def _flat(self, value: Any) -> Any:
        if not isinstance(value, typedshm.foreign.Snapshot):
            return value
        if self._flattening is None or not self._flattening.fits(value):
            self._flattening = typedshm.foreign.Flattening(value)
        try:
            return self._flattening.flat(value)
        except typedshm.FieldValueError:  # there are more rows than there is room for
            self._flattening = typedshm.foreign.Flattening(value)
            return self._flattening.flat(value)

    @property
    def layout(self) -> "typedshm.Layout":
        """Of its values; before the first, that of the document."""
        if self._sample is not None:
            layout: typedshm.Layout = self._sample.value.__class__.layout
            return layout
        return typedshm.foreign.Document.load(self._meant.document).layout(self._meant.source)

    @property
    def version(self) -> int:
        """How many updates there were since it was opened."""
        return 0 if self._sample is None else self._sample.version

    def read(self) -> Sample | None:
        """Return the newest value."""
        return self._sample

    def wait(self, after: int, timeout: float | None, *, every: bool = False) -> Sample | None:
        """Wait for an update above `after`."""
        del every  # there are no older ones
        end = None if timeout is None or timeout == float("inf") else time.monotonic() + timeout
        with self._changed:
            while self.version <= after:
                left = _SLICE if end is None else min(end - time.monotonic(), _SLICE)
                if left <= 0:
                    return None
                self._changed.wait(left)
            return self._sample

    def is_current(self) -> bool:
        """Return True: it follows its program through restarts."""
        return True

    def is_abandoned(self) -> bool:
        """Return False: dead memory is let go of by the reader itself."""
        return False

    def close(self) -> None:
        """Leave it."""
        self._closing.set()
        self._thread.join()
        self._handle.close()
