"""Glance: what can be told of a region or mutex without opening it."""

from collections.abc import Callable

import typedshm._native as _native
from typedshm.errors import TypedshmError
from typedshm.frozen import Frozen, frozen
from typedshm.memory.attachment import LOST, Writer
from typedshm.memory.names import Location


@frozen
class Glance(Frozen):
    """A look at a region or mutex by one who does not join it, takes no lock and keeps nobody waiting.

    Attributes
    ----------
    size
        Bytes of its file or section; None where the system does not tell.
    in_use
        Whether a process has it open; None where this one may not look.
    is_ours
        True if its memory belongs to this user.
    header
        As checked; None if there is no finished region in it, or none that is to be trusted.
    version, published
        The newest version's number, and when it was published in ns since 1970; 0 while there is none.
    owner
        The living holder of the writers' lock.
    publisher
        Who publishes exclusively.
    participants
        ``(presence entry, process id, whether it has written)`` of every living process that may write.
    problem
        Why there is no header, where there should be one.
    """

    __match_args__ = (
        *(
            "size",
            "in_use",
            "is_ours",
            "header",
            "version",
            "published",
            "owner",
            "publisher",
            "participants",
            "problem",
        ),
    )
    size: int | None = None
    in_use: bool | None = None
    is_ours: bool = False
    header: "_native.Header | None" = None
    version: int = 0
    published: int = 0
    owner: "_native.Presence | None" = None
    publisher: "_native.Presence | None" = None
    participants: "tuple[_native.Presence, ...]" = ()
    problem: str = ""

    def looked_into(self, location: Location, peers: Writer, mapped: Callable[[], _native.Mapping]) -> "Glance":
        """Return it with what stands in the memory.

        Parameters
        ----------
        location
            For the words of a problem.
        peers
            By which participants can be asked whether they live.
        mapped
            Maps the memory.
        """
        try:
            mapping = mapped()
            if _native.region_state(mapping) != _native.STATE_READY:
                return self.changed(problem=f"{location} holds no finished region")
            header, (version, published) = _native.read_header(mapping), _native.newest_in(mapping)
            owner, publisher = _native.owner(mapping, peers), _native.publisher(mapping, peers)
            participants = _native.participants(mapping, peers)
        except TypedshmError as error:
            return self.changed(problem=str(error))
        except ValueError as error:
            return self.changed(problem=f"{location}: its header is not to be trusted: {error}")
        except OSError as error:
            return self.changed(problem=f"{location} cannot be looked into: {error.strerror}")
        if mapping.lost:
            return self.changed(problem=f"{location} {LOST}")
        return self.changed(
            header=header,
            version=version,
            published=published,
            owner=owner,
            publisher=publisher,
            participants=tuple(participants),
        )
