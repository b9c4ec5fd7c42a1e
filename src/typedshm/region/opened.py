"""Opened: what handles of regions and of tables have in common."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, Self, TypeVar

import typedshm._native as _native
from typedshm import hooks
from typedshm.arguments import flag, refuse_positional, seconds
from typedshm.errors import Closed, FieldValueError, RegionRefused, TypedshmError
from typedshm.html_table import html_table
from typedshm.layout.layout import Layout
from typedshm.memory.attachment import Attachment, Handle
from typedshm.memory.names import Name
from typedshm.memory.participant import participants, utc
from typedshm.region.info import Snapshot
from typedshm.region.waitset import forget
from typedshm.schema.base import Schema

if TYPE_CHECKING:
    from typedshm.contract import Failure
    from typedshm.schema.arrays import SchemaSource

T = TypeVar("T")


class Opened(_native.Opened, Generic[T]):
    """A handle of named shared memory. It is a context manager that closes itself."""

    _noun = "region"
    """What it is a handle of, for messages."""

    _handle: Handle
    _attachment: Attachment
    _schema: Schema[T]
    _refusal: str | None

    def _start(self, handle: Handle, schema: Schema[T], refusal: str | None) -> None:
        self._handle = handle
        self._attachment = handle.attachment
        self._schema = schema
        self._refusal = refusal

    @property
    def _title(self) -> str:
        """What messages begin with."""
        return f"{self._noun} {str(self.name)!r}"

    # ---- what it is ----

    @property
    def name(self) -> Name:
        """The name it was opened by."""
        return self._handle.location.name

    @property
    def layout(self) -> Layout:
        """The layout of this handle's values."""
        return self._schema.layout

    @property
    def schema(self) -> "type[T] | SchemaSource[T]":
        """What describes this handle's values, as :func:`create` takes it: ``create("copy", region.schema)``.

        It is the schema that was given; of a handle that was opened without one, a Struct class or what :func:`array`
        returns, made from the document in the memory.
        """
        schema: type[T] | SchemaSource[T] = self._schema.argument
        return schema

    @property
    def readonly(self) -> bool:
        """True if this handle cannot write."""
        return self._handle.mutex is None or self._refusal is not None

    @property
    def instance(self) -> str:
        """16 digits that tell this making of it from others of the same name."""
        return f"{self._attachment.header['instance']:016x}"

    def _state(self) -> dict[str, Any]:
        """Return what info() reports of regions and tables alike; raises if the memory is lost."""
        attachment = self._attachment
        header, present = attachment.header, attachment.participants
        deaths, died = attachment.deaths
        self._look()
        found = attachment.named(self._handle.location)
        return {
            "name": self.name,
            "scope": self._handle.location.scope,
            "layout": self._schema.layout,
            "created": utc(header["created"]),
            "slots": header["slots"],
            "payload_size": header["payload_size"],
            "size": header["region_size"],
            "writers": participants(present, have_written=True, now=True),
            "readers": participants(present, have_written=False, now=True),
            "deaths": deaths,
            "last_death": utc(died) if died else None,
            "instance": self.instance,
            "unlinked": found is None,
            "replaced": found is not None and found["instance"] != header["instance"],
        }

    def info(self) -> Snapshot:
        """Report the state."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        """Return the state as a table, for notebooks."""
        try:
            state = self.info().shown()
        except TypedshmError:  # what repr() tells is all there is
            state = []
        return html_table(repr(self), state)

    def _place(self) -> str:
        """Say what its name leads to, if not to it; raises if the memory is lost."""
        self._look()
        found = self._attachment.named(self._handle.location)
        if found is None:
            return ", unlinked"
        return "" if found["instance"] == self._attachment.header["instance"] else ", replaced"

    # ---- opening once more, closing ----

    def reattach(self, *_: Never, timeout: float | None = 0, exclusive: bool | None = None) -> Self:
        """Open what has this one's name now: a new handle, of the same schema and options.

        For after :class:`RegionReplaced`, or when the name has led nowhere. This handle stays as it is; close it when
        what it holds is of no more use. A handle that was opened without a schema takes the new layout.

        Parameters
        ----------
        timeout
            Seconds to wait for it to appear; None waits for ever.
        exclusive
            Whether to publish exclusively, as for :func:`attach`. Default: if this handle does.

        Returns
        -------
        Region or Table
            A handle of this very one if that still has the name.

        Raises
        ------
        RegionNotFound, Timeout
            There is none, or none appeared in time.
        LayoutMismatch
            The new one has another layout than the schema.
        PublisherExists
            Another process publishes to it exclusively, and this handle is to.
        """
        refuse_positional(_, "reattach", "reattach(timeout={}) to wait at most {} seconds for it to appear")
        handle, schema = self._handle, None if self._schema.source is None else self._schema
        state = handle.location, schema, handle.mutex is None, self.timeout, handle.paging
        claims = handle.exclusive if exclusive is None else flag(exclusive, "exclusive")
        opened: Self = hooks.reattach(*state, seconds(timeout), self._noun == "table", claims)
        return opened

    def close(self) -> None:
        """Leave it. Values, arrays and blocks that outlive the handle stay valid; every verb raises :class:`Closed`.

        Other handles in this process are not affected. While there are arrays from :meth:`Region.borrow`, their slots
        stay pinned, and the process keeps the memory.

        Raises
        ------
        MisuseError
            A thread still holds a block or a lock of this handle.
        """
        if not self._handle.close():
            self._fail("open block")
        _native.detach(self)
        forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the file descriptor by which the process has it open, for those who close all others.

        It is for that alone: ``DaemonContext(files_preserve=[region])``. Whoever reads, locks or closes it breaks the
        memory. On Windows only what lies in files has one, and nothing closes the others.

        Raises
        ------
        Closed, RegionLost
            The handle was closed; or this process has closed the descriptor already.
        RegionRefused
            There is none.
        """
        if self.closed:
            self._fail("closed")
        self._look()
        try:
            return self._attachment.fileno()
        except OSError as error:
            raise RegionRefused(f"{self._title} has no file descriptor, and needs none kept open") from error

    # ---- called by the C core ----

    def _fail(self, what: "Failure") -> NoReturn:
        raise NotImplementedError

    def _undecodable(self, error: Exception, version: int) -> Exception:
        if isinstance(error, StopIteration | StopAsyncIteration):  # would end the loop in which it is raised
            told = RuntimeError(f"decoding a value raised {type(error).__name__}")
            told.__cause__ = error
            error = told
        error.add_note(f"in version {version} of {self._title}")
        return error

    def _refuse_excess(self, value: Any, path: str) -> NoReturn:
        for name in path.split("."):  # the last of which refuses
            value = getattr(value, name)
        # unless its number is another one already, in a slot that somebody else writes to
        raise FieldValueError(f"{self._schema.layout.name}.{path}: expected no more items than there is room for")

    def _look(self) -> None:
        if self._attachment.loss:
            self._fail("gone")

    def _look_at_name(self) -> None:
        self._attachment.check(self._handle.location)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.closed:
            raise Closed(f"{self._title} is closed and cannot be pickled")
        handle, attachment = self._handle, self._attachment
        instance, readonly = attachment.header["instance"], handle.mutex is None
        state = (
            handle.location,
            self._schema.form,
            instance,
            readonly,
            self.timeout,
            handle.paging,
            self._schema.checks,
        )
        return hooks.reopen, state
