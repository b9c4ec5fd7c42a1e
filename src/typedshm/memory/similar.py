"""Similar names: what may have been meant by a name that does not exist."""

from collections.abc import Iterable


def similar(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like another one; None if none is."""
    limit = 1 + min(len(name), 12) // 4
    best, fewest = None, limit + 1
    for other in names:
        if other != name and abs(len(other) - len(name)) <= limit:
            changes = 0 if _folded(other) == _folded(name) else _changes(name, other)
            if changes < fewest:
                best, fewest = other, changes
    return best


def _folded(name: str) -> str:
    """Leave out what people confuse: case, and which sign stands between words."""
    return "".join(letter for letter in name.casefold() if letter not in " -_./\\:")


def _changes(one: str, other: str) -> int:
    """Count the letters to insert, delete, replace, or exchange with the next, to make one text of the other."""
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        two_above, above, row = above, row, [i]
        for j, wanted in enumerate(other, 1):
            fewest = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and one[i - 2 : i] == wanted + other[j - 2]:
                fewest = min(fewest, two_above[j - 2] + 1)
            row.append(fewest)
    return row[-1]
