"""NamedMutex: a lock between processes that survives the death of its owner."""

import weakref
from typing import NoReturn

from typedshm import _native, memory
from typedshm.errors import Closed, LockLost, MisuseError
from typedshm.place import Scope, place

_BLUEPRINT = memory.Blueprint(slots=1, payload_size=8, layout_id=bytes(16), document=b"")


class NamedMutex(_native.Guard):
    """A mutex that any process of the same user can take by its name.

    It belongs to a thread, which may take it again; as many releases free it. If its owner dies, however, the next
    one gets it at once, and :attr:`recovered` tells that what it guards may have been left half done. The mutex
    exists while somebody has it open.

    Parameters
    ----------
    name
        Any text. Mutexes and regions do not share names.
    scope
        ``"user"`` or ``"machine"``, as for regions.
    mode
        Permission bits when it is created; everybody who may take it needs to write.

    Examples
    --------
    >>> with NamedMutex("calibration") as mutex:
    ...     mutex.recovered
    False
    """

    def __init__(self, name: str, *, scope: Scope = "user", mode: int | None = None) -> None:
        if mode is None and scope == "machine":
            mode = 0o666
        self._name = name
        self._scope: Scope = scope
        self._memory = memory.attach_or_create(place(name, scope, mode, kind="mutex"), _BLUEPRINT)
        assert self._memory.mutex is not None
        self._mutex = self._memory.mutex
        super().__init__(self._mutex, None)
        self._finalizer = weakref.finalize(self, self._memory.close)

    @property
    def name(self) -> str:
        """The name it was opened by."""
        return self._name

    def acquire(self, timeout: float | None = None) -> bool:
        """Take the mutex.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever, 0 only tries.

        Returns
        -------
        bool
            False if it was not to be had in time.
        """
        status = self._mutex.acquire(timeout)
        if status == 2:
            self._fail("closed")
        return status == 0

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
        if not self._mutex.mine:
            self._fail("not held")
        if not self._mutex.release(repaired):
            self._fail("lock lost")

    @property
    def held(self) -> bool:
        """True if this thread holds it."""
        return self._mutex.mine

    @property
    def recovered(self) -> bool:
        """True if the owner before the last successful :meth:`acquire` of this handle died holding the mutex."""
        return self._mutex.recovered

    @property
    def owner(self) -> int | None:
        """The process id of the living owner, as it wrote it down; None while nobody has the mutex."""
        owner = self._mutex.owner
        return None if owner is None else owner[1]

    def close(self) -> None:
        """Leave it; the last one takes it away.

        Raises
        ------
        MisuseError
            A thread of this process holds it.
        """
        if not self._memory.close():
            raise MisuseError(f"mutex {self._name!r} is held; release it before close()")
        self._finalizer.detach()

    def _fail(self, what: str) -> NoReturn:
        if what == "closed":
            raise Closed(f"mutex {self._name!r} is closed")
        if what == "not held":
            raise MisuseError(f"mutex {self._name!r} is released by a thread that does not hold it")
        raise LockLost(f"mutex {self._name!r} was overwritten while it was held")

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self._name, self._scope)

    def __repr__(self) -> str:
        state = "closed" if self._memory.closed else f"owner {self.owner}" if self.owner else "free"
        return f"<NamedMutex {self._name!r} {state}>"


def _reopen(name: str, scope: Scope) -> NamedMutex:
    return NamedMutex(name, scope=scope)
