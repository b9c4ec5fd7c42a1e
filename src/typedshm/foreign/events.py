"""ForeignEvent: an event by which another program says that its memory has changed."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Protocol, Self

import typedshm._native as _native
from typedshm.arguments import flag, seconds
from typedshm.errors import Closed, MisuseError
from typedshm.foreign.objects import check_object_name, elsewhere, not_opened


class _Event(Protocol):
    """What the C core has on Windows alone."""

    def wait(self, timeout: float | None, /) -> bool | None: ...
    def set(self) -> bool: ...
    def reset(self) -> bool: ...
    def pulse(self) -> bool: ...
    def close(self) -> None: ...
    @property
    def created(self) -> bool: ...


if sys.platform == "win32":

    def _open(words: str, name: str, signal: bool, create: bool, manual: bool) -> _Event:
        try:
            return _native.Event(name, signal, create, manual)
        except OSError as error:
            raise not_opened(words, error) from error

else:

    def _open(words: str, name: str, signal: bool, create: bool, manual: bool) -> _Event:
        del name, signal, create, manual
        raise elsewhere(words, "events")


class ForeignEvent:
    r"""An event of Windows' by its exact name, which a publisher sets and readers wait for.

    A reader opens what another program made, with the right to wait alone (``SYNCHRONIZE``), and never makes it.

    Two kinds of events need care. One that resets itself wakes a single waiter: whoever waits for it takes the signal
    away from all other programs. And of a publisher that pulses, who does not wait at that very moment learns nothing:
    wait for no longer than the time to the next update, and look at the memory in any case.

    Parameters
    ----------
    name
        The exact name, such as ``Local\IRSDKDataValidEvent``.
    signal
        Open it to set it, too.
    create
        For publishers: make it where there is none, to set it.
    manual
        Of an event that is made: it stays set, and wakes everybody, until :meth:`reset`. Otherwise the first that it
        wakes resets it.

    Raises
    ------
    RegionNotFound
        There is none; or this system has no such events.
    RegionRefused
        It may not be opened, or is no event.
    NameRefused
        No event can have that name.

    Examples
    --------
    >>> with ForeignEvent(r"Local\IRSDKDataValidEvent") as event:  # doctest: +SKIP
    ...     woken = event.wait(1 / 60)
    """

    def __init__(self, name: str, *, signal: bool = False, create: bool = False, manual: bool = False) -> None:
        self._name = check_object_name(name)
        signal, create, manual = flag(signal, "signal"), flag(create, "create"), flag(manual, "manual")
        if manual and not create:
            raise ValueError("manual: expected False for an event that another program made, found True")
        self._signal = signal or create
        self._event = _open(f"event {name!r}", name, signal, create, manual)

    @property
    def name(self) -> str:
        """The name it was opened by."""
        return self._name

    @property
    def created(self) -> bool:
        """True if there was none before."""
        return self._event.created

    def wait(self, timeout: float | None) -> bool:
        """Wait until it is set.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever, 0 only looks.

        Returns
        -------
        bool
            False if it was not set in time.

        Raises
        ------
        Closed
            :meth:`close` was called.
        """
        signalled = self._event.wait(seconds(timeout))
        if signalled is None:
            self._closed()
        return signalled

    def set(self) -> None:
        """Set it: wake everybody who waits or, where it resets itself, one of them.

        Raises
        ------
        MisuseError
            It was opened without ``signal=True``.
        Closed
            :meth:`close` was called.
        """
        self._change(self._event.set)

    def reset(self) -> None:
        """Take back what :meth:`set` did. Raises as that does."""
        self._change(self._event.reset)

    def pulse(self) -> None:
        """Wake those who wait at this very moment, and leave it as it was. Raises as :meth:`set` does."""
        self._change(self._event.pulse)

    def close(self) -> None:
        """Close it; a thread that waits for it gets :class:`Closed`. The second time does nothing."""
        self._event.close()

    def _change(self, function: Callable[[], bool]) -> None:
        if not self._signal:
            raise MisuseError(f"{self} was opened to wait for it; signal=True opens it to set it, too")
        if not function():
            self._closed()

    def _closed(self) -> NoReturn:
        raise Closed(f"{self} is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return f"event {self._name!r}"

    def __repr__(self) -> str:
        return f"<ForeignEvent {self._name!r}>"
