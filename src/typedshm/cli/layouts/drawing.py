"""Drawing: the map of a value's bytes as an SVG picture, for documents with a light or a dark background."""

import math
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import typedshm
from typedshm.cli.layouts.tiles import CACHE_LINE, Tile, many, summary, tiles_of
from typedshm.cli.terminal import printable

_SHORT = 24
"""Rows of 8 bytes; what has more is drawn in rows of 16."""

_FOLDED = 4
"""Rows that a field takes entirely, of which only the first and the last are drawn if there are as many between."""

_LEFT, _RIGHT, _MARGIN = 76, 104, 24
_ROW, _GAP, _LINE = 40, 3, 22
_NAME, _SUB, _SMALL = 13, 12.5, 10.5
_SWATCH = 42
_LEAST_DOC = 60

# fill and stroke on light ground, fill and stroke on dark ground
_HUES = (
    ("#bfdbfe", "#2563eb", "#1e40af", "#60a5fa"),
    ("#fed7aa", "#ea580c", "#9a3412", "#fb923c"),
    ("#bbf7d0", "#16a34a", "#166534", "#4ade80"),
    ("#e9d5ff", "#9333ea", "#6b21a8", "#c084fc"),
    ("#a5f3fc", "#0891b2", "#155e75", "#22d3ee"),
    ("#fecdd3", "#e11d48", "#9f1239", "#fb7185"),
    ("#fef08a", "#ca8a04", "#854d0e", "#facc15"),
    ("#c7d2fe", "#4f46e5", "#3730a3", "#818cf8"),
    ("#d9f99d", "#65a30d", "#3f6212", "#a3e635"),
    ("#f5d0fe", "#c026d3", "#86198f", "#e879f9"),
)


class Key(NamedTuple):
    """How a tile is drawn: its number in the legend, colour and shade; the number is 0 where it needs none."""

    number: int
    hue: int
    shade: int


class Segment(NamedTuple):
    """The part of a tile in one row."""

    tile: Tile
    key: Key
    first: int
    """Its first column."""
    columns: int


class Fold(NamedTuple):
    """Rows that are left out, all of one tile."""

    tile: Tile
    key: Key
    first: int
    rows: int


def drawing(layout: "typedshm.Layout") -> str:
    """Return the picture of a layout, as SVG in ASCII."""
    tiles = [tile for tile in tiles_of(layout) if tile.role != "struct"]
    keys = _keys(layout)
    rows, folds = _rows(tiles, keys, 8)
    per_row = 8
    if len(rows) > _SHORT:
        per_row = 16
        rows, folds = _rows(tiles, keys, per_row)
    picture = _Picture(layout, per_row)
    picture.head()
    picture.body(rows, folds)
    picture.legend(layout, keys)
    return picture.finished().encode("ascii", "xmlcharrefreplace").decode("ascii")


def _keys(layout: "typedshm.Layout") -> dict[int, Key]:
    """Return the key of each tile, by its offset: a hue for each field of the layout, shades for those inside."""
    keys: dict[int, Key] = {}
    hue, shade, number = -1, 0, 0
    first = {field.offset for field in layout.fields}  # the items of an array have the hue of the numbers before them
    for tile in tiles_of(layout):
        if tile.role == "padding":
            continue
        if tile.depth == 0 and tile.offset in first:
            hue, shade = (hue + 1) % len(_HUES), 0
        if tile.role != "struct":
            number += 1
            keys[tile.offset] = Key(number, hue, shade % 2)
            shade += 1
    return keys


def _rows(
    tiles: Iterable[Tile], keys: dict[int, Key], per_row: int
) -> tuple[dict[int, list[Segment]], dict[int, Fold]]:
    """Return the segments of each row that is drawn, and those that are not, by the first of them."""
    rows: dict[int, list[Segment]] = {}
    folds: dict[int, Fold] = {}
    for tile in tiles:
        key = keys.get(tile.offset, Key(0, -1, 0)) if tile.role != "padding" else Key(0, -1, 0)
        whole, end = -(-tile.offset // per_row), tile.end // per_row
        hidden = range(whole + 1, end - 1) if end - whole >= _FOLDED + 2 else range(0)
        if hidden:
            folds[hidden[0]] = Fold(tile, key, hidden[0], len(hidden))
        row = tile.offset // per_row
        while row * per_row < tile.end:
            if row in hidden:
                row = hidden[-1] + 1
            first, last = max(tile.offset, row * per_row), min(tile.end, (row + 1) * per_row)
            rows.setdefault(row, []).append(Segment(tile, key, first - row * per_row, last - first))
            row += 1
    return rows, folds


class _Picture:
    """Lines of SVG, written from top to bottom."""

    def __init__(self, layout: "typedshm.Layout", per_row: int) -> None:
        self._layout = layout
        self._per_row = per_row
        self._cell = 64 if per_row == 8 else 42
        self._width = _MARGIN + _LEFT + self._cell * per_row + _RIGHT
        self._id = f"typedshm-{layout.id.hex()[:8]}"
        self._y = 0.0
        self._lines: list[str] = []

    # ---- parts -----------------------------------------------------------------------------------------------------

    def head(self) -> None:
        """Write the title, the sums, and the numbers of the columns."""
        room = self._width - 2 * _MARGIN
        self._text(_MARGIN, 40, _fitted(self._layout.name, room, 20), "name big")
        self._text(_MARGIN, 62, _fitted(summary(self._layout), room, _SUB), "quiet sub")
        self._y = 92
        for column in range(self._per_row):
            self._text(self._x(column) + self._cell / 2, self._y, str(column), "quiet small middle")
        self._y += 8

    def body(self, rows: dict[int, list[Segment]], folds: dict[int, Fold]) -> None:
        """Write the rows of bytes."""
        labels = _labels(rows, self._cell)
        for row in sorted({*rows, *folds}):
            if row in folds:
                self._fold(folds[row])
                continue
            offset = row * self._per_row
            if offset % CACHE_LINE == 0:
                self._cache_line(offset // CACHE_LINE)
            self._text(_MARGIN + _LEFT - 12, self._y + _ROW / 2 + 4, f"{offset:,}", "quiet small end")
            for at, segment in enumerate(rows[row]):
                self._segment(segment, labels.get((row, at)))
            self._y += _ROW + _GAP

    def legend(self, layout: "typedshm.Layout", keys: dict[int, Key]) -> None:
        """Write the list of the fields."""
        self._y += 30
        tiles = [tile for tile in tiles_of(layout) if tile.role != "padding"]
        padded = any(tile.role == "padding" for tile in tiles_of(layout))
        columns = 1 if len(tiles) <= _SHORT + 8 else 2
        room = (self._width - 2 * _MARGIN - 28 * (columns - 1)) / columns
        entries = _Entries.of(tiles, room)
        height = math.ceil((len(tiles) + padded) / columns)
        for column in range(columns):
            self._titles(_MARGIN + column * (room + 28), entries)
        self._y += _LINE
        for at, tile in enumerate(tiles):
            column, line = divmod(at, height)
            self._entry(tile, keys, _MARGIN + column * (room + 28), self._y + line * _LINE, entries)
        if padded:
            column, line = divmod(len(tiles), height)
            x, y = _MARGIN + column * (room + 28), self._y + line * _LINE
            self._box(x, y - 12, _SWATCH - 8, 16, Key(0, -1, 0))
            self._text(x + _SWATCH, y, "padding", "quiet sub")
        self._y += height * _LINE

    def finished(self) -> str:
        """Return the whole picture."""
        height = self._y + 4
        size = f'width="{self._width:g}" height="{height:g}" viewBox="0 0 {self._width:g} {height:g}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" class="typedshm-map"'
                f' aria-labelledby="{self._id}-title {self._id}-desc">',
                f'<title id="{self._id}-title">{_escaped(f"Memory map of {self._layout.name}")}</title>',
                f'<desc id="{self._id}-desc">{_escaped(_description(self._layout))}</desc>',
                f"<style>{_style()}</style>",
                f'<defs><pattern id="{self._id}-hatch" width="7" height="7" patternUnits="userSpaceOnUse"'
                ' patternTransform="rotate(45)"><rect width="7" height="7" class="ground"/>'
                '<line x1="0" y1="0" x2="0" y2="7" class="hatch"/></pattern></defs>',
                f'<rect class="ground frame" x="0.5" y="0.5" width="{self._width - 1:g}" height="{height - 1:g}"'
                ' rx="12"/>',
                *self._lines,
                "</svg>\n",
            ]
        )

    # ---- pieces ----------------------------------------------------------------------------------------------------

    def _x(self, column: float) -> float:
        return _MARGIN + _LEFT + column * self._cell

    def _segment(self, segment: Segment, label: "tuple[str, str] | None") -> None:
        x, width = self._x(segment.first), segment.columns * self._cell
        self._lines.append(f"<g><title>{_escaped(_about(segment.tile))}</title>")
        self._box(x + 1, self._y, width - 2, _ROW, segment.key)
        ticks = "".join(
            f"M{self._x(segment.first + at):g} {self._y + _ROW - 5:g}v5" for at in range(1, segment.columns)
        )
        if ticks:
            self._lines.append(f'<path class="tick" d="{ticks}"/>')
        if label is not None:
            name, below = label
            middle = x + width / 2
            self._text(middle, self._y + (17 if below else 24), name, "name middle")
            self._text(middle, self._y + (30 if name else 24), below, "type small middle")
        self._lines.append("</g>")

    def _fold(self, fold: Fold) -> None:
        left, right, height = self._x(0) + 1, self._x(self._per_row) - 1, _ROW + 8
        teeth = self._per_row * 4
        step = (right - left) / teeth
        zigzag = "".join(f"l{step:.2f} {5 if at % 2 else -5}" for at in range(teeth))
        back = "".join(f"l{-step:.2f} {-5 if at % 2 else 5}" for at in range(teeth))
        top = self._y + 5
        path = f"M{left:g} {top:g}{zigzag}V{top + height - 10:g}{back}Z"
        hidden = Tile("rest", fold.first * self._per_row, fold.rows * self._per_row, "", "", 0, None)
        words = f"{hidden.size:,} more bytes of {fold.tile.path or 'padding'}{_begun(hidden.begun)}"
        self._lines.append(f"<g><title>{_escaped(_about(fold.tile))}</title>")
        self._lines.append(f'<path class="fold {_classes(fold.key)}" d="{path}"/>')
        text = _fitted(words, right - left - 20, _NAME)
        self._text((left + right) / 2, self._y + height / 2 + 4, text, "name middle")
        self._lines.append("</g>")
        self._y += height + _GAP

    def _cache_line(self, number: int) -> None:
        if number:
            self._y += 5
        x, right, y = self._x(0), self._x(self._per_row), self._y - 2.5
        if number:
            self._lines.append(f'<path class="mark" d="M{x - _LEFT + 8:g} {y:g}H{right + _RIGHT - 16:g}"/>')
        self._text(right + 12, self._y + 14, f"cache line {number:,}", "quiet small")
        self._y += 2 if number else 0

    def _box(self, x: float, y: float, width: float, height: float, key: Key) -> None:
        fill = f' fill="url(#{self._id}-hatch)"' if key.hue < 0 else ""
        self._lines.append(
            f'<rect class="{_classes(key)}"{fill} x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"/>'
        )

    def _titles(self, x: float, entries: "_Entries") -> None:
        self._text(x, self._y, "field", "quiet small")
        self._text(x + entries.offset, self._y, "offset", "quiet small end")
        self._text(x + entries.size, self._y, "bytes", "quiet small end")
        self._text(x + entries.type, self._y, "type", "quiet small")

    def _entry(self, tile: Tile, keys: dict[int, Key], x: float, y: float, entries: "_Entries") -> None:
        """Write a line of the legend."""
        name, weight = x + _indent(tile), "name bold" if tile.role == "struct" else "name"
        self._lines.append(f"<g><title>{_escaped(_about(tile))}</title>")
        if tile.role != "struct":
            key = keys[tile.offset]
            self._box(name - _SWATCH, y - 12, _SWATCH - 8, 16, key)
            self._text(name - (_SWATCH + 8) / 2, y - 0.5, f"#{key.number}", "name middle tiny")
        offset = f"{tile.offset:,}"
        room = entries.offset - _wide(offset, _SUB) - 8 - _indent(tile)
        self._text(name, y, _fitted(tile.name, room, _NAME), weight)
        self._text(x + entries.offset, y, offset, "quiet sub end")
        self._text(x + entries.size, y, f"{tile.size:,}", "quiet sub end")
        self._text(x + entries.type, y, _fitted(_kind(tile), entries.doc - entries.type, _SUB), "type sub")
        doc = tile.field.doc if tile.field is not None and tile.role != "rest" else ""
        if entries.end - entries.doc > _LEAST_DOC:
            self._text(x + entries.doc, y, _fitted(doc, entries.end - entries.doc, _SUB), "quiet sub")
        self._lines.append("</g>")

    def _text(self, x: float, y: float, text: str, classes: str) -> None:
        if text:
            self._lines.append(f'<text x="{x:g}" y="{y:g}" class="{classes}">{_escaped(text)}</text>')


class _Entries(NamedTuple):
    """Where the columns of the legend are, from its left edge; numbers end there, texts begin."""

    offset: float
    size: float
    type: float
    doc: float
    end: float

    @classmethod
    def of(cls, tiles: list[Tile], room: float) -> "_Entries":
        """Give each column what its texts need, and to descriptions what is left."""
        offsets = max(_wide("offset", _SMALL), *(_wide(f"{tile.offset:,}", _SUB) for tile in tiles))
        sizes = max(_wide("bytes", _SMALL), *(_wide(f"{tile.size:,}", _SUB) for tile in tiles))
        numbers = offsets + sizes + 40
        kinds = max(_wide(_kind(tile), _SUB) for tile in tiles) + 18
        names = max(_indent(tile) + _wide(tile.name, _NAME) for tile in tiles)
        names = min(names, max(room - numbers - kinds, (room - numbers) / 2))
        type_ = names + numbers
        return cls(names + 16 + offsets, type_ - 8, type_ + 10, min(type_ + 10 + kinds, room), room)


def _indent(tile: Tile) -> float:
    return 14 * min(tile.depth, 6) + (0 if tile.role == "struct" else _SWATCH)


def _kind(tile: Tile) -> str:
    return " ".join(filter(None, (tile.type, tile.unit if tile.role != "rest" else "")))


# ---- texts ---------------------------------------------------------------------------------------------------------


def _labels(rows: dict[int, list[Segment]], cell: int) -> dict[tuple[int, int], tuple[str, str]]:
    """Return what is written into segments, by row and position: each tile is named once, in its first widest one."""
    widest: dict[int, tuple[int, int, int]] = {}
    for row, segments in sorted(rows.items()):
        for at, segment in enumerate(segments):
            count = widest.get(segment.tile.offset, (0, 0, 0))[0]
            if segment.columns > count:
                widest[segment.tile.offset] = (segment.columns, row, at)
    return {(row, at): _label(rows[row][at], cell) for _, row, at in widest.values()}


def _label(segment: Segment, cell: int) -> tuple[str, str]:
    """Return the name that fits, and below it, in small letters, the type if that does too."""
    tile, room = segment.tile, segment.columns * cell - 8
    if tile.role == "padding":
        return "", ("padding" if _wide("padding", _SMALL) <= room else "")
    whole = f"{tile.path}: {tile.name}" if tile.role == "rest" else tile.path
    for name in (whole, tile.name):
        if _wide(name, _NAME) <= room:
            kind = _kind(tile)
            shown = kind if _wide(kind, _SMALL) <= room else tile.type if _wide(tile.type, _SMALL) <= room else ""
            return name, shown
    return ("", tile.name) if _wide(tile.name, _SMALL) <= room else (f"#{segment.key.number}", "")


def _begun(lines: range) -> str:
    if not lines:
        return ""
    return f", cache line {lines[0]:,}" if len(lines) == 1 else f", cache lines {lines[0]:,} to {lines[-1]:,}"


def _wide(text: str, size: float) -> float:
    """Return about how wide a text is, in a font whose letters are all of one width."""
    return sum(1.2 if unicodedata.east_asian_width(letter) in "WF" else 0.61 for letter in text) * size


def _fitted(text: str, room: float, size: float) -> str:
    text = printable(text)
    if _wide(text, size) <= room:
        return text
    while text and _wide(text, size) + size > room:
        text = text[:-1]
    return f"{text}…" if text else ""


def _about(tile: Tile) -> str:
    words = "padding" if tile.role == "padding" else " ".join(filter(None, (f"{tile.path}:", tile.type, tile.unit)))
    if tile.role == "rest":
        words = f"{tile.path}: {tile.name}"
    doc = f"; {printable(tile.field.doc)}" if tile.field is not None and tile.field.doc else ""
    return f"{words}, {many(tile.size, 'byte')} at {tile.offset:,}{doc}"


_MOST_DESCRIBED = 64


def _description(layout: "typedshm.Layout") -> str:
    about = [_about(tile) for tile in tiles_of(layout)]
    more = [f"and {len(about) - _MOST_DESCRIBED} more"] if len(about) > _MOST_DESCRIBED else []
    return ". ".join([summary(layout), *about[:_MOST_DESCRIBED], *more]) + "."


def _escaped(text: str) -> str:
    text = printable(text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _classes(key: Key) -> str:
    return f"h{key.hue} s{key.shade}" if key.hue >= 0 else "pad"


def _style() -> str:
    return "\n".join([*_rules(dark=False), "@media (prefers-color-scheme: dark) {", *_rules(dark=True), "}"])


def _rules(*, dark: bool) -> Iterator[str]:
    ground, ink, quiet, edge, tick = (
        ("#0f172a", "#f8fafc", "#94a3b8", "#334155", "#f8fafc")
        if dark
        else ("#ffffff", "#0f172a", "#64748b", "#e2e8f0", "#0f172a")
    )
    if not dark:
        mono = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
        yield f".typedshm-map text {{ font-family: {mono}; }}"
        yield f".typedshm-map .name {{ font-size: {_NAME}px; }} .typedshm-map .big {{ font-size: 20px; }}"
        yield f".typedshm-map .small {{ font-size: {_SMALL}px; }} .typedshm-map .sub {{ font-size: 12.5px; }}"
        yield ".typedshm-map .tiny { font-size: 11px; } .typedshm-map .bold, .typedshm-map .big { font-weight: 600; }"
        yield ".typedshm-map .middle { text-anchor: middle; } .typedshm-map .end { text-anchor: end; }"
        yield ".typedshm-map .s1 { fill-opacity: .5; } .typedshm-map .fold { fill-opacity: .45; }"
        yield ".typedshm-map .pad { stroke-dasharray: 3 3; }"
        yield ".typedshm-map .mark { stroke-width: 1.5; stroke-dasharray: 2 4; }"
    yield f".typedshm-map .ground {{ fill: {ground}; }} .typedshm-map .frame {{ stroke: {edge}; }}"
    yield f".typedshm-map .name {{ fill: {ink}; }} .typedshm-map .type {{ fill: {ink}; fill-opacity: .75; }}"
    yield f".typedshm-map .quiet {{ fill: {quiet}; }} .typedshm-map .mark {{ stroke: {quiet}; }}"
    yield f".typedshm-map .tick {{ stroke: {tick}; stroke-opacity: .25; }} .typedshm-map .pad {{ stroke: {quiet}; }}"
    yield f".typedshm-map .hatch {{ stroke: {edge if dark else '#cbd5e1'}; stroke-width: 3; }}"
    for at, (fill, stroke, dark_fill, dark_stroke) in enumerate(_HUES):
        colours = (dark_fill, dark_stroke) if dark else (fill, stroke)
        yield f".typedshm-map .h{at} {{ fill: {colours[0]}; stroke: {colours[1]}; }}"
