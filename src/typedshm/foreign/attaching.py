"""attach(): other programs' memory, opened for reading by its rule."""

import os
from functools import partial
from typing import Any, TypeVar, cast, overload

import typedshm._native as _native
from typedshm.arguments import flag, seconds
from typedshm.errors import RegionNotFound, found
from typedshm.foreign.document import Document
from typedshm.foreign.place import Where
from typedshm.foreign.region import ForeignRegion
from typedshm.foreign.resolving import resolve, which
from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.section_reader import SectionReader
from typedshm.memory.retry import OPEN_TIMEOUT, retry
from typedshm.struct.struct import Struct

S = TypeVar("S", bound=Struct)


@overload
def attach(
    memory: Where,
    schema: type[S],
    *,
    consistent: Rule | None = None,
    timeout: float | None = 0,
    writable: bool = False,
    pid: int | None = None,
    unit: int = 0,
    abi: str | None = None,
) -> ForeignRegion[S]: ...
@overload
def attach(
    memory: Where | Document,
    schema: str | os.PathLike[str] | Document | None = None,
    *,
    consistent: Rule | None = None,
    timeout: float | None = 0,
    writable: bool = False,
    pid: int | None = None,
    unit: int = 0,
    abi: str | None = None,
) -> ForeignRegion[Any]: ...
def attach(
    memory: Any,
    schema: Any = None,
    *,
    consistent: Rule | None = None,
    timeout: float | None = 0,
    writable: bool = False,
    pid: int | None = None,
    unit: int = 0,
    abi: str | None = None,
) -> ForeignRegion[Any]:
    r"""Open memory that another program publishes to, to be read by that program's own rule.

    It is never made, and not held once its publisher is dead: a reader that does either keeps the program from its own
    memory.

    Parameters
    ----------
    memory
        Alone: the name of a document that comes with typedshm, such as ``"mumble-link"``, or ``"acc/physics"`` for one
        section of it; the path of a document of your own; or a :class:`Document`. It says where the memory is. With
        `schema`, where the memory is: the exact name of a section of Windows or for ``shm_open``, a ``pathlib.Path``
        for a file (Proton's bridges have theirs in ``/dev/shm``), ``SysV(key)`` or ``Descriptor(fd)``.
    schema
        A Struct class, or a document.
    consistent
        The rule, such as ``Counters("begin", "end")``. Default: that of the document; for a Struct :class:`Still`, two
        equal copies.
    timeout
        Seconds to wait until the memory exists; None waits for ever.
    writable
        Ask for the right to write, for :meth:`ForeignRegion.write` and for rules whose readers leave a mark: samples
        that are taken, readers that are counted.
    pid
        The publisher's process, for memory whose name has it; it also tells when the publisher is dead.
    unit
        Which one of several, for memory whose name in the document has a number.
    abi
        One of the document's, such as ``"utf-16"``. Default: this system's.

    Returns
    -------
    ForeignRegion
        A handle to read, wait and follow with.

    Raises
    ------
    RegionNotFound
        There is no such memory, and `timeout` is 0.
    Timeout
        It did not appear in time.
    RegionRefused
        It may not be opened.
    ValueError
        A `unit` of what there is but one of.
    DocumentError
        There is no such document, or it is invalid.
    SchemaError
        The layout has no fields as the rule names them.

    Examples
    --------
    >>> with typedshm.foreign.attach("mumble-link", timeout=5) as link:  # doctest: +SKIP
    ...     for place in link.follow():
    ...         print(place.name, place.avatar_position)
    """
    patience = seconds(timeout, negative=False)
    writable = flag(writable, "writable")
    pid, unit = which(pid, unit)
    if abi is not None and not isinstance(cast("object", abi), str):
        raise TypeError(f"abi: expected the name of one, or None for this system's, found {found(abi)}")
    name, targets = resolve(memory, schema, consistent, pid=pid, unit=unit)
    alive = None if pid is None else partial(_native.process_lives, pid)
    readers = [
        SectionReader(
            target.source, target.rule, target.places, struct=target.struct, writable=writable, alive=alive, abi=abi
        )
        for target in targets
    ]
    region: ForeignRegion[Any] = ForeignRegion(name, readers, writable)

    def attempt() -> bool:
        readers[0].open()
        return True

    try:
        awaited = () if patience == 0 else RegionNotFound
        retry(attempt, str(region), OPEN_TIMEOUT if patience == 0 else patience, awaited=awaited)
    except BaseException:
        region.close()
        raise
    return region
