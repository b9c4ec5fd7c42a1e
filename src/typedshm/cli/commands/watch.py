"""``typedshm watch``: regions, and the rows of tables, on a live screen."""

import time
from collections import deque
from typing import TYPE_CHECKING

import click
import numpy as np

import typedshm
from typedshm.cli.amounts import age_of
from typedshm.cli.foreign.naming import as_option, foreign_options, meant_by
from typedshm.cli.screen import BOLD, CHANGED, DIM, PLAIN, live
from typedshm.cli.sources import open_source
from typedshm.cli.tables.arguments import RowCommand, given
from typedshm.cli.tables.changes import TableSource
from typedshm.cli.tables.live import LiveTable
from typedshm.cli.tables.naming import is_number
from typedshm.cli.targets import Scope, Target, attach, name_argument, scope_option, target_of
from typedshm.cli.terminal import either, is_terminal, printable
from typedshm.cli.values.parts import type_of, whole
from typedshm.cli.values.pictures import draw, is_bgr, is_picture
from typedshm.cli.values.rows import Row, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typedshm.cli.samples import Sample, Source

_COURSE = 16  # looks that a field's sparkline shows
_FRESH = 0.5  # seconds for which a changed value stands out
_RECENT = 2.0  # seconds over which the rate is taken
_NAME_CHECK = 0.5  # seconds between looks at whether the name still means this region
_LARGEST = 2**20  # bytes of an array that is summed up at every look
_PICTURE = 4  # lines that a picture has at least
_NUMBERS = {"f16", "f32", "f64", *(f"{sign}{bits}" for sign in "iu" for bits in (8, 16, 32, 64))}


class Trace:
    """The course of one field: its text, when that changed, and its last numbers."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.changed = -_FRESH
        self._numbers: deque[float] = deque(maxlen=_COURSE)

    def add(self, text: str, number: float | None, now: float) -> None:
        """Take the value of one look."""
        if text != self.text:
            self.text, self.changed = text, now
        if number is not None and number - number == 0:  # neither NaN nor infinite
            self._numbers.append(number)

    def sparkline(self) -> str:
        """Return the course in bars; empty where there is none."""
        numbers = self._numbers
        if len(numbers) < 2:
            return ""
        low, high = min(numbers), max(numbers)
        if low == high:
            return ""
        bars = either("▁▂▃▄▅▆▇█", "_.-:=+*#")
        scale = (len(bars) - 1) / (high - low) if high - low < np.inf else 0.0
        return "".join(bars[int((number - low) * scale)] for number in numbers)


class Watched:
    """One name on the screen: the region, row or table that has it now, and what was seen of it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._source: Source | None = None
        self._sample: Sample | None = None
        self._table: LiveTable | None = None
        self._rows: list[Row] = []
        self._traces: dict[str, Trace] = {}
        self._versions: deque[tuple[float, int]] = deque()
        self._dropped = 0
        self._schema = self._state = ""
        self._checked = -_NAME_CHECK

    def look(self, now: float) -> None:
        """Take the newest version, and open the region that has the name now."""
        if now - self._checked >= _NAME_CHECK:
            self._checked = now
            self._check_name()
        if self._source is not None:
            try:
                self._look_at(self._source, now)
            except typedshm.TypedshmError as error:
                self._leave(printable(error))

    def close(self) -> None:
        """Leave the region."""
        if self._source is not None:
            self._source.close()

    def lines(self, columns: int, room: int, now: float, *, pictures: bool) -> list[str]:
        """Return what the screen shows of it.

        Parameters
        ----------
        columns
            The most of a line.
        room
            Its share of the screen, which a picture fills; other lines may be more, and are scrolled.
        now
            The time of :meth:`look`.
        pictures
            Whether to draw them.
        """
        from rich.cells import cell_len, set_cell_size  # rich is heavy

        foreign = self._source is not None and self._source.remark
        name = self._source.label if self._source is not None and foreign else str(self._target)
        heading = set_cell_size(f"{name}  {self._summary(now)}", columns).rstrip()
        lines = [f"{BOLD}{heading}{PLAIN}"]
        if self._table is not None and self._source is not None:
            return lines + self._table.lines(columns, room - 1, time.time(), _FRESH)
        names = ["  " * row.depth + row.name for row in self._rows]
        widest = min(max(map(cell_len, names), default=0), columns // 3)
        for row, name in zip(self._rows, names, strict=True):
            trace = self._traces[row.path]
            course = trace.sparkline() if columns >= 60 else ""
            left = max(columns - widest - 4 - (_COURSE + 1 if course else 0), 1)
            text = row.text + (f" {row.unit}" if row.unit else "")
            cut = set_cell_size(text, left)
            look = CHANGED if now - trace.changed < _FRESH else ""
            shown = cut.rstrip()
            blank = cut[len(shown) :] if course else ""
            lines.append(f"  {set_cell_size(name, widest)}  {look}{shown}{PLAIN}{blank} {course}".rstrip())
        if pictures:
            for row in self._rows:
                if is_picture(row.part.field, row.value):
                    most = max(room - len(lines), _PICTURE)
                    drawn = draw(row.value, columns - 4, most, bgr=is_bgr(row.part.field))
                    lines += [f"    {line}" for line in drawn]
        return lines

    def _summary(self, now: float) -> str:
        if self._table is not None and self._source is not None:
            return "  ".join(filter(None, [self._schema, f"{self._rate(now):,.1f} changes/s", self._state]))
        if self._source is not None and self._source.remark:
            return self._foreign_summary(self._source, now)
        if self._sample is None:
            return self._state
        parts = [self._schema, f"version {self._sample.version:,}"]
        if self._source is not None:
            age = max(time.time() - self._sample.published.timestamp(), 0.0)
            parts += [f"{self._rate(now):,.1f} Hz", f"age {age_of(age)}", f"dropped {self._dropped:,}"]
        return "  ".join(filter(None, [*parts, self._state]))

    def _foreign_summary(self, source: "Source", now: float) -> str:
        if self._sample is None:
            return "  ".join([self._schema, source.remark])
        age = max(time.time() - self._sample.published.timestamp(), 0.0)
        return "  ".join([self._schema, source.remark, f"{self._rate(now):,.1f} Hz", f"age {age_of(age)}"])

    def _rate(self, now: float) -> float:
        while len(self._versions) > 2 and now - self._versions[0][0] > _RECENT:
            self._versions.popleft()
        if len(self._versions) < 2:
            return 0.0
        (since, first), (until, last) = self._versions[0], self._versions[-1]
        return (last - first) / (until - since)

    def _check_name(self) -> None:
        if self._source is not None and self._source.is_abandoned():
            self._leave("")  # or nobody could make it anew
        if self._source is not None and self._source.is_current():
            return
        try:
            found = open_source(self._target, start="newest")
        except typedshm.RegionNotFound:
            found = None
        except click.UsageError as error:  # it has no such row
            self._state = error.message
            return
        except (typedshm.TypedshmError, OSError) as error:
            self._state = printable(error)
            return
        if found is not None and found.is_abandoned():
            found.close()
            found = None
        if found is None:
            was_there = self._sample is not None or self._table is not None
            self._state = f"{'gone' if was_there else 'not there'}; shown again when it comes back"
            return
        self._state = "made anew" if self._sample is not None or self._table is not None else ""
        self.close()
        self._source, self._sample = found, None
        self._schema = type_of(whole(found.layout).field)
        self._table = LiveTable(found) if isinstance(found, TableSource) else None
        if isinstance(found, TableSource):
            self._schema = f"{len(found.table):,} rows of {self._schema}"
        self._rows, self._traces = [], {}
        self._versions.clear()

    def _look_at(self, source: "Source", now: float) -> None:
        version = source.version
        self._versions.append((now, version))
        if self._table is not None:
            self._table.look()
            return
        if not version:
            self._state = "empty: nothing has been written yet"
            return
        before = 0 if self._sample is None else self._sample.version
        if version == before:
            return
        sample = source.read()
        if sample is None:
            return
        if not before and self._state.startswith("empty"):
            self._state = ""
        if before:
            self._dropped += max(sample.version - before - 1, 0)
        self._sample = sample
        self._rows = list(rows_of(source.layout, sample.value, sparkline=0, sampled=True))
        for row in self._rows:
            trace = self._traces.setdefault(row.path, Trace(row.text))
            trace.add(row.text, _number(row), now)

    def _leave(self, reason: str) -> None:
        if self._source is not None:
            self._source.close()
        self._source, self._state = None, reason


def _number(row: Row) -> float | None:
    """Return the number of which a sparkline shows the course: of an array the mean."""
    field, value = row.part.field, row.value
    if value is None or field.struct is not None or field.enum is not None:
        return None
    if field.shape:
        array = np.asarray(value)
        shown = array.dtype.kind in "iuf" and 0 < array.nbytes <= _LARGEST
        return float(array.mean()) if shown else None
    return float(value) if field.kind in _NUMBERS else None


@click.command(
    "watch",
    cls=RowCommand,
    epilog="""\b
Examples:
  typedshm watch car
  typedshm watch car camera --rate 5 --no-image
  typedshm watch replay              a table: the rows that changed last
  typedshm watch replay 17 arms left car     two rows and a region
  typedshm watch --as hwinfo /dev/shm/HWiNFO_SENS_SM2

Keys: q ends, the arrows (or j and k) and page up and down scroll.""",
)
@name_argument("NAME [ROW]…", nargs=-1, required=True)
@scope_option
@click.option("--rate", default=10.0, show_default=True, type=click.FloatRange(0.1, 60), help="Looks a second.")
@as_option
@foreign_options
@click.option("--image/--no-image", "pictures", default=True, help="Whether to draw pictures.")
def command(
    name: "Sequence[str]",
    scope: Scope | None,
    rate: float,
    pictures: bool,
    address_of: str | None,
    pid: int | None,
    unit: int,
) -> None:
    """Show regions, tables and rows live: their values, and what has just changed; q ends.

    Each has its rate, the age of its newest version since it was published, and how many versions were dropped: those
    that came and went between two looks. Writers are not disturbed. A region that ends, is replaced or comes back is
    followed by its name. Where no terminal is, `echo` prints lines.

    Other programs' memory is followed at their pace, by the names of documents, or by its address with --as; it has its
    state in the place of a version.

    Of a table the rows are listed that changed last. What follows its name, and is a number or one of its keys, is the
    row to show instead.
    """
    if not is_terminal():
        raise click.UsageError("watch draws on a terminal, and the output is none; `echo` prints a line a version")
    if address_of is not None:
        meant_by(name[0], address_of=address_of)  # which refuses what is no document
        targets = [Target(text, scope, pid=pid, unit=unit, address_of=address_of) for text in map(given, name)]
    else:
        targets = [target._replace(pid=pid, unit=unit) for target in _targets(name, scope)]
    watched = [Watched(target) for target in targets]
    top = 0
    with live() as screen:
        try:
            while True:
                begun = time.monotonic()
                for each in watched:
                    each.look(begun)
                columns, height = screen.size
                lines: list[str] = []
                for left, each in zip(range(len(watched), 0, -1), watched, strict=True):
                    room = (height - 1 - len(lines)) // left
                    lines += each.lines(columns, room, begun, pictures=pictures)
                room = height - 1
                top = max(min(top, len(lines) - room), 0)
                more = f"  {either('↑↓', 'up/down')} scroll, {len(lines) - room} more" if len(lines) > room else ""
                footer = f"{DIM}{'q ends' + more}"[: columns + len(DIM)]
                screen.paint([*lines[top : top + room], *[""] * (room - len(lines)), footer])
                key = screen.key(max(begun + 1 / rate - time.monotonic(), 0.001))
                if key in ("q", "Q", "\x1b"):
                    return
                top += {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -room, "page down": room}.get(key, 0)
        finally:
            for each in watched:
                each.close()


def _targets(arguments: "Sequence[str]", scope: Scope | None) -> list[Target]:
    """Return what arguments name. One that follows the name of a table, and is a row of it, belongs to that."""
    targets: list[Target] = []
    for text in map(given, arguments):
        if targets and targets[-1].row is None and _is_row(targets[-1], text):
            targets[-1] = targets[-1]._replace(row=text)
        else:
            targets.append(target_of(text, scope))
    return targets


def _is_row(before: Target, text: str) -> bool:
    try:
        with attach(before) as opened:
            return isinstance(opened, typedshm.Table) and (is_number(text) or text in opened.keys)
    except typedshm.RegionNotFound:
        return is_number(text)  # of a table that is still to come
    except (typedshm.TypedshmError, OSError):
        return False
