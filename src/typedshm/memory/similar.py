"""Similar names: what may have been meant by a name that does not exist."""

from collections.abc import Iterable

_LONGEST = 256
"""Letters of names that are compared: longer ones are made by programs, and would take them seconds."""


_SIGNS = dict.fromkeys(map(ord, " -_./\\:"))
"""Those that stand between words."""


def similar(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like another one; None if none is."""
    if len(name) > _LONGEST:
        return None
    limit = 1 + min(len(name), 12) // 4
    best, fewest = None, limit + 1
    folded = _folded(name)
    for other in names:
        if other != name and abs(len(other) - len(name)) <= limit:
            changes = 0 if _folded(other) == folded else _changes(name, other, fewest - 1)
            if changes < fewest:
                best, fewest = other, changes
    return best


def _folded(name: str) -> str:
    """Leave out what people confuse: case, and which sign stands between words."""
    return name.casefold().translate(_SIGNS)


def _changes(one: str, other: str, most: int) -> int:
    """Count the letters to insert, delete, replace, or exchange with the next, to make one text of the other.

    What needs more than `most` counts as one more, so that only the places near the diagonal of the table of both
    texts are looked at, and no more of its rows than it takes.
    """
    one, other = _without_common_ends(one, other)
    width, far = 2 * most + 1, most + 1
    if abs(len(one) - len(other)) > most:
        return far
    above: list[int] = []
    row = [place - most if place >= most else far for place in range(width)]
    for i, letter in enumerate(one, 1):
        two_above, above, row = above, row, [far] * width
        for place in range(max(0, most - i), min(width, len(other) - i + most + 1)):
            j = i + place - most
            fewest = min(above[place + 1] if place + 1 < width else far, row[place - 1] if place else far) + 1
            if j:
                fewest = min(fewest, above[place] + (letter != other[j - 1]))
            if i > 1 and j > 1 and one[i - 2 : i] == other[j - 1] + other[j - 2]:
                fewest = min(fewest, two_above[place] + 1)
            row[place] = fewest
        if min(row) > most:
            return far
    return min(row[len(other) - len(one) + most], far)


def _without_common_ends(one: str, other: str) -> tuple[str, str]:
    """Leave out what both begin and end with, which changes nothing."""
    shorter = min(len(one), len(other))
    start = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    end = next((i for i in range(shorter - start) if one[-1 - i] != other[-1 - i]), shorter - start)
    return one[start : len(one) - end], other[start : len(other) - end]
