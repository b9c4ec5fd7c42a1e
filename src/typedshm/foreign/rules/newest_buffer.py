"""NewestBuffer: several buffers, written in turn, each with the tick of what is in it. iRacing's rule."""

from typedshm.errors import MisuseError, RegionCorrupt, SchemaError
from typedshm.foreign.access import Access, Gather, Image, Put
from typedshm.foreign.head import Head
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen
from typedshm.layout.layout import Layout


@frozen
class NewestBuffer(Rule):
    """The head has a row for each buffer: its tick and its offset, and often a tick that is stored before the update.

    A reader takes the buffer with the highest tick, copies it and looks at both ticks again. If they have moved, it
    takes the newest of then. Publishers that do not store the first tick can start to overwrite a buffer unseen; with
    three buffers a reader has the time of two updates until then.

    Parameters
    ----------
    buffers : str
        The field with a row for each buffer.
    count : str
        How many of the rows are in use.
    tick, begin, offset : str
        Fields of a row: the tick, stored after the update; the one stored before, or ``""``; the first byte.
    size : str
        The field with the bytes of one buffer.
    """

    __match_args__ = ("buffers", "count", "tick", "begin", "offset", "size")
    kind = "newest-buffer"
    summary = "buffers that are written in turn, each with its tick before and after the update"
    buffers: str
    count: str
    tick: str
    begin: str
    offset: str
    size: str

    @property
    def certain(self) -> bool:
        """Whether an update is announced before it begins."""
        return bool(self.begin)

    @property
    def fields(self) -> tuple[str, ...]:
        """The ticks of the first row: those of the others lie as far apart as the rows do."""
        names = [self.begin, self.tick] if self.begin else [self.tick]
        return tuple(f"{self.buffers}.{name}" for name in names)

    def words(self, layout: Layout) -> tuple[str, ...]:
        """Return the ticks of all rows: those of buffers that are not written stay."""
        rows = next(field for field in layout.fields if field.name == self.buffers)
        names = [self.begin, self.tick] if self.begin else [self.tick]
        return tuple(self._of(row, name) for row in range(rows.shape[0]) for name in names)

    def check(self, layout: Layout) -> None:
        """Refuse a layout without those rows."""
        rows = {field.name: field for field in layout.fields}.get(self.buffers)
        if rows is None or rows.struct is None or len(rows.shape) != 1:
            raise SchemaError(f"{layout.name}.{self.buffers}: expected rows of Structs, one for each buffer")
        self.check_words(layout, (self.count, self.size, self._of(0, self.offset), *self.fields))

    def _of(self, row: int, name: str) -> str:
        return f"{self.buffers}[{row}].{name}"

    def _count(self, access: Access) -> int:
        rows = next(field for field in access.layout.fields if field.name == self.buffers)
        return max(0, min(access.number(self.count), rows.shape[0]))

    def _ticks(self, access: Access) -> list[tuple[int, int]]:
        """Return the tick and the number of each buffer, the newest first."""
        ticks = [(access.number(self._of(row, self.tick)), row) for row in range(self._count(access))]
        return sorted(ticks, reverse=True)

    def latest(self, access: Access) -> int | None:
        """Return the highest tick."""
        ticks = self._ticks(access)
        return ticks[0][0] if ticks else None

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy the newest buffer, or the next newest if that is being written by now."""
        size = access.number(self.size)
        for tick, row in self._ticks(access):
            offset = access.number(self._of(row, self.offset))
            if size < 0 or offset < 0 or offset + size > access.size:
                raise RegionCorrupt(
                    f"{self.buffers}[{row}]: expected a buffer within the section's {access.size:,} bytes, found "
                    f"{size:,} bytes at {offset:,}"
                )
            image = gather(offset)
            begun = access.number(self._of(row, self.begin)) if self.begin else tick
            # 0 where the program does not store it
            if image is not None and begun in (tick, 0) and access.number(self._of(row, self.tick)) == tick:
                return image
        return None

    def room(self, access: Access, head: Head) -> int:
        """Return the bytes that readers take for a buffer, as far as the memory has them."""
        _, row = self._oldest(access)
        base = access.number(self._of(row, self.offset))
        return max(0, min(head.integer(self.size), access.size - base)) if base >= 0 else 0

    def _oldest(self, access: Access) -> tuple[int, int]:
        """Return the next tick, and the number of the buffer that it will be in."""
        ticks = self._ticks(access)
        if not ticks:
            raise MisuseError(
                f"expected the head in memory to tell where the buffers are, found {self.count} 0: put(0, bytes(head)) "
                "stores it before the first update"
            )
        return ticks[0][0] + 1, ticks[-1][1]

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields in the oldest buffer."""
        tick, row = self._oldest(access)
        if self.begin:
            access.put(self._of(row, self.begin), tick)
        put(access.number(self._of(row, self.offset)))
        access.put(self._of(row, self.tick), tick)
