"""Generation: two numbers that are equal while a table is complete."""

from typedshm.foreign.access import Access, Gather, Image, Put
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen


@frozen
class Generation(Rule):
    """A publisher that makes its table anew clears *second*, sets *first*, and *second* to the same at the end.

    While both are equal and not 0, the table is complete. The values in it change one by one, 8 bytes at a time, each
    of them whole.

    Parameters
    ----------
    first, second : str
        The fields.
    """

    __match_args__ = ("first", "second")
    kind = "generation"
    summary = "two numbers, equal and not 0 while the table is complete; its values change one by one"
    first: str
    second: str

    def standing(self, access: Access) -> bool:
        """Return True while the table is being made."""
        return access.number(self.second) != access.number(self.first)

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy between two looks."""
        second = access.number(self.second)
        if not second or access.number(self.first) != second:
            return None
        image = gather(0)
        return image if access.number(self.second) == second == access.number(self.first) else None

    def publish(self, access: Access, put: Put) -> None:
        """Make the table anew."""
        number = access.number(self.first) + 1 or 1
        access.put(self.second, 0)
        access.put(self.first, number)
        put(0)
        access.put(self.second, number)
