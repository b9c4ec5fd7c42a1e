"""What the C core asks of Python objects, by name.

The core finds these attributes and methods at run time, so nothing else would notice that one was renamed:
tests/project/test_contract.py compares this page with the C sources, and type checkers compare it with the classes.
"""

from collections.abc import Callable
from typing import Any, Literal, NoReturn, Protocol

import typedshm._native as _native

Failure = Literal[
    # the region and its handle
    "closed",
    "gone",
    "empty",
    "overrun",
    "torn",
    "corrupt",
    "wait timeout",
    "layout",
    "read-only",
    "pinned",
    "claimed",
    "publisher gone",
    # the writers' lock
    "lock timeout",
    "lock lost",
    "not held",
    "other task",
    "other greenlet",
    # blocks
    "nested",
    "resized",
    "entered twice",
    "not entered",
    "other thread",
    "forked",
    "borrowed twice",
    "not borrowed",
    "open block",
    # followers
    "followed twice",
    "follower closed",
    "follower forked",
    "follower lost",
    # rows of tables
    "row timeout",
    "row order",
    # raised by Python only
    "reattach timeout",
    "not lossless",
    "follower read-only",
]
"""What goes wrong in a verb. The core says which; kinds of errors and words are Python's."""

Refusal = Literal["type", "range", "length", "nul", "encode", "decode", "member", "count", "delete"]
"""Why a field does not take a value, or cannot read its bytes."""


class CoreGuard(Protocol):
    """What a subclass of :class:`typedshm._native.Guard` has."""

    def _fail(self, what: Failure, /) -> NoReturn:
        """Raise the error of a failure."""
        ...


class CoreRegion(Protocol):
    """What a subclass of :class:`typedshm._native.Ring` has."""

    def _fail(self, what: Failure, /) -> NoReturn:
        """Raise the error of a failure."""
        ...

    def _undecodable(self, error: Exception, version: int, /) -> Exception:
        """Return the error to raise for a version of which the schema cannot make a value."""
        ...

    def _refuse_excess(self, value: Any, path: str, /) -> NoReturn:
        """Raise what the field at a path refuses, which has more items than there is room for."""
        ...

    def _refuse_stale(self, version: int, age: int, max_age: int, /) -> NoReturn:
        """Raise the error of a version that is too old; ages are in ns."""
        ...

    def _refuse_behind(self, place: int, own: bool, /) -> NoReturn:
        """Raise the error of a writer that has waited too long for a follower, or would wait for its own thread."""
        ...

    def _look(self) -> None:
        """Ask the system whether the region is still there; raises if it is not."""
        ...

    def _look_at_name(self) -> None:
        """Ask also whether its name has come to mean another region; raises if it has."""
        ...

    def _publisher_is_gone(self) -> bool:
        """Return True if somebody has published, and nobody who has is left."""
        ...

    def _read_only_mapping(self) -> _native.Mapping:
        """Map the region once more, for borrow()."""
        ...

    def _debug_mapping(self) -> _native.Mapping:
        """Map it once more for one block, whose pages become read-only at its end."""
        ...

    def _unpinned(self) -> None:
        """Leave the region: the last pin is gone, and no handle is left."""
        ...


class CoreFollower(Protocol):
    """What a subclass of :class:`typedshm._native.Follower` has."""

    def _wait(self, error: BaseException | None, end: float | None, /) -> float:
        """Return when there may be something new; raises at the end of a loop, and the error if that is one."""
        ...

    def _go_on(self, error: BaseException | None, /) -> bool:
        """Go on with the next region of the name; False if there is none, and raises the error if it is another."""
        ...


class CoreTable(Protocol):
    """What a subclass of :class:`typedshm._native.Rows` has besides what regions have too."""

    def _fail_rows(self, what: Failure, numbers: bytes, /) -> NoReturn:
        """Raise the error of a failure with the numbers of the rows it is about, of 64 bits each."""
        ...

    def _row_number(self, key: Any, /) -> int:
        """Return the number of a row that was named by anything but an int or one of the keys, or raise."""
        ...

    def _refuse_number(self, number: int, /) -> NoReturn:
        """Raise the error of a number that no row has."""
        ...

    def _encode(self, value: Any, /) -> Any:
        """Return a buffer of a value that is no instance of the schema's `struct`, or raise."""
        ...

    def _get(self, which: Any, /) -> Any:
        """Return what stands in brackets, if that is no single row."""
        ...

    def _set(self, which: Any, value: Any, /) -> None:
        """Write to what stands in brackets, if that is no single row."""
        ...

    def _delete(self, which: Any, /) -> NoReturn:
        """Refuse to delete rows."""
        ...


class CoreStruct(Protocol):
    """What a Struct class has."""

    _format: bytes
    """The format of its buffer."""


class CoreSchema(Protocol):
    """What a Ring reads from its schema when it is made, and `defaults` at its first use."""

    def make(self) -> Any:
        """Return an empty value that owns its bytes."""
        ...

    def encode(self, value: Any, /) -> Any:
        """Return a buffer of a value that is no instance of `struct`, or raise."""
        ...

    def target(self, value: Any, /) -> Any:
        """Return a writable buffer for read_into() of what is no instance of `struct`, or raise."""
        ...

    def overlay(self, buffer: Any, offset: int, lease: _native.Lease | None, /) -> Any:
        """Return a value that looks into the buffer."""
        ...

    @property
    def part(self) -> str | None:
        """The name of the field that blocks hand out instead of the Struct."""
        ...

    @property
    def extents(self) -> _native.Extents | None:
        """Which parts of a value are copied; None: all."""
        ...

    @property
    def decode(self) -> Callable[[Any], Any] | None:
        """Makes what read() returns of a Struct; None if that is the Struct itself, or the array."""
        ...

    @property
    def struct(self) -> type | None:
        """The Struct of the values; None if they are arrays."""
        ...

    @property
    def unguarded(self) -> bool:
        """True if values cannot be made to raise: blocks work on what `make` returns, borrow() gives a Struct."""
        ...

    @property
    def check(self) -> Callable[[Any], object] | None:
        """Raises if a Struct breaks a constraint of the user's class; None if there are none."""
        ...

    @property
    def defaults(self) -> bytes:
        """The value that update() starts from in an empty region."""
        ...


class CoreArraySchema(CoreSchema, Protocol):
    """What it asks besides, if values are arrays whose shape varies."""

    def counts_of(self, shape: Any, /) -> bytes | None:
        """Return what stands before the items of an array in loan(shape=...); None: values are no such arrays."""
        ...

    def make_array(self, used: tuple[int, ...], /) -> tuple[Any, Any]:
        """Return an array with so many items along the axes that vary, for the core to fill, and its bytes."""
        ...

    def refuse_room(self, value: Any, /) -> NoReturn:
        """Raise what write() raises for an array that there is no room for."""
        ...

    def refuse_shape(self, value: Any, used: tuple[int, ...], version: int, /) -> NoReturn:
        """Raise what read_into() raises for an array, if a version has another shape."""
        ...


class CoreStructSchema(CoreSchema, Protocol):
    """What it reads besides, at the first use, if there is a Struct. Of unguarded values it reads `viewed`."""

    @property
    def leased(self) -> type:
        """The Struct's variant for blocks."""
        ...

    @property
    def viewed(self) -> Callable[[int], Any]:
        """Makes a read-only Struct at an address."""
        ...
