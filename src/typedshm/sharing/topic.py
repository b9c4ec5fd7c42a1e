"""Topic: one declaration of a region, from which every process opens the same one."""

from typing import Any, Generic, TypeVar, cast, overload

import numpy as np

from typedshm.arguments import flag
from typedshm.frozen import Frozen, frozen
from typedshm.memory.names import Name, Scope, locate
from typedshm.memory.paging import paging_of
from typedshm.region.region import Region
from typedshm.schema.arrays import NDArray, SchemaSource
from typedshm.schema.resolve import check_source, schema_of, schema_of_form
from typedshm.schema.table_schema import TableSchema
from typedshm.sharing import opening
from typedshm.sharing.options import check_lossless, check_slots
from typedshm.table.table import Table

T = TypeVar("T")
S = TypeVar("S")
H = TypeVar("H", bound=Region[Any] | Table[Any], covariant=True)
"""What a topic's verbs return: the handle, with the type of its values."""


@frozen
class Topic(Frozen, Generic[H]):
    """One declaration of a region's name, schema and options, from which every process opens the same region.

    It stands in a module that all programs import::

        CAR = typedshm.Topic("car", Telemetry, slots=64)

        with CAR.create() as region: ...           # in one of them
        with CAR.attach(timeout=5) as region: ...  # in the others

    A topic is constant, opens nothing by itself, and may be declared before its region exists. Topics of equal
    declarations are equal; they can be keys, and reach other processes by pickle wherever their class is declared, as
    regions do. ``CAR.changed(name="car-2")`` is the same declaration under another name. The type of a topic of
    Telemetry is ``Topic[Region[Telemetry]]``.

    Name and options are checked here. What the fields of a model or dataclass are is looked at when the topic is first
    used, so the class may refer to others that are declared further down. A name means what it means when it is used:
    in the ``TYPEDSHM_NAMESPACE`` of that moment, and relative to the working directory if it is a relative path.

    Parameters
    ----------
    name : str or pathlib.Path
        Any text; or a path for a file-backed region, which outlives its processes.
    schema : type, SchemaSource or numpy.dtype
        A Struct, a pydantic model, a dataclass, a ``ctypes.Structure``, a structured dtype of NumPy, or :func:`array`.
    slots : int, optional
        How many versions are kept, 1 to 65,536. Default: as many as :func:`create` keeps, and for :meth:`open` whatever
        there is.
    lossless : bool, optional
        Whether followers may ask for every version, as for :func:`create`. Default: False, and for :meth:`open`
        whatever there is.
    scope : "user" or "machine"
        Who shares the name.
    mode : int, optional
        Permission bits, as for :func:`create`.
    prefault, lock_memory, huge_pages
        How the pages are provided, as for :func:`create`.
    check : bool
        Whether writers hear of broken constraints, as for :func:`create`.

    Raises
    ------
    NameRefused
        No region can have that name.
    SchemaError
        The schema is neither a class that can have a layout nor an array description.
    TypeError, ValueError
        An option is not one of those that it can be; the message names it.
    """

    __match_args__ = (
        "name",
        "schema",
        *("slots", "lossless", "scope", "mode", "prefault", "lock_memory", "huge_pages", "check"),
    )
    name: Name
    schema: "type[Any] | SchemaSource[Any] | np.dtype[Any] | TableSchema[Any]"
    slots: int | None = None
    lossless: bool | None = None
    scope: Scope = "user"
    mode: int | None = None
    prefault: bool | None = None
    lock_memory: bool = False
    huge_pages: bool = False
    check: bool = True

    @overload
    def __init__(
        self: "Topic[Table[T]]",
        name: Name,
        schema: TableSchema[T],
        *,
        slots: int | None = ...,
        scope: Scope = ...,
        mode: int | None = ...,
        prefault: bool | None = ...,
        lock_memory: bool = ...,
        huge_pages: bool = ...,
        check: bool = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: "Topic[Region[T]]",
        name: Name,
        schema: type[T] | SchemaSource[T],
        *,
        slots: int | None = ...,
        lossless: bool | None = ...,
        scope: Scope = ...,
        mode: int | None = ...,
        prefault: bool | None = ...,
        lock_memory: bool = ...,
        huge_pages: bool = ...,
        check: bool = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: "Topic[Region[NDArray[np.void]]]",
        name: Name,
        schema: "np.dtype[Any]",
        *,
        slots: int | None = ...,
        lossless: bool | None = ...,
        scope: Scope = ...,
        mode: int | None = ...,
        prefault: bool | None = ...,
        lock_memory: bool = ...,
        huge_pages: bool = ...,
        check: bool = ...,
    ) -> None: ...
    def __init__(
        self,
        name: Name,
        schema: "type[Any] | SchemaSource[Any] | np.dtype[Any] | TableSchema[Any]",
        *,
        slots: int | None = None,
        lossless: bool | None = None,
        scope: Scope = "user",
        mode: int | None = None,
        prefault: bool | None = None,
        lock_memory: bool = False,
        huge_pages: bool = False,
        check: bool = True,
    ) -> None:
        locate(name, scope, mode)
        if not isinstance(schema, TableSchema):
            check_source(schema)
        of_table = isinstance(schema, TableSchema)
        lossless = None if lossless is None else check_lossless(lossless, of_table=of_table)
        slots = None if slots is None else check_slots(slots, of_table=of_table, lossless=lossless)
        paging = paging_of(prefault, lock_memory, huge_pages)
        pages = paging.prefault, paging.locked, paging.huge
        super().__init__(name, schema, slots, lossless, scope, mode, *pages, flag(check, "check"))

    def create(
        self,
        *,
        slots: int | None = None,
        lossless: bool | None = None,
        mode: int | None = None,
        prefault: bool | None = None,
        lock_memory: bool | None = None,
        huge_pages: bool | None = None,
        check: bool | None = None,
        exclusive: bool = False,
    ) -> H:
        """Create the region, as :func:`create` does.

        Parameters
        ----------
        slots, lossless, mode, prefault, lock_memory, huge_pages, check
            Those that are given count instead of the topic's own, for this call.
        exclusive
            Publish exclusively, so that no other process may write. It is no part of the declaration.

        Raises
        ------
        RegionExists
            A living region has the topic's name.
        RegionFull, RegionRefused, SchemaError
            As for :func:`create`.
        """
        pages = {"prefault": prefault, "lock_memory": lock_memory, "huge_pages": huge_pages}
        declared = self._options(slots=slots, lossless=lossless, mode=mode, **pages, check=check)
        options = {**declared, "exclusive": exclusive}
        return cast("H", opening.create(self.name, self.schema, scope=self.scope, **options))

    def open(
        self,
        *,
        slots: int | None = None,
        lossless: bool | None = None,
        mode: int | None = None,
        prefault: bool | None = None,
        lock_memory: bool | None = None,
        huge_pages: bool | None = None,
        check: bool | None = None,
        exclusive: bool = False,
    ) -> H:
        """Attach to the region, or create it if it does not exist, as :func:`open` does.

        Parameters
        ----------
        slots, lossless, mode, prefault, lock_memory, huge_pages, check
            Those that are given count instead of the topic's own, for this call.
        exclusive
            Publish exclusively, so that no other process may write. It is no part of the declaration.

        Raises
        ------
        LayoutMismatch
            The region has another layout; the message shows the difference field by field.
        PublisherExists
            Another process publishes exclusively, and this one was to.
        RegionFull, RegionRefused, RegionCorrupt, SchemaError
            As for :func:`create` and :func:`attach`.

        Warns
        -----
        RegionWarning
            The region exists with other options than the topic or this call asks for.
        """
        pages = {"prefault": prefault, "lock_memory": lock_memory, "huge_pages": huge_pages}
        declared = self._options(slots=slots, lossless=lossless, mode=mode, **pages, check=check)
        options = {**declared, "exclusive": exclusive}
        return cast("H", opening.open(self.name, self.schema, scope=self.scope, **options))

    def attach(
        self,
        *,
        timeout: float | None = 0,
        readonly: bool = False,
        prefault: bool | None = None,
        lock_memory: bool | None = None,
        check: bool | None = None,
        exclusive: bool = False,
    ) -> H:
        """Open the existing region, as :func:`attach` does, with whatever slots and mode it has.

        Parameters
        ----------
        timeout
            Seconds to wait for the region to appear; None waits for ever.
        readonly
            Open it without the right to write; read permission is enough.
        prefault, lock_memory, check
            Those that are given count instead of the topic's own, for this call.
        exclusive
            Publish exclusively; with a `timeout`, as a hot standby, once no other process does. It is no part of the
            declaration.

        Raises
        ------
        RegionNotFound
            There is no such region, and `timeout` is 0.
        Timeout
            The region did not appear in time.
        PublisherExists
            Another process publishes exclusively, and did not go in time.
        LayoutMismatch
            The region has another layout; the message shows the difference field by field.
        RegionRefused, RegionCorrupt, SchemaError
            As for :func:`attach`.
        """
        options = {
            **self._options(prefault=prefault, lock_memory=lock_memory, check=check),
            "exclusive": exclusive,
        }
        return cast(
            "H",
            opening.attach(self.name, self.schema, timeout=timeout, readonly=readonly, scope=self.scope, **options),
        )

    def unlink(self, *, unused: bool = False) -> None:
        """Remove the region's name, or its file, as :func:`unlink` does. Processes that have it open keep it.

        Parameters
        ----------
        unused
            Only if no process has it open.

        Raises
        ------
        RegionNotFound
            No region has the topic's name.
        RegionRefused
            It is not permitted; or it was to be `unused` and is not.
        """
        opening.unlink(self.name, scope=self.scope, unused=unused)

    def _options(self, **given: Any) -> dict[str, Any]:
        """Return the options of a call: what was given there, or else what was declared, if anything was."""
        options = {name: getattr(self, name) if value is None else value for name, value in given.items()}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def _declared(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        options = {name: getattr(self, name) for name in self.__match_args__[2:]}
        return {name: value for name, value in options.items() if value != getattr(Topic, name)}

    def __repr__(self) -> str:
        """Return the declaration: ``Topic('car', Telemetry, slots=64)``."""
        schema = self.schema.__qualname__ if isinstance(self.schema, type) else repr(self.schema)
        options = (
            f"{name}={value:#o}" if name == "mode" else f"{name}={value!r}" for name, value in self._declared.items()
        )
        return f"Topic({', '.join((repr(self.name), schema, *options))})"

    def __copy__(self: S) -> S:
        return self

    def __deepcopy__(self: S, memo: object) -> S:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        schema: Any = self.schema
        table: tuple[Any, ...] | None = None
        if isinstance(schema, TableSchema):
            schema, table = cast("Any", schema).row, (cast("Any", schema).count, cast("Any", schema).keys)
        form = None if schema is None else schema_of(schema).form
        return _unpickled, (self.name, form, self._declared, table)


def _unpickled(name: Name, form: Any, options: dict[str, Any], table: tuple[Any, ...] | None = None) -> Topic[Any]:
    schema = schema_of_form(form)
    argument: Any = None if schema is None else schema.argument  # None: rows() of whatever table there is
    given: Any = argument if table is None else cast("Any", TableSchema)(argument, *table)
    made: Topic[Any] = cast("Any", Topic)(name, given, **options)
    return made
