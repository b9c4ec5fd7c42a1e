"""Consumed: a sample that its reader takes away. The rule of NTP's shared memory."""

from typedshm.foreign.access import Access, Gather, Image, Put
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen


@frozen
class Consumed(Rule):
    """A publisher clears *valid*, raises *count*, stores the fields, raises *count* and sets *valid*.

    A reader that finds *valid* set copies between two equal looks at *count*, and clears *valid*: each sample is for
    one reader. It is cleared only with ``writable=True``; without, a reader looks on and takes nothing away from the
    program the sample is for, also while a sample that was taken lies there: *count* is even then. In mode 0 nobody
    raises *count*, and *valid* is looked at again instead.

    Parameters
    ----------
    mode, count, valid : str
        The fields.
    """

    __match_args__ = ("mode", "count", "valid")
    kind = "consumed"
    summary = "a count around each sample, and a flag that its reader clears"
    mode: str
    count: str
    valid: str

    def latest(self, access: Access) -> int | None:
        """Return the count."""
        return access.number(self.count)

    def fresh(self, access: Access) -> bool:
        """Return True while there is a sample that nobody has taken."""
        return access.number(self.valid) != 0

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy between two looks, and take the sample away if we may."""
        count = access.number(self.count)
        fresh = self.fresh(access)
        guarded = access.number(self.mode) == 1
        if not fresh and (access.writable or count % 2 or (guarded and not count)):
            return None  # it was taken, is being stored, or there has been none yet
        image = gather(0)
        if not fresh and gather(0) != image:
            return None
        if guarded and access.number(self.count) != count:
            return None
        if not guarded and self.fresh(access) != fresh:
            return None
        if access.writable:
            access.put(self.valid, 0)
        return image

    def publish(self, access: Access, put: Put) -> None:
        """Store a sample, and say that the count tells whether it is whole: in mode 0 no reader looks at it."""
        access.put(self.valid, 0)
        access.put(self.mode, 1)
        access.put(self.count, access.number(self.count) + 1)
        put(0)
        access.put(self.count, access.number(self.count) + 1)
        access.put(self.valid, 1)
