"""Busy: a flag that is set while an update goes on."""

from typedshm.foreign.access import Access, Gather, Image, Put
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen


@frozen
class Busy(Rule):
    """A publisher sets the flag, stores the fields and then a tick, and clears the flag.

    A reader copies while the flag is clear, and looks again at the flag and then at the tick: an update that began
    after the first look has either set the flag still, or moved the tick before it cleared it. Without a tick an update
    that lies within the copy goes unseen.

    Parameters
    ----------
    flag : str
        The field that is not 0 during an update.
    tick : str, optional
        A field that changes with each update.
    """

    __match_args__ = ("flag", "tick")
    kind = "busy"
    summary = "a flag that is set while an update goes on, and a tick"
    flag: str
    tick: str = ""

    @property
    def certain(self) -> bool:
        """Whether there is a tick."""
        return bool(self.tick)

    @property
    def fields(self) -> tuple[str, ...]:
        """The flag, and the tick if there is one."""
        return (self.flag, self.tick) if self.tick else (self.flag,)

    @property
    def public(self) -> tuple[str, ...]:
        """The tick."""
        return (self.tick,) if self.tick else ()

    def latest(self, access: Access) -> int | None:
        """Return the tick."""
        return access.number(self.tick) if self.tick else None

    def standing(self, access: Access) -> bool:
        """Return True while the flag is set."""
        return access.number(self.flag) != 0

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy while the flag is clear; without a tick, two equal copies."""
        tick = self.latest(access)
        if access.number(self.flag):
            return None
        image = gather(0)
        if not self.tick and image != gather(0):
            return None
        if access.number(self.flag):
            return None
        return image if self.latest(access) == tick else None

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields and the tick while the flag is set."""
        access.put(self.flag, 1)
        put(0)
        if self.tick:
            access.put(self.tick, access.next(self.tick))
        access.put(self.flag, 0)
