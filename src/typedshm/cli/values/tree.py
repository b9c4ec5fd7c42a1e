"""Trees: the rows of a value below each other."""

from collections.abc import Iterator, Sequence

from typedshm.cli.terminal import cells, cut, either, width
from typedshm.cli.values.parts import Part
from typedshm.cli.values.rows import Row


def tree(found: Sequence[Row], part: Part, docs: bool) -> Iterator[str]:
    """Yield a line for each row, the values below each other."""
    roots = 0 if part.field.struct is not None else 1  # a struct has no row of its own
    guides = [""] * roots + list(_guides([row.depth - roots for row in found[roots:]]))
    widths = [cells(guide + row.name) for guide, row in zip(guides, found, strict=True) if row.text]
    room = min(max(widths, default=0), width() // 2)
    for guide, row in zip(guides, found, strict=True):
        name = cut(guide + row.name, room) if row.text else guide + row.name
        gap = " " * (room - cells(name) + 2)
        unit = f" {row.unit}" if row.unit and row.text else ""
        doc = f"  {row.doc}" if docs and row.doc else ""
        yield f"{name}{gap}{row.text}{unit}{doc}".rstrip()


def _guides(depths: Sequence[int]) -> Iterator[str]:
    """Yield what stands before the names of a tree's rows: ``│  ├─ ``."""
    down, branch, last = (either("│  ", "|  "), either("├─ ", "|- "), either("└─ ", "`- "))
    goes_on: list[tuple[bool, ...]] = []
    below: set[int] = set()  # the depths at which another row follows before one of a lesser depth
    for depth in reversed(depths):
        below = {other for other in below if other <= depth}
        goes_on.append(tuple(at in below for at in range(depth + 1)))
        below.add(depth)
    for row in reversed(goes_on):
        yield "".join(down if more else "   " for more in row[:-1]) + (branch if row[-1] else last)
