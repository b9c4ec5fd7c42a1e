"""Still: nothing is offered but, perhaps, a number that changes with each update."""

from typing import Literal

from typedshm.errors import SchemaError, quoted
from typedshm.foreign.access import Access, Gather, Image, Put
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen
from typedshm.layout.layout import Layout

Written = Literal["first", "last"]


@frozen
class Still(Rule):
    """Two copies, one right after the other, that are equal, around a tick that stands still.

    Nobody can be sure of it: a publisher that stops in the middle of an update, for longer than the two copies take,
    shows the same halves to both. A reader does best right after a tick that is stored last, or right before the next
    where it is stored first; ``wait()`` and ``follow()`` keep to that.

    Parameters
    ----------
    tick : str, optional
        A field that changes with each update.
    written : {"last", "first"}
        Whether the publisher stores the tick after the other fields, or before.
    """

    __match_args__ = ("tick", "written")
    kind = "still"
    summary = "two equal copies around a tick that stands still; a publisher that pauses in an update shows both halves"
    tick: str = ""
    written: Written = "last"

    @property
    def certain(self) -> bool:
        """False: nobody can be sure."""
        return False

    @property
    def fields(self) -> tuple[str, ...]:
        """The tick, if there is one."""
        return (self.tick,) if self.tick else ()

    @property
    def public(self) -> tuple[str, ...]:
        """The tick."""
        return self.fields

    def check(self, layout: Layout) -> None:
        """Refuse a layout without the tick, and a rule that cannot be."""
        if self.written not in ("last", "first"):
            raise SchemaError(f'written: expected "last" or "first", found {quoted(self.written)}')
        super().check(layout)

    def latest(self, access: Access) -> int | None:
        """Return the tick."""
        return access.number(self.tick) if self.tick else None

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy twice."""
        before = self.latest(access)
        image = gather(0)
        if image is None or gather(0) != image:
            return None
        return image if self.latest(access) == before else None

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields and the tick, in the rule's order."""
        tick = access.next(self.tick) if self.tick else 0
        if self.tick and self.written == "first":
            access.put(self.tick, tick)
        put(0)
        if self.tick and self.written == "last":
            access.put(self.tick, tick)
