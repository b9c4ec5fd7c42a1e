"""NamedMutex: a lock between processes that survives the death of its owner."""

import errno
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never, NoReturn, Protocol

import numpy as np

import typedshm._native as _native
from typedshm import current_task
from typedshm.arguments import flag, refuse_positional
from typedshm.errors import Closed, LockLost, MisuseError, RegionLost, RegionRefused, found
from typedshm.memory import lifecycle
from typedshm.memory.attachment import Handle
from typedshm.memory.holders import lock_holder
from typedshm.memory.names import Scope, locate
from typedshm.memory.participant import Participant, participant
from typedshm.memory.spec import RegionSpec

if TYPE_CHECKING:
    from typedshm.contract import Failure

# Named here, since the core asks it for the running task: a mutex belongs to a task as well as to a thread.
_RUNNING_TASK = current_task.running

_SPEC = RegionSpec(slots=1, payload_size=8, layout_id=bytes(16), document=b"")


LOCK_ERRORS: "dict[Failure, tuple[type[Exception], str]]" = {
    "closed": (Closed, "is closed"),
    "gone": (RegionLost, "was lost"),
    "lock lost": (LockLost, "had its lock overwritten while it was held; what it guards may be incomplete"),
    "not held": (MisuseError, "cannot be unlocked by a thread that does not hold the lock"),
    "other task": (
        MisuseError,
        "is locked by another task of this thread, which awaits inside its block; end the block before the await",
    ),
    "other greenlet": (
        MisuseError,
        "is locked by another greenlet of this thread, which waits for something inside its block; end the block "
        "before whatever lets other greenlets run (gevent.sleep(), patched I/O, switch())",
    ),
}
"""Maps the core's error codes for locks, those of regions too, to exceptions and messages."""


class _Lock(Protocol):
    """What the C core's mutexes have in common."""

    def acquire(self, timeout: float | None, /) -> int: ...
    def release(self, repaired: bool, /) -> bool: ...
    @property
    def mine(self) -> bool: ...
    @property
    def recovered(self) -> bool: ...


if sys.platform == "win32":

    def _exact(name: str) -> tuple[_Lock, Callable[[], bool]]:
        """Open a mutex of the system's; also how to leave it."""
        try:
            mutex = _native.KernelMutex(name, "")
        except OSError as error:
            words = "an object of another kind has that name" if error.winerror == 6 else error.strerror
            raise RegionRefused(error.errno, f"mutex {name!r} cannot be opened: {words}") from error
        return mutex, mutex.close

else:

    def _exact(name: str) -> tuple[_Lock, Callable[[], bool]]:
        raise RegionRefused(errno.ENOTSUP, f"mutex {name!r}: only Windows has mutexes that programs know by exact name")


class NamedMutex(_native.Guard):
    r"""A mutex that any process of the same user can take by its name.

    It belongs to a thread, which may take it again; as many releases free it. If its owner dies, however, the next
    one gets it at once, and :attr:`recovered` tells that what it guards may have been left half done. The mutex
    exists while somebody has it open; an object that is dropped while it holds the mutex gives it back, unrepaired. A
    coroutine should not await while it holds it: whatever else its loop runs meanwhile is refused it.

    Parameters
    ----------
    name
        Any text. Mutexes and regions do not share names.
    scope
        ``"user"`` or ``"machine"``, as for regions.
    mode
        Permission bits when it is created; everybody who may take it needs to write.
    exact
        Windows only: the system's own mutex of just this name, such as ``Global\Access_HWiNFO_SM2_Mutex``, which
        programs that do not know typedshm take too. It is made where there is none. The system tells who died
        holding it, but not who has it (:attr:`owner` is None), and `repaired` is not passed on.

    Raises
    ------
    RegionRefused
        It may not be opened; or there is no such thing on this system.

    Examples
    --------
    >>> with NamedMutex("calibration") as mutex:
    ...     mutex.recovered
    False
    """

    def __init__(self, name: str, *, scope: Scope = "user", mode: int | None = None, exact: bool = False) -> None:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"name: expected a str, found {found(name)}")
        exact = flag(exact, "exact")
        if mode is None and scope == "machine":
            mode = 0o666
        self._name = name
        self._scope: Scope = scope
        self._handle: Handle | None = None
        if exact:
            self._mutex, self._close = _exact(name)
        else:
            handle = lifecycle.attach_or_create(locate(name, scope, mode, kind="mutex"), _SPEC)
            assert handle.mutex is not None
            self._mutex, self._close = handle.mutex, handle.close
            self._handle = handle
        self._closed = False
        super().__init__(self._mutex, None)

    @property
    def name(self) -> str:
        """The name it was opened by."""
        return self._name

    def acquire(self, *_: Never, timeout: float | None = None) -> bool:
        """Take the mutex.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever, 0 only tries.

        Returns
        -------
        bool
            False if it was not to be had in time.

        Raises
        ------
        MisuseError
            Another task or greenlet of this thread holds it, and awaits something.
        Closed
            :meth:`close` was called.
        RegionLost
            Its memory went away.
        """
        if _:
            words = "acquire(timeout={}) to wait at most {} seconds, or acquire(timeout=0) to try once"
            refuse_positional(_, "acquire", words)
        if timeout is not None and _is_minus_one(timeout):
            raise ValueError(f"timeout: expected seconds, or None to wait for ever, found {timeout!r}")
        status = self._mutex.acquire(timeout)
        if status == _native.MUTEX_CLOSED:
            self._fail("closed")
        if status == _native.MUTEX_OTHER_TASK:
            self._fail("other task")
        if status == _native.MUTEX_OTHER_GREENLET:
            self._fail("other greenlet")
        if status != _native.MUTEX_TAKEN and self._loss:
            self._fail("gone")
        return status == _native.MUTEX_TAKEN

    def release(self, *, repaired: bool = True) -> None:
        """Give it back.

        Parameters
        ----------
        repaired
            False if what the mutex guards is still as a dead owner left it; the next owner will be told too.

        Raises
        ------
        MisuseError
            This thread does not hold it.
        LockLost
            Somebody overwrote the mutex; nothing says who is in now.
        """
        repaired = flag(repaired, "repaired")
        if not self._mutex.mine:
            self._fail("not held")
        if not self._mutex.release(repaired):
            self._fail("lock lost")

    @property
    def held(self) -> bool:
        """True if this thread holds it through this object."""
        return self._mutex.mine

    @property
    def recovered(self) -> bool:
        """True if the owner before the last successful :meth:`acquire` of this handle died holding the mutex."""
        return self._mutex.recovered

    @property
    def owner(self) -> Participant | None:
        """The living owner; None while nobody has the mutex."""
        lock = None if self._handle is None else self._handle.attachment.lock
        owner = None if lock is None else lock.owner
        return None if owner is None else participant(owner)

    def fileno(self) -> int:
        """Return the file descriptor by which the process has it open, for those who close all others.

        It is for that alone, as that of a region: ``DaemonContext(files_preserve=[mutex])``.

        Raises
        ------
        Closed, RegionLost
            It was closed; or this process has closed the descriptor already.
        RegionRefused
            There is none, as on Windows.
        """
        if self._closed:
            self._fail("closed")
        if self._loss:
            self._fail("gone")
        try:
            if self._handle is not None:
                return self._handle.attachment.fileno()
        except OSError:
            pass
        raise RegionRefused(errno.EBADF, f"mutex {self._name!r} has no file descriptor, and needs none kept open")

    @property
    def _loss(self) -> str:
        return "" if self._handle is None else self._handle.attachment.loss

    def close(self) -> None:
        """Leave it; the last one takes it away.

        Raises
        ------
        MisuseError
            A thread of this process holds it through this object.
        """
        if not self._close():
            raise MisuseError(f"mutex {self._name!r} is held; release it before close()")
        self._closed = True

    def _fail(self, what: "Failure") -> NoReturn:
        kind, words = LOCK_ERRORS[what]
        if what == "not held" and self._handle is not None and (holder := lock_holder(self._handle.attachment)):
            words += f"; it is held by {holder}"
        if what in ("gone", "lock lost") and (loss := self._loss):
            kind, words = RegionLost, loss
        raise kind(f"mutex {self._name!r} {words}")

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self._name, self._scope, self._handle is None)

    def __repr__(self) -> str:
        owner = self.owner
        state = "closed" if self._closed else f"owner {owner}" if owner else "held" if self.held else "free"
        return f"<NamedMutex {self._name!r} {state}>"


def _is_minus_one(timeout: Any) -> bool:
    """Tell what is for ever in threading: here few would notice that the mutex was only tried."""
    return isinstance(timeout, int | float | np.number) and timeout == -1


def _reopen(name: str, scope: Scope, exact: bool) -> NamedMutex:
    return NamedMutex(name, scope=scope, exact=exact)
