"""Parity: a number that is odd while an update goes on."""

from typedshm.foreign.access import Access, Gather, Image, Put
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen


@frozen
class Parity(Rule):
    """A publisher makes the number odd, stores the fields, and makes it even again: a seqlock.

    A reader waits while it is odd, copies, and looks for the same number. The number is loaded by itself, twice,
    wherever in the fields it lies.

    Parameters
    ----------
    sequence : str
        The field.
    """

    __match_args__ = ("sequence",)
    kind = "parity"
    summary = "a number that is odd while an update goes on"
    sequence: str

    def latest(self, access: Access) -> int | None:
        """Return the number of the last update that ended."""
        return access.number(self.sequence) & ~1

    def standing(self, access: Access) -> bool:
        """Return True while it is odd."""
        return access.number(self.sequence) % 2 == 1

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy between two looks."""
        before = access.number(self.sequence)
        if before % 2:
            return None
        image = gather(0)
        return image if access.number(self.sequence) == before else None

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields while the number is odd, also after a publisher that died in an update."""
        odd = access.number(self.sequence) | 1
        access.put(self.sequence, odd)
        put(0)
        access.put(self.sequence, odd + 1)
