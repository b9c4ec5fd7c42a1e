"""Types of the C core. It handles integers and buffers; policy and messages are written in Python."""

import sys
from collections.abc import Callable
from types import EllipsisType, FrameType, ModuleType, TracebackType
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NoReturn,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    final,
    overload,
)

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

_T = TypeVar("_T")
_Kind: TypeAlias = type[BaseException] | None
_Batch: TypeAlias = tuple[NDArray[np.uint8] | list[bytearray], NDArray[np.uint64], NDArray[np.int64]]

@final
class Lease:
    """The permission of a view to access memory that it does not own."""

    def __init__(self, words: str) -> None: ...
    def end(self) -> None:
        """From now on, make all views with this lease raise the registered error with `words` as the message."""
    @property
    def ended(self) -> bool: ...
    @property
    def loan(self) -> bool: ...  # True if the bytes are what an older version left

class Overlay:
    """The first base of Struct: gives its buffer the format of its layout, and makes it neither number nor sequence."""

class StructType(type):
    """The base of Struct's metaclass: ctypes' own, but that ctypes may make instances without arguments."""

class Leased:
    """Mixin, placed before a Struct among the bases: its buffer is refused once the lease in ``_state`` has ended."""

class Viewed:
    """Mixin, placed before a Struct among the bases: it is read-only, and depends on the Pin in ``_state``."""

@final
class Origin:
    """Which version a snapshot is a copy of, and when that was published."""

    def __init__(self, version: int, time: int, /) -> None: ...
    @property
    def version(self) -> int: ...
    @property
    def time(self) -> int: ...  # In ns since 1970

def origin_of(value: object, /) -> Origin | None: ...  # Of a Struct that was read or borrowed

@final
class Pin:
    """One version, which stays as it is; or memory of another program, to look at."""

    def __init__(self, mapping: Mapping, ended: str, read_only: str) -> None:
        """Look at memory of another program; the messages of who looks after :meth:`end`, and of who writes."""
    def end(self) -> None: ...  # From now on, make all Structs that depend on it raise
    @property
    def version(self) -> int: ...  # 0 for memory of another program

def register_read_only(error: type[Exception], /) -> None: ...  # Set the error that writing to a borrowed value raises
def view_item(buffer: memoryview, make: Callable[[int], Any], /) -> Any:
    """Return what `make` returns for the address of the bytes, as a read-only Struct that keeps them."""

def register_by_value(function: Callable[[type, FrameType | None], bool], /) -> None:
    """Set the function that says whether ctypes is making an instance of a Struct class just now."""

def register_direct(probes: list[tuple[object, int, int]], /) -> bool:
    """Return True if the bytes of instances, each with its address and size, are where the core expects them."""

def register_numpy(numpy: ModuleType, /) -> bool:
    """Return True if the core knows this NumPy's C API, and uses it."""

def register_struct(struct: type, ended: type[Exception], /) -> None:
    """Set the base class of all Structs, which has the slot ``_state``, and the error of ended views."""

# ---- fields: the descriptors of a Struct ----

@final
class Field:
    """One field of a Struct: a descriptor that accesses the instance's bytes."""

    def __init__(
        self, owner: type, spec: Any, codec: str, offset: int, size: int, swapped: bool, extra: tuple[Any, ...] | None
    ) -> None: ...
    @property
    def owner(self) -> type: ...  # The class that declares the field
    @property
    def spec(self) -> Any: ...  # The LayoutField
    @property
    def offset(self) -> int: ...  # The first byte
    @property
    def size(self) -> int: ...  # In bytes, all items
    def __get__(self, instance: object, owner: type | None = None, /) -> Any: ...
    def __set__(self, instance: object, value: object, /) -> None: ...

def resize(field: Field, instance: object, counts: tuple[int, ...], zero: bool, /) -> None: ...  # Have new items be 0?
def register_refusal(refuse: Callable[[Field, object, Any], NoReturn], /) -> None:
    """Set the function that raises the error for a value that a field cannot hold."""

# ---- whole values ----

@final
class Extents:
    """Which parts of a value are copied if only what is used is; :meth:`pack` leaves out the others."""

    def __init__(self, size: int, extents: tuple[tuple[object, ...], ...]) -> None: ...  # See layout.extents
    def pack(self, value: Any, /) -> bytes: ...
    def unpack(self, packed: bytes, value: Any, /) -> bool: ...  # Into zeroed bytes; False: it is of another size

@final
class Fields:
    """All fields of a Struct class, in the order of the layout."""

    def __init__(
        self, owner: type, members: tuple[tuple[object, ...], ...], extents: Extents | None
    ) -> None: ...  # See struct.whole
    @property
    def names(self) -> tuple[str, ...]: ...
    def set_constructor(self, init: Callable[..., None], defaults: dict[str, object], /) -> None: ...

class Whole:
    """A base of Struct: compares and shows its fields. An instance of another class is never equal."""

    def __eq__(self, other: object) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_OfField: TypeAlias = Callable[[Any, Any], object]  # Called with a value, and a LayoutField

def register_whole(error: type[Exception], equal: Callable[[Any, Any, Any], bool], *show: _OfField) -> None:
    """Set the error of fields without a value, who compares where bytes do not tell, and who shows those and arrays."""

def fields_of(value: object, /, *functions: _OfField | None) -> dict[str, Any]:
    """All fields of a Struct by name, or what three functions make of fields without a value, of arrays, of Structs."""

def set_fields(value: object, fields: dict[str, Any], /) -> None: ...
def attributes_of(instance: object, names: tuple[str, ...], /) -> dict[str, Any]: ...
def set_attributes(instance: object, attributes: dict[str, Any], /) -> None: ...  # As object.__setattr__ does
def snapshot_of(value: _T, /) -> _T: ...  # A copy of a Struct with bytes of its own; the version of a Pin is left out

# ---- memory: shared bytes ----

@final
class Mapping(Buffer):
    """A shared mapping of the first `size` bytes of a handle (0: all of them), unmapped with its last view.

    The handle is a file descriptor; on Windows that of a section.
    """

    def __init__(self, handle: int, size: int, writable: bool, large: bool = False) -> None:
        """With `large`, on Windows, by large pages if the section has them, and else as without."""
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def protect(self) -> None: ...  # Make the pages read-only; writes through existing views are then faults
    def populate(self, write: bool, /) -> None:
        """Map every page now, for writing too if `write`, without changing any byte."""
    def mlock(self) -> None: ...  # Keep the pages in memory while they are mapped; OSError if that is not allowed
    def watch(self) -> None: ...  # Handle faults before every handler that was installed since it was mapped
    if sys.platform == "linux":
        def use_huge_pages(self) -> None:
            """Move the memory into huge pages as far as it fills them; OSError if there are none."""
    @property
    def lost(self) -> bool: ...  # True once the memory was lost; the pages are zero now

# ---- words and bytes of other programs' memory ----

def load_word(mapping: Mapping, offset: int, size: int, /) -> int:
    """Return the number in a word of 1, 2, 4 or 8 bytes, unsigned and in this machine's byte order."""

def store_word(mapping: Mapping, offset: int, size: int, value: int, /) -> None: ...
def exchange_word(mapping: Mapping, offset: int, expected: int, desired: int, /) -> int:
    """Store `desired` in a word of 32 bits if `expected` stands there; return what stood there."""

def copy_bytes(mapping: Mapping, offset: int, size: int, /) -> bytes:
    """Return a copy of bytes; words that are loaded afterwards are loaded after it."""

def process_lives(pid: int, /) -> bool: ...  # Whether there is a process of that number
def put_bytes(mapping: Mapping, offset: int, data: Buffer, /) -> None: ...

if sys.platform != "win32":
    # System V segments
    def find_segment(key: int, size: int = 0, mode: int = 0, /) -> int:
        """Return the number of the segment with a key; with a size, make it, which must not exist."""
    def segment_size(segment: int, /) -> int: ...
    def map_segment(segment: int, writable: bool, /) -> Mapping: ...
    def remove_segment(segment: int, /) -> None: ...  # when its last user has left it

# ---- byte locks: on single bytes of a file, freed when their holder dies ----

BYTE_FREE: Final[int]
BYTE_SHARED: Final[int]
BYTE_EXCLUSIVE: Final[int]
PRESENCE_BYTE: Final[int]
BIRTH_BYTE: Final[int]
LIFE_BYTE: Final[int]

def lock_byte(handle: int, byte: int, mode: int, /) -> bool:
    """Lock or unlock one byte of a file without waiting; False if another handle has locked it."""

def byte_is_free(handle: int, byte: int, /) -> bool: ...  # True if no other handle has locked the byte

# ---- handles: what else the system offers ----

if sys.platform != "win32":
    def preallocate(fd: int, size: int, /) -> None:
        """Allocate `size` bytes for the file; OSError (ENOSPC) if there is no space."""

else:
    @final
    class Section:
        """A section: shared memory backed by the paging file or a file, which lives as long as an open handle."""

        def __init__(
            self,
            name: str,
            size: int = 0,
            security: str = "",
            file: int = -1,
            writable: bool = True,
            large: bool = False,
        ) -> None:
            """Open the section `name`, or with a `size` make it; :attr:`created` tells which. OSError if it fails.

            With `large` it is made of large pages, as many as hold `size` bytes.
            """
        @property
        def handle(self) -> int: ...
        @property
        def created(self) -> bool: ...
        @property
        def owner(self) -> str:
            """The owner's security identifier, as text."""
        def close(self) -> None: ...

    def file_identity(handle: int, /) -> tuple[int, int]: ...  # The volume's serial number and the file's index on it

    @final
    class KernelMutex:
        """A Windows mutex by its exact name; it belongs to a thread, and is released when its owner dies."""

        def __init__(self, name: str, security: str, existing: bool = False) -> None:
            """Open it, and make it where there is none; `existing`: with the right to wait alone, and make nothing."""
        def acquire(self, timeout: float | None, /) -> int:
            """Take it: 0 taken, 1 timeout, 2 closed, 4 another task of this thread has it, 5 another greenlet."""
        def release(self, repaired: bool, /) -> bool:
            """Give it back; RuntimeError if this thread does not hold it."""
        @property
        def created(self) -> bool: ...
        @property
        def mine(self) -> bool: ...
        @property
        def recovered(self) -> bool: ...
        def close(self) -> bool:
            """False, and nothing done, if it is held."""

    @final
    class Event:
        """A Windows event by its exact name.

        It is opened with the right to wait, and with `signal` to set it too; `create` makes it where there is none.
        """

        def __init__(
            self, name: str, signal: bool = False, create: bool = False, manual: bool = False, security: str = ""
        ) -> None: ...
        @property
        def created(self) -> bool: ...  # True if nobody had it open before
        def wait(self, timeout: float | None, /) -> bool | None: ...  # Whether it was signalled; None: closed
        def set(self) -> bool: ...  # False: closed
        def reset(self) -> bool: ...
        def pulse(self) -> bool: ...  # Wake who waits at this moment
        def close(self) -> None: ...  # Ends the waiting of other threads too

    def open_file(path: str, writable: bool, create: bool, security: str, /) -> int:
        """Open a file that others can read, write, rename and delete meanwhile; return a handle."""
    def current_user() -> str: ...  # The security identifier of this process's user
    def allow_large_pages() -> None: ...  # Enable the privilege that they take; OSError if this process has not got it
    def large_page_size() -> int: ...  # In bytes; 0 if there are none
    def object_names(machine: bool, /) -> list[str]:
        """The names of all sections of this session, or of the whole machine."""

# ---- header: making and checking it ----

STATE_READY: Final[int]
SLOTS_MAX: Final[int]

class Header(TypedDict):
    """A region's header, as checked once."""

    slots: int
    presence_count: int
    lossless: bool
    rows: int  # 0: it is no table
    row_size: int  # Bytes of a row, all of it; 0: it is no table
    payload_size: int
    region_size: int
    layout_id: bytes
    instance: int
    created: int
    document: bytes

def region_size(
    slots: int, payload_size: int, document_size: int, rows: int, lossless: bool, /
) -> int: ...  # Bytes, all of it
def write_header(
    mapping: Mapping,
    slots: int,
    payload_size: int,
    layout_id: bytes,
    instance: int,
    document: bytes,
    rows: int,
    lossless: bool,
    /,
) -> None:
    """Turn zeroed memory into an empty region, or with rows into a table."""

def region_state(mapping: Mapping, /) -> int: ...  # The value of the region's state word
def read_header(mapping: Mapping, /) -> Header: ...  # Check the header and return it; ValueError names what is invalid
def region_is(mapping: Mapping, instance: int, /) -> bool:
    """True while the memory holds that instance of the region."""

def reset_waiting(mapping: Mapping, /) -> None: ...  # Clear the waiters that earlier processes announced

# ---- mutex: the writers' lock ----

def register_running_task(running: Callable[[], object], /) -> None:
    """Set the function that returns (current task, current greenlet) of this thread, each perhaps None."""

MUTEX_TAKEN: Final[int]
MUTEX_TIMEOUT: Final[int]
MUTEX_CLOSED: Final[int]
MUTEX_GONE: Final[int]
MUTEX_OTHER_TASK: Final[int]
MUTEX_OTHER_GREENLET: Final[int]
MUTEX_CLAIMED: Final[int]

@final
class WritersLock:
    """The writers' lock of a mapped region, for all threads and handles of this process.

    ``handle``: a descriptor that nobody maps; on Windows the prefix of the names of a region's objects, their security
    descriptor in SDDL ("": the default), and the handle of a file or 0.
    """

    def __init__(
        self, mapping: Mapping, handle: int | tuple[str, str, int], presence_count: int, instance: int
    ) -> None: ...
    def reattach(self, handle: int | tuple[str, str, int], /) -> None:
        """In the child of a fork: take a separate presence entry."""
    def claim(self) -> bool: ...  # Let nobody else write from the first moment on; for who makes the region
    def detach(self) -> bool:
        """The descriptor is about to be closed: end everybody's waiting. False, and nothing done, if it is held."""
    @property
    def entry(self) -> int: ...  # This process's presence entry
    @property
    def thread(self) -> int: ...  # The identifier of the thread of this process that has it, or 0
    @property
    def owner(self) -> Presence | None: ...  # The living owner
    @property
    def participants(self) -> list[Presence]: ...  # Every living process that may write
    @property
    def publisher(self) -> Presence | None: ...  # Who publishes exclusively
    @property
    def published(self) -> bool | None: ...  # Whether a process lives that publishes, or has; None: there was none yet

Presence: TypeAlias = tuple[int, int, bool, int, int]
"""A presence entry: its number, pid, whether it has written, since when in ns since 1970, when the process began."""

def participants(mapping: Mapping, handle: int | tuple[str, str, int], /) -> list[Presence]:
    """The same of a region that this process has not joined to write; the handle is one that takes no entry."""

def owner(mapping: Mapping, handle: int | tuple[str, str, int], /) -> Presence | None: ...  # Likewise
def publisher(mapping: Mapping, handle: int | tuple[str, str, int], /) -> Presence | None: ...  # Likewise
def published(mapping: Mapping, handle: int | tuple[str, str, int], /) -> bool | None: ...  # Likewise
def deaths(mapping: Mapping, /) -> tuple[int, int]: ...  # (How many owners died holding it, when last in ns since 1970)

@final
class Mutex:
    """The way of one handle to the writers' lock of its process; re-enters."""

    def __init__(self, lock: WritersLock, look: Callable[[], None] | None = None) -> None:
        """`look` is called now and then by who takes it, or waits to; raises if what it guards is gone."""

    def acquire(self, timeout: float | None, /) -> int: ...  # Take it: MUTEX_TAKEN, or why not
    def release(self, repaired: bool, /) -> bool:
        """Give it back; False if somebody had replaced the word. RuntimeError if this thread does not hold it."""
    def close(self) -> bool:
        """Send the waiters of this handle home, and wait for its verbs in other threads.

        False, and nothing done, if a block or guard that was entered through it is open.
        """
    def claim(self) -> int: ...  # Let no other process write: MUTEX_TAKEN, or why not; does not wait
    def give_up(self) -> None: ...  # Let them, if no other handle of this process has claimed it too
    @property
    def claims(self) -> bool: ...  # True if this handle publishes exclusively
    def reopen(self) -> None: ...  # Undo close(): the handle could not be closed after all
    def abandon(self) -> None: ...  # Give back all that is held through it, unrepaired; by any thread
    @property
    def mine(self) -> bool: ...  # True if this thread holds it through this handle
    @property
    def recovered(self) -> bool: ...  # True if the last taking through this handle found a dead owner

class Guard:
    """A mutex as a context manager; a subclass raises errors in ``_fail``."""

    def __init__(self, mutex: object, timeout: float | None) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: _Kind, error: BaseException | None, trace: TracebackType | None, /) -> Literal[False]: ...

# ---- ring: the verbs of a region ----

@final
class Slots:
    """The slots of a region that one process uses in place: those that readers have pinned, and that of a block."""

    def __init__(self, lock: WritersLock) -> None: ...
    def open(self) -> None: ...  # Allow pins: a handle has come
    def shut(self) -> bool: ...  # Pin nothing more: the last handle goes. True if nothing is pinned
    def keep(self) -> bool: ...  # Before a fork: keep what is pinned until the child has copied it. True if anything is
    def drop(self) -> None: ...  # In the parent, when the child has done so
    def copy(self) -> None:
        """In the child, which has none of its parent's pins: copy what its arrays look into, and end an open block."""

class Block(Generic[_T]):
    """A transaction on a region: published whole at its end, dropped whole if it raises."""

    def __enter__(self) -> _T: ...
    def __exit__(self, kind: _Kind, error: BaseException | None, trace: TracebackType | None, /) -> Literal[False]: ...

@final
class Borrow(Generic[_T]):
    """A block that looks at one version in its slot."""

    def __enter__(self) -> _T: ...
    def __exit__(self, kind: _Kind, error: BaseException | None, trace: TracebackType | None, /) -> Literal[False]: ...
    @property
    def version(self) -> int:
        """Which version it is; 0 before the block."""
    @property
    def copied(self) -> bool:
        """True if it is a private copy."""

class Opened:
    """What handles of regions and of tables have in common."""

    timeout: float | None
    """Seconds that blocking verbs wait if they get no ``timeout=``; None, the default, waits for ever."""
    @property
    def closed(self) -> bool:
        """True once the handle was closed."""

class Ring(Opened, Generic[_T]):
    """The verbs of a region that are written in C."""

    def __init__(
        self,
        *,
        mapping: Mapping,
        instance: int,
        mutex: Mutex | None,
        slots: Slots | None,
        schema: object,
        size: int,
        refuses: bool,
        debug: bool,
    ) -> None: ...
    def read(self, *, max_age: float | None = None) -> _T:
        """Return the newest complete version, as a private copy.

        It never waits for writers if the region has two slots or more. ``version_of(value)`` tells the version's
        number, ``time_of(value)`` when it was published.

        Parameters
        ----------
        max_age
            Seconds since it was published, at most; None, the default, takes any version.

        Returns
        -------
        value
            Of the region's schema.

        Raises
        ------
        Empty
            Nothing has been written to the region yet.
        Stale
            The newest version is older than `max_age`.
        Overrun
            Writers overtook every attempt to copy for a second, and this handle is read-only, so it cannot lock
            them out.
        TornWrite
            With ``slots=1``: a writer died in the middle of a write. There is no value until the next complete
            write.
        Closed
            The handle was closed.
        RegionLost
            The region's memory was lost: its file was truncated or overwritten, or the disk failed.
        """
    def read_into(self, value: _T, /, *, max_age: float | None = None) -> None:
        """Copy the newest complete version into an existing Struct or array.

        It is :meth:`read` without an allocation. If it fails, the content of `value` is undefined.

        Parameters
        ----------
        value
            A Struct of the region's layout, or a writable C-contiguous array of its dtype and shape; where the shape
            varies, of that of the newest version.
        max_age
            As for :meth:`read`.

        Raises
        ------
        FieldTypeError, FieldValueError
            `value` has another type, dtype or shape.
        Empty, Stale, Overrun, TornWrite, Closed, RegionLost
            As for :meth:`read`.
        """
    def write(self, value: _T, *, timeout: float | None = ...) -> None:
        """Publish a complete value as the next version.

        Parameters
        ----------
        value
            A value of the region's schema; for a model or dataclass also its Struct.
        timeout
            Seconds to wait for other writers; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        Timeout
            Another writer held the lock for too long. Nothing was published.
        FieldTypeError, FieldValueError, FieldOverflow
            `value` does not fit the schema. Nothing was published.
        LayoutMismatch
            The handle's schema is not the region's own, so it can only read.
        RegionRefused
            The handle was attached with ``readonly=True``.
        PublisherExists
            Another process publishes exclusively. Nothing was published.
        MisuseError
            This thread has an open update() or loan() block on the region, or another of its tasks holds lock().
        Closed
            The handle was closed.
        RegionLost
            The region's memory was lost, and the written value with it.
        RegionReplaced
            The region's name means another one now; looked at every 100 ms.
        """
    def update(self, *, timeout: float | None = ...) -> Block[_T]:
        """Return a transaction on the newest version: ``with region.update() as t: t.tick += 1``.

        The block starts from the newest version, or from the defaults while the region is empty. When it ends,
        everything is published as the next version; if it raises, nothing is. Other writers wait meanwhile,
        readers do not.

        Up to 64 KiB the block works on a private copy. Above, it works in the slot itself, and an array kept from
        it still refers to shared memory afterwards. `t` itself raises Closed once the block has ended. A bare array
        keeps its shape: ``loan(shape=...)`` and :meth:`write` give it another.

        Parameters
        ----------
        timeout
            Seconds to wait for other writers; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        Timeout, PublisherExists, LayoutMismatch, RegionRefused, MisuseError, Closed, RegionLost
            As for :meth:`write`, when the block is entered.
        """
    def loan(self, *, shape: int | tuple[int, ...] | None = None, timeout: float | None = ...) -> Block[_T]:
        """Return a slot to fill from scratch: ``with region.loan() as t: camera.read(t.image)``.

        Nothing is copied: the slot still holds what an older version left in it. When the block ends, its content
        is published as the next version; if it raises, nothing is. With ``slots=1`` the block fills a copy beside
        the slot. Fields declared with ``UpTo`` have no items at first; :func:`resize` gives them some.

        An array kept from the block still refers to shared memory afterwards; with ``TYPEDSHM_DEBUG=1`` in the
        environment, writing to it is a fault.

        Parameters
        ----------
        shape
            Of a bare array whose shape varies: the lengths of the axes that vary, or those of all axes.
        timeout
            Seconds to wait for other writers; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        FieldValueError
            There is no room for an array of that shape.
        Timeout, PublisherExists, LayoutMismatch, RegionRefused, MisuseError, Closed, RegionLost
            As for :meth:`write`, when the block is entered.
        """
    def borrow(self, *, max_age: float | None = None) -> Borrow[_T]:
        """Return a read-only view of the newest version in its slot: ``with region.borrow() as t: show(t.image)``.

        Nothing is copied. `t` is read-only, by its type and by its pages, and cannot change: writers skip its
        slot until the block ends. Afterwards a Struct raises Closed; an array taken from it stays valid and pins
        the slot for as long as the array lives.

        All readers together can pin ``slots - 2`` versions, any number of readers each; from 514 slots on, each
        process ``(slots - 2) // 512``. Beyond that, and through a read-only handle, the block gets a read-only
        copy; ``info().copies`` counts those. A loop whose variable still holds the last array when it borrows the
        next pins two versions, which takes four slots.

        Parameters
        ----------
        max_age
            As for :meth:`read`.

        Raises
        ------
        Empty, Stale, Overrun, TornWrite, Closed, RegionLost
            As for :meth:`read`, when the block is entered.
        """
    @overload
    def wait(
        self, *, after: int | None = None, timeout: float | None = ..., copy: Literal[False], until_gone: bool = False
    ) -> int: ...
    @overload
    def wait(
        self,
        *,
        after: int | None = None,
        timeout: float | None = ...,
        copy: Literal[True] = True,
        until_gone: bool = False,
    ) -> _T:
        """Sleep until there is a newer version, and return the newest.

        Parameters
        ----------
        after
            The version to exceed. Default: the newest that this thread got through this handle.
        timeout
            Seconds to wait; None waits for ever. Default: :attr:`timeout` of the handle.
        copy
            False: copy nothing, and return the number of the newest version, which counts as got by this thread.
        until_gone
            Wait no longer than there is somebody to publish a newer version. Whoever has published, or does so
            exclusively, counts until it ends, or closes the region; while nobody has ever published, it waits. A hot
            standby that takes over within 40 ms goes unnoticed.

        Returns
        -------
        value or int
            A private copy, as from :meth:`read`; without `copy` the version's number.

        Raises
        ------
        Timeout
            No newer version was published in time.
        PublisherGone
            With `until_gone`: nobody is left to publish a newer version; noticed within 100 ms.
        Closed
            The handle was closed, before or during the wait.
        RegionLost
            The region's memory was lost.
        RegionReplaced
            The region's name means another one now; looked at every 100 ms.
        """
    @property
    def version(self) -> int:
        """The number of the newest version; 0 while the region is empty."""
    @property
    def lossless(self) -> bool:
        """True if its followers may ask for every version, and writers wait for them."""
    @property
    def dropped(self) -> int:
        """How many versions were missed by all followers of this handle."""
    # see typedshm.contract.CoreRegion for what a subclass has

START_NEXT: Final[int]
START_OLDEST: Final[int]
FOLLOWER_PLACED: Final[int]
FOLLOWER_FULL: Final[int]
FOLLOWER_IN_USE: Final[int]
FOLLOWER_DIFFERS: Final[int]
FOLLOWERS: Final[int]  # that have places

class Follower(Generic[_T]):
    """The part of a follower that is written in C."""

    def __init__(self, region: Ring[_T], first: int, every: bool, borrow: bool, reattach: bool) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> _T: ...
    def poll(self) -> _T | None:
        """Return the next value, or None if there is none just now; it never waits.

        Raises
        ------
        Closed
            The follower, or the region's handle, was closed.
        RegionLost, Exception
            As in a loop, see :meth:`Region.follow`.
        """
    def drain(self, *, most: int | None = None) -> list[_T]:
        """Return a list of all values that are there just now; it never waits.

        An error that is raised loses no value: if there were some before it, they are returned, and the next call
        raises it.

        Parameters
        ----------
        most
            So many values at most; None, the default, takes all.

        Raises
        ------
        Closed, RegionLost, Exception
            As for :meth:`poll`.
        """
    def done(self) -> None:
        """Count what was handed out last as got, now and not when the next is asked for.

        With ``lossless=True`` writers wait for it no longer, and whoever goes on under this name does so behind it.
        Otherwise nothing waits, and nothing happens.

        Raises
        ------
        Closed, MisuseError
            It was closed; or another thread or task is waiting in it.
        """
    def close(self) -> None:
        """End it: a loop over it ends, and a borrowed value is valid no longer.

        What was handed out last counts as got, and its place in a lossless region is left; one with a name is kept for
        `keep` seconds. It is a context manager, too; a block that ends in an error leaves what was handed out last
        uncounted, as the end of the process does, and closing the region.

        Raises
        ------
        MisuseError
            Another thread or task is waiting in it.
        """
    def discard(self) -> None:
        """End it as :meth:`close` does, and give up its name at once: nothing is kept for whoever comes next.

        Raises
        ------
        MisuseError
            Another thread or task is waiting in it.
        """
    @property
    def version(self) -> int:
        """The number of the last version handed out; before the first, the number to exceed."""
    @property
    def dropped(self) -> int:
        """How many versions were missed: they were in no slot any more."""
    @property
    def failed(self) -> int:
        """How many versions raised an error, since they could not be decoded. The step after one goes on behind it."""
    @property
    def pending(self) -> int:
        """How many versions were published and not handed out, also those that are gone."""
    @property
    def closed(self) -> bool:
        """True once it was closed."""
    @property
    def _busy(self) -> bool: ...  # True while a thread or task is in it
    _taken: bool  # Assigned: what follower_find() found was taken
    # see typedshm.contract.CoreFollower for what a subclass has

def follower_find(follower: Follower[_T], /) -> _T | None: ...  # The next value, or None; then say that it was taken
def follower_release(follower: Follower[Any], /) -> None: ...  # What was handed out last is not used any more
def follower_observed(follower: Follower[Any], /) -> int: ...  # The newest version when there was none: to wait behind
def follower_enter(follower: Follower[Any], /) -> None: ...  # Begin to use it, alone
def follower_leave(follower: Follower[Any], /) -> None: ...  # End to use it
def follower_register(
    follower: Follower[Any],
    ring: Ring[Any],
    first: int,
    name: str | None,
    keep: int,
    group: bool,
    redeliver: bool,
    timeout: float | None,
    /,
) -> tuple[int, int]: ...  # (FOLLOWER_PLACED, ..., the place of whom the name belongs to)
def follower_ask(follower: Follower[Any], /) -> None: ...  # Count what was handed out to this thread
def follower_end(follower: Follower[Any], /) -> None: ...  # Leave its place, and count nothing
def follower_move(follower: Follower[_T], ring: Ring[_T], /) -> None: ...  # Go on in another region

Place: TypeAlias = tuple[
    int, Literal["follower", "group", "member"], str, Presence | None, bool, int, int, int, int, int
]
"""(number, kind, name, whose, whether it redelivers, versions behind, since, ns to keep, since when without, lost)"""

def crc32_folded(data: Buffer, before: int, /) -> bytes | None:
    """64 bytes that have, continued from 0xFFFFFFFF, the CRC-32 of a multiple of 64 bytes continued from `before`.

    None if the processor does not multiply polynomials.
    """

def registered(ring: Ring[Any], /) -> list[Place]: ...  # Those that are used; none if the region is not lossless
def recent(ring: Ring[Any], rows: Buffer, /) -> int: ...  # Fills rows of version, time, value; the first one's number
def follower_batch(follower: Follower[Any], most_versions: int, most_bytes: int, /) -> _Batch | None:
    """Take the versions that are there just now, as bytes, or None.

    Each is one complete version, and the follower moves as by as many steps: what it missed is counted, and in a
    lossless region the batch before counts as got. At least one is taken, however large. Values of one size come as an
    array with a row for each; those of varying size as Extents.pack() packs them.
    """

def read_at(ring: Ring[_T], time: int, /) -> tuple[_T, BaseException | None, int, int]:
    """(value, error, version, ns) of the newest version of a time or before; of the oldest there, with None."""

def read_newest(ring: Ring[_T], /) -> tuple[int, _T, BaseException | None]:
    """(version, value, error) of the newest version: an error if the value cannot be decoded."""

def await_newer(ring: Ring[Any], after: int, timeout: float | None, until_gone: bool = False, /) -> None:
    """Sleep until a version is above it; or with `until_gone` until nobody is left to publish one, which raises."""

def is_abandoned(ring: Ring[Any], /) -> bool: ...  # Whether there was somebody to publish, and nobody is left
def newer(ring: Ring[Any], after: int | None, slept: bool, /) -> int | None: ...  # None: there is; else for Waitset
def newest(ring: Ring[Any], /) -> tuple[int, int]: ...  # (version, when it was published in ns since 1970)
def newest_in(mapping: Mapping, /) -> tuple[int, int]: ...  # The same of a region not opened; ValueError: no region
def write_now(ring: Ring[Any], value: Any, over: bool, /) -> bool:
    """Write unless a follower has to be waited for: False. If the time is over, raise instead."""

def publish(ring: Ring[Any], value: Buffer, version: int, time: int, /) -> int:
    """Publish a version with the bytes of `value`, and return its number.

    Bytes are as they stand in memory, and of values of varying size as Extents.pack() packs them. The number is the
    next, or `version`, which has to be above that of the newest; the time of publication is now, or `time`, in ns.
    """

def pinned(ring: Ring[Any], /) -> tuple[int, int]: ...  # (pinned slots, copies that borrow() of this handle made)
def look(opened: Opened, /) -> None: ...  # Raises if the memory, or its name, is gone
def fail(opened: Opened, what: str, /) -> NoReturn:
    """Raise what a failure is called; see typedshm.contract.Failure."""

def detach(opened: Opened, /) -> None: ...  # Stop using the memory: the handle is closed

# ---- tables ----

RowIndex: TypeAlias = tuple[int, int, int] | Buffer  # (start, step, count), or 64-bit numbers

@final
class HeldRows:
    """The rows of a table that this process holds, for all of its threads and handles."""

    def __init__(
        self, mapping: Mapping, lock: WritersLock | None, peers: int | tuple[str, str, int] | None
    ) -> None: ...

class Rows(Opened, Generic[_T]):
    """The verbs of a table that are written in C."""

    def __init__(
        self,
        *,
        mapping: Mapping,
        instance: int,
        mutex: Mutex | None,
        held: HeldRows,
        schema: object,
        size: int,
        refuses: bool,
        keys: dict[str, int] | None,
        words: str,
    ) -> None: ...
    def __len__(self) -> int:
        """Return the number of rows."""
    def __getitem__(self, row: Any, /) -> Any:
        """Return the newest version of one row, or of several as a structured array; see :meth:`read`."""
    def __setitem__(self, row: Any, value: Any, /) -> None:
        """Publish the next version of one row, or of each of several; see :meth:`write`."""
    # see typedshm.contract.CoreTable for what a subclass has

def read_row(table: Rows[_T], row: object, /) -> _T: ...
def zero_row(table: Rows[_T], /) -> _T | None: ...  # read-only; None for models and classes of ctypes
def read_rows(table: Rows[Any], rows: RowIndex, out: Buffer, zero: bool, /) -> None: ...  # zero: those never written
def row_versions(table: Rows[Any], rows: RowIndex, times: bool, /) -> bytearray: ...  # 64-bit numbers; or ns since 1970
def row_holders(table: Rows[Any], rows: RowIndex, /) -> list[tuple[int, int]]: ...  # (number, process id of its holder)
def write_row(table: Rows[_T], row: object, value: _T, timeout: float | EllipsisType | None, /) -> None: ...
def publish_row(table: Rows[Any], row: object, value: Buffer, version: int, time: int, /) -> int: ...  # As publish()
def write_rows(
    table: Rows[Any],
    rows: RowIndex,
    data: Buffer,
    step: int,
    spans: bytes | None,
    timeout: float | EllipsisType | None,
    /,
) -> None:
    """Publish a version of each, of a value every `step` bytes; of `spans` (offset, size) only, if there are any."""

def append_row(table: Rows[_T], value: _T, timeout: float | EllipsisType | None, /) -> int: ...  # Its number
def append_rows(table: Rows[Any], data: Buffer, count: int, timeout: float | EllipsisType | None, /) -> int: ...
def filled_rows(table: Rows[Any], /) -> tuple[int, int, int]: ...  # (filled, tickets, of which lapped)
def update_row(table: Rows[_T], row: object, timeout: float | EllipsisType | None, /) -> RowBlock[_T]: ...
def wait_rows(
    table: Rows[Any], rows: RowIndex, versions: Buffer, timeout: float | EllipsisType | None, /
) -> bytes: ...  # Positions of those that hold another version, once one does

@final
class RowBlock(Generic[_T]):
    """A transaction on one row: published whole at its end, dropped whole if it raises."""

    def __enter__(self) -> _T: ...
    def __exit__(self, kind: _Kind, error: BaseException | None, trace: TracebackType | None, /) -> Literal[False]: ...

@final
class RowSet:
    """Several rows of a table, as one lock that a Guard holds."""

    def __init__(self, table: Rows[Any], rows: RowIndex) -> None: ...

@final
class Changes:
    """The rows of a table that were published since somebody looked last."""

    def __init__(self, table: Rows[Any], all: bool) -> None: ...
    def poll(self) -> bytes: ...  # Their numbers, in 64 bits, ascending
    def wait(self, timeout: float | None, /) -> bytes: ...  # The same, as soon as there are any
    def prepare(self) -> bytes | int: ...  # The same; or if there are none, the number of the news to sleep on

# ---- what the system lacks ----
def missing() -> dict[str, int]: ...  # Each with the system's error, or 0 for no such call; see sharing.fallbacks

# ---- waitset: one thread waits for many rings ----

def report(error: BaseException, concerned: object, /) -> None: ...  # To sys.unraisablehook

WORDS_MAX: Final[int]  # How many regions a thread can sleep on; 0: it has to poll

def sleep_on(watched: list[tuple[Opened, int]], seconds: float, /) -> None:
    """Sleep until one of several handles has not the number that its head had; for a slice at most."""

@final
class Flag:
    """What the threads of waitsets raise for whoever waits elsewhere, without Python's lock."""

    def __init__(self, pollable: bool) -> None: ...
    @property
    def pollable(self) -> int | None: ...  # The descriptor, or on Windows the handle, that loops can wait for
    @property
    def inherited(self) -> bool: ...  # True in a child of a fork
    def set(self) -> None: ...
    def take(self) -> list[Any]: ...  # Lower it; what was given to Waitset.add() and is due, the first one first
    def wait(self, timeout: float | None, /) -> bool: ...  # False: it was not raised in time
    def close(self) -> None: ...  # Wake who waits; nothing is handed out any more

def start_thread(function: Callable[[], object], /) -> None: ...  # Call it in a thread of the system's, as a daemon

WAITSET_ADDED: Final[int]
WAITSET_MOVED: Final[int]
WAITSET_FULL: Final[int]

@final
class Waitset:
    """Handles on whose heads or news the thread that calls attend() sleeps."""

    @overload
    def add(self, opened: Opened, number: int, waiter: object, flag: Flag, /) -> int: ...
    @overload
    def add(self, opened: Opened, number: int, wake: Callable[[], object], /) -> int:
        """Have `wake` called once, or a flag raised that hands out `waiter`, when there is something to look at.

        WAITSET_ADDED; or WAITSET_MOVED if there is already; or WAITSET_FULL, which is for another Waitset to do.
        """
    def rearm(self, ring: Ring[Any], waiter: object, flag: Flag, /) -> int | None:
        """add() with the number that head has: the newest version of then; None: not added, it takes add()."""
    def remove(self, opened: Opened, wake: object, /) -> None: ...  # Neither call it any more, nor hand it out
    def forget(self, opened: Opened, /) -> None: ...  # Call all who wait for it; nothing looks at its memory then
    def awaited(self) -> list[Opened]: ...  # The handles that somebody waits for
    def attend(self, period: float, linger: float, /) -> bool:
        """Sleep and call who is due, for a `period` of seconds.

        False if nobody has waited for `linger` seconds, or another thread attends.
        """
    @property
    def attended(self) -> bool: ...  # True while a thread is at it
    def __len__(self) -> int: ...  # How many handles there are in it
