"""RotatingBuffer: three buffers in turn, one being written, one being read. The OBS virtual camera's rule."""

from typedshm.errors import MisuseError, SchemaError
from typedshm.foreign.access import Access, Gather, Image, Put, word_of
from typedshm.foreign.head import Head
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen
from typedshm.layout.layout import Layout


@frozen
class RotatingBuffer(Rule):
    """A publisher raises *write*, stores into the buffer of that number, and sets *read* to it.

    A reader copies the buffer that *read* names, and looks how far *write* has come: with three buffers it overwrites
    the copied one at the third number behind it, and *write* is raised before the buffer is touched. On machines that
    do not keep stores in order the publisher would need a fence, which nobody has seen in it.

    Parameters
    ----------
    read, write : str
        The numbers, which go round at the end of their range.
    offsets : str
        The field with the first byte of each buffer.
    """

    __match_args__ = ("read", "write", "offsets")
    kind = "rotating-buffer"
    summary = "buffers in turn: the number being written is raised first, the number to read last"
    read: str
    write: str
    offsets: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The two numbers."""
        return self.write, self.read

    def check(self, layout: Layout) -> None:
        """Refuse a layout without the two numbers and the offsets."""
        self.check_words(layout, (*self.fields, self.offsets))
        if self._count(layout) < 2:
            raise SchemaError(f"{layout.name}.{self.offsets}: expected the offsets of at least two buffers")
        first = word_of(layout, self.offsets).offset
        last = word_of(layout, f"{self.offsets}[{self._count(layout) - 1}]").offset
        for field in self.fields:
            if first <= word_of(layout, field).offset <= last:
                raise SchemaError(f"{type(self).__name__}: expected {field} elsewhere than in {self.offsets}")

    def _count(self, layout: Layout) -> int:
        shapes = [field.shape for field in layout.fields if field.name == self.offsets]
        return shapes[0][0] if shapes and shapes[0] else 1

    def latest(self, access: Access) -> int | None:
        """Return the number to read."""
        return access.number(self.read)

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy the buffer to read."""
        count = self._count(access.layout)
        number = access.number(self.read)
        image = gather(access.number(f"{self.offsets}[{number % count}]"))
        word = access.word(self.write)
        ahead = word.stored(access.number(self.write) - number)
        return image if ahead < count else None

    def room(self, access: Access, head: Head) -> int:
        """Return the bytes from the next buffer to what lies behind it: another one, or the end of the memory."""
        count = self._count(access.layout)
        words = [f"{self.offsets}[{number}]" for number in range(count)]
        offsets = [access.number(word) for word in words]
        if min(offsets) < access.layout.size or offsets != [head.value(word) for word in words]:
            raise MisuseError(
                f"expected the head in memory to tell where the buffers are, as the one to be stored does, found "
                f"{self.offsets} {', '.join(map(str, offsets))}: put(0, bytes(head)) stores it before the first update"
            )
        base = offsets[self._next(access) % count]
        return max(0, min([access.size, *(offset for offset in offsets if offset > base)]) - base)

    def _next(self, access: Access) -> int:
        word = access.word(self.write)
        return word.number(word.stored(access.number(self.write) + 1))

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields in the next buffer."""
        count, number = self._count(access.layout), self._next(access)
        access.put(self.write, number)
        put(access.number(f"{self.offsets}[{number % count}]"))
        access.put(self.read, number)
