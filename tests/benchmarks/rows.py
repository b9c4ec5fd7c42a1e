"""Rows: ours beside one peer's, for a program to read and for people in tables."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from measurement import OURS, Death, Measurement

AFTER_DEATH = "the next write after a writer was killed half-way"


@dataclass
class Row:
    """One line. `ours` and `theirs` are medians. None where there is nothing to say.

    `ratio` is ours to theirs, the median over the rounds and so not always the quotient of the two; `bar` is the most
    that it may be.
    """

    section: str
    name: str
    peer: str
    ours: float | None
    theirs: float | None
    unit: str
    ratio: float | None
    bar: float | None
    met: bool | None
    ours_p99: float | None = None
    theirs_p99: float | None = None
    ours_torn: int | None = None
    theirs_torn: int | None = None
    note: str = ""


def of_measurement(measurement: Measurement) -> list[Row]:
    """Ours beside each of the others; those who have a bar first."""
    ours = measurement.costs[OURS]
    rows: list[Row] = []
    others = [label for label in measurement.costs if label != OURS]
    for label in sorted(others, key=lambda label: label not in measurement.bars):
        theirs = measurement.costs[label]
        ratio = ours.ratio(theirs)
        bar = measurement.bars.get(label)
        met = None if bar is None or ratio is None else ratio <= bar
        rows.append(
            Row(
                *(measurement.section, measurement.name, label, ours.p50, theirs.p50, measurement.unit),
                *(ratio, bar, met, ours.p99, theirs.p99, ours.torn, theirs.torn),
                f"{theirs.lost} never came" if theirs.lost else "",
            )
        )
    return rows


def of_deaths(deaths: Sequence[Death]) -> list[Row]:
    """How long the next write took, and in words what else there was."""
    ours = next((death for death in deaths if death.peer == OURS), None)
    rows: list[Row] = []
    for death in deaths:
        if death is ours or ours is None:
            continue
        mine, theirs = (None if each.seconds is None else 1e6 * each.seconds for each in (ours, death))
        ratio = mine / theirs if mine is not None and theirs else None
        note = _words(death)
        torn = int(not ours.whole), int(not death.whole)
        rows.append(
            Row("deaths", AFTER_DEATH, death.peer, mine, theirs, "µs", ratio, None, None, None, None, *torn, note)
        )
    return rows


def of_ours(deaths: Sequence[Death]) -> list[str]:
    """What became of ours, in words."""
    return [f"{OURS}: {_words(death)}" for death in deaths if death.peer == OURS]


def _words(death: Death) -> str:
    return f"readers {death.reads}; the next writer {death.next_write}; thereafter readers {death.then}"


def table(rows: Iterable[Row]) -> str:
    """Lay the rows out for a terminal."""
    lines = [f"{'':<58}{'ours':>10}{'theirs':>12} {'':<10}{'ratio':>8}  {'bar':>5}  met  peer"]
    for row in rows:
        met = {True: "yes", False: "NO", None: ""}[row.met]
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        bar = "" if row.bar is None else f"{row.bar:.3f}"
        torn = f", {row.theirs_torn} torn" if row.theirs_torn else ""
        torn += f", OURS {row.ours_torn} TORN" if row.ours_torn else ""
        lines.append(
            f"{row.name:<58}{number(row.ours):>10}{number(row.theirs):>12} {row.unit:<10}{ratio:>8}  {bar:>5}  {met:<3}"
            f"  {row.peer}{torn}" + (f": {row.note}" if row.note else "")
        )
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Three digits, and no more than there are."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def save(rows: Iterable[Row], path: Path) -> None:
    """Write them as a JSON list, one row a line."""
    lines = ",\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
