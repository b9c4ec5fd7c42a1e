"""Publisher: the other side of a rule, for emulators, for tests, and to feed programs that read."""

from types import TracebackType
from typing import Any, Self

from typedshm.arguments import flag, one_of, some_bytes, whole
from typedshm.errors import RegionNotFound, quoted
from typedshm.foreign.place import Where
from typedshm.foreign.resolving import has_blank, resolve, which
from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.section_writer import SectionWriter


class Publisher:
    """Publishes to memory as the program does that a document describes, by the same rule.

    Memory that exists is opened; else it is made, and removed again by :meth:`close`.

    Parameters
    ----------
    memory, schema, consistent, pid, unit
        As of :func:`typedshm.foreign.attach`.
    size
        Bytes of memory that has to be made: for rows, texts and buffers behind the head. Default: those of the head.

    Raises
    ------
    RegionRefused
        The memory may not be opened or made, or has too few bytes.
    ValueError
        A `pid` or `unit` of memory whose name has none.

    Examples
    --------
    >>> with typedshm.foreign.Publisher("mumble-link") as link:  # doctest: +SKIP
    ...     link.write({"version": 2, "name": "my game", "avatar_position": (1, 2, 3)})
    """

    def __init__(
        self,
        memory: Any,
        schema: Any = None,
        *,
        consistent: Rule | None = None,
        size: int = 0,
        pid: int | None = None,
        unit: int = 0,
    ) -> None:
        size = whole(size, "size", 0, "a number of bytes")
        self._writers: dict[str, SectionWriter] = {}
        pid, unit = which(pid, unit)
        self.name, targets = resolve(memory, schema, consistent, pid=pid, unit=unit)
        if pid is not None and not has_blank([target.source for target in targets], "pid"):
            raise ValueError(f"pid: expected None, as no name of {self.name} has a process in it, found {pid}")
        try:
            for target in targets:
                if not target.places:
                    raise RegionNotFound(f"{self.name}: the document has no name for source {target.source.name} here")
                writer = SectionWriter(target.source, target.rule, target.places[0], target.struct, size)
                self._writers[target.source.name] = writer
        except BaseException:
            self.close()
            raise

    def write(self, value: Any, source: str = "", *, frame: bytes | None = None, **parts: Any) -> None:
        """Publish a version.

        Parameters
        ----------
        value
            The head: a Struct of the source's class, a mapping of its fields, or what becomes a Struct. A tick in it is
            raised by one unless the value's is higher.
        source
            Of the document. Default: the first.
        frame
            The bytes of a buffer, where the rule has several.
        **parts
            Rows as a list of Structs or mappings, texts as str, strings as a dict. Where the head says 0 for an offset,
            a stride or a length, it is set; counts always are.

        Raises
        ------
        RegionRefused
            The memory has no room for a part.
        RegionLost
            Somebody has cut the memory short; nobody reads what was published.
        RegionReplaced
            The name of the memory means another by now; looked at every 100 ms. Where it means nothing any more, there
            is a RegionWarning, once.
        """
        frame = None if frame is None else some_bytes(frame, "frame")
        writer = self._writer(source)
        writer.check_names()
        writer.write(value, parts, frame)

    def put(self, offset: int, data: bytes, source: str = "") -> None:
        """Store bytes outside of the rule, such as a table that is made once, before anything is published.

        Raises
        ------
        RegionRefused
            The memory ends before them.
        RegionReplaced
            As by :meth:`write`.
        """
        offset = whole(offset, "offset", 0, "a byte of the memory")
        data = some_bytes(data, "data")
        writer = self._writer(source)
        writer.check_names()
        writer.put(offset, data)

    def _writer(self, source: str) -> SectionWriter:
        first = next(iter(self._writers))
        writer = self._writers[one_of(source, "source", ("", *self._writers)) or first]
        writer.check_open(str(self))
        return writer

    def place(self, source: str = "") -> Where:
        """Return where the memory of a source is."""
        return self._writer(source).place

    def close(self, *, remove: bool = True) -> None:
        """Let go of the memory, and remove what was made here. Does nothing the second time.

        Parameters
        ----------
        remove
            False: it stays, as that of most programs does.
        """
        remove = flag(remove, "remove")
        for writer in self._writers.values():
            writer.close(remove)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # of one that was dropped without close(): its memory stays, its descriptors do not
        try:  # noqa: SIM105  # at the interpreter's end contextlib may be gone
            self.close(remove=False)
        except Exception:
            pass

    def __str__(self) -> str:
        return f"publisher of {quoted(self.name)}"

    def __repr__(self) -> str:
        return f"<Publisher of {quoted(self.name)}: {', '.join(self._writers)}>"
