"""HTML tables, in which notebooks show values, regions and their state."""

from collections.abc import Iterable, Sequence

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_LEFT = ' style="text-align: left"'


def html_table(caption: str, rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return a table for a ``_repr_html_`` method; the texts are escaped.

    Parameters
    ----------
    caption
        What is shown.
    rows
        The texts of each row's cells; the first one names the row.
    heads
        The names of the columns; a table without them has no head.
    """
    lines = [f"<table><caption{_LEFT}>{_escaped(caption)}</caption>"]
    if heads:
        lines.append("<thead><tr>" + "".join(f"<th{_LEFT}>{_escaped(head)}</th>" for head in heads) + "</tr></thead>")
    lines.append("<tbody>")
    for name, *cells in rows:
        shown = "".join(f"<td{_LEFT}>{_escaped(cell)}</td>" for cell in cells)
        lines.append(f"<tr><th{_LEFT}>{_escaped(name)}</th>{shown}</tr>")
    lines.append("</tbody></table>")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    # as html.escape does, without that module, whose table of names takes a millisecond to import
    return "".join(_ESCAPES.get(character, character) for character in text)
