"""ForeignMutex: a mutex that another program made, to be taken while its memory is copied."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Protocol, Self

import typedshm._native as _native
from typedshm.arguments import seconds
from typedshm.errors import MisuseError
from typedshm.foreign.objects import check_object_name, elsewhere, not_opened
from typedshm.mutex import LOCK_ERRORS

if TYPE_CHECKING:
    from typedshm.contract import Failure


class _Mutex(Protocol):
    """What the C core has on Windows alone."""

    def acquire(self, timeout: float | None, /) -> int: ...
    def release(self, repaired: bool, /) -> bool: ...
    def close(self) -> bool: ...
    @property
    def mine(self) -> bool: ...
    @property
    def recovered(self) -> bool: ...


if sys.platform == "win32":

    def _open(words: str, name: str) -> _Mutex:
        try:
            return _native.KernelMutex(name, "", existing=True)
        except OSError as error:
            raise not_opened(words, error) from error

else:

    def _open(words: str, name: str) -> _Mutex:
        del name
        raise elsewhere(words, "mutexes")


class ForeignMutex:
    r"""A mutex of Windows' that another program made, by its exact name.

    It is opened with the right to wait alone (``SYNCHRONIZE``), which is enough to give it back, too: programs that run
    as an administrator often grant others no more. It is never made: a mutex that a reader made would be what its
    program finds and has to live with. Like all mutexes it belongs to the thread that took it, which may take it again.

    Parameters
    ----------
    name
        The exact name, such as ``Global\HWiNFO_SM2_MUTEX``.

    Raises
    ------
    RegionNotFound
        There is none; or this system has no such mutexes.
    RegionRefused
        It may not be opened, or is no mutex.
    NameRefused
        No mutex can have that name.

    Examples
    --------
    >>> with ForeignMutex(r"Global\HWiNFO_SM2_MUTEX") as mutex:  # doctest: +SKIP
    ...     if mutex.acquire(0.1):
    ...         try:
    ...             copied = bytes(section.view)
    ...         finally:
    ...             mutex.release()
    """

    def __init__(self, name: str) -> None:
        self._name = check_object_name(name)
        self._mutex = _open(f"mutex {name!r}", name)

    @property
    def name(self) -> str:
        """The name it was opened by."""
        return self._name

    def acquire(self, timeout: float | None) -> bool:
        """Take it.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever, 0 only tries.

        Returns
        -------
        bool
            False if another thread or program had it all the time.

        Raises
        ------
        MisuseError
            Another task or greenlet of this thread holds it, and awaits something.
        Closed
            :meth:`close` was called.
        """
        status = self._mutex.acquire(seconds(timeout))
        if status == _native.MUTEX_CLOSED:
            self._fail("closed")
        if status == _native.MUTEX_OTHER_TASK:
            self._fail("other task")
        if status == _native.MUTEX_OTHER_GREENLET:
            self._fail("other greenlet")
        return status == _native.MUTEX_TAKEN

    @property
    def held(self) -> bool:
        """Whether this thread has taken it."""
        return self._mutex.mine

    @property
    def abandoned(self) -> bool:
        """True if the last :meth:`acquire` found that its owner had died holding it: what it guards may be torn."""
        return self._mutex.recovered

    def release(self) -> None:
        """Give it back.

        Raises
        ------
        MisuseError
            This thread does not hold it.
        """
        if not self._mutex.mine:
            self._fail("not held")
        self._mutex.release(True)

    def close(self) -> None:
        """Close it; a thread that waits for it gets :class:`Closed`. The second time does nothing.

        Raises
        ------
        MisuseError
            A thread of this process holds it.
        """
        if not self._mutex.close():
            raise MisuseError(f"{self} is held; release it before close()")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fail(self, what: "Failure") -> NoReturn:
        kind, words = LOCK_ERRORS[what]
        raise kind(f"{self} {words}")

    def __str__(self) -> str:
        return f"mutex {self._name!r}"

    def __repr__(self) -> str:
        return f"<ForeignMutex {self._name!r}>"
