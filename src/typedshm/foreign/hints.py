"""Hints: what to write instead of a name that nothing has."""

from collections.abc import Sequence

from typedshm.memory.similar import similar

_SHOWN = 8
"""Names that a message lists."""


def hint_of(name: str, known: Sequence[str]) -> str:
    """Return the rest of a message about a name that nothing has: the closest one, or the first few."""
    close = similar(name, known) or next((other for other in known if name in other), None)
    if close is not None:
        return f"did you mean {close!r}?"
    more = f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
    return f"there are {', '.join(known[:_SHOWN])}{more}"
