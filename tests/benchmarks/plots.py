"""The plots: everybody's medians, and how costs grow."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measurement import OURS, Measurement
from report import COLUMNS, WAYS, Family, best_of_families, way

mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "typedshm", "font.size": 9})

COLOURS = dict(
    zip(
        COLUMNS,
        (
            *("#c1121f", "#1d4e89", "#1b1b1b", "#2a9d8f", "#8e5ea2"),
            *("#e08e0b", "#5f6b73", "#7a4b2a", "#4f9d2f", "#d06b9c"),
            *("#00a6d6", "#b3a100"),
        ),
        strict=True,
    )
)
WAY_COLOURS = dict(zip(WAYS, ("#c1121f", "#1d4e89", "#2a9d8f", "#e08e0b", "#8e5ea2"), strict=True))
PANELS = {
    "journey": "the journey of ten values",
    "records": "one record of 80 bytes",
    "frames": "1080p pictures",
    "wakes": "wake-up",
    "streams": "a stream of 80-byte records",
    "arrivals": "arrival",
}
SCALES = {"ns": 1 / 1000, "µs": 1, "ms": 1000}
"""Microseconds in each unit of time."""
OBJECT_PANELS = {"fields": "one field", "objects": "a whole value"}


def peers(measurements: Sequence[Measurement], family: Family, path: Path) -> None:
    """One dot for the best of every family, one line for every work, on logarithmic scales of time."""
    _panels(measurements, PANELS, family, COLUMNS, COLOURS, path)


def objects(measurements: Sequence[Measurement], path: Path) -> None:
    """Draw the same of fields and whole values, one dot for every way of having them."""
    _panels(measurements, OBJECT_PANELS, way, WAYS, WAY_COLOURS, path)


def _panels(
    measurements: Sequence[Measurement],
    panels: dict[str, str],
    family: Family,
    heads: dict[str, str],
    colours: dict[str, str],
    path: Path,
) -> None:
    times = {section: [m for m in measurements if m.section == section and m.unit in SCALES] for section in panels}
    times = {section: works for section, works in times.items() if works}
    figure = Figure(figsize=(9.5, 1.4 + 0.26 * sum(len(works) + 2 for works in times.values())), layout="constrained")
    heights = [len(works) + 1 for works in times.values()]
    axes = figure.subplots(len(times), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (section, works) in zip(axes, times.items(), strict=True):
        _dots(axis, works, family, heads, colours)
        axis.set_title(panels[section], loc="left", fontweight="bold", fontsize=9)
    axes[-1].set_xlabel("microseconds, logarithmic; further left is better")
    handles = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    order = [name.replace("&shy;", "") for name in heads.values()]
    shown = sorted(handles, key=order.index)
    figure.legend([handles[label] for label in shown], shown, loc="outside upper center", ncols=5, frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _dots(
    axis: Axes, works: Sequence[Measurement], family: Family, heads: dict[str, str], colours: dict[str, str]
) -> None:
    for row, work in enumerate(works):
        scale = SCALES[work.unit]
        for column, value in best_of_families(work, family).items():
            ours = column == OURS
            axis.plot(
                scale * value,
                row,
                marker="D" if ours else "o",
                markersize=7 if ours else 5.5,
                color=colours[column],
                linestyle="",
                zorder=3 if ours else 2,
                label=heads[column].replace("&shy;", "") if row == 0 else None,
            )
    axis.set_yticks(range(len(works)), [work.name for work in works])
    axis.set_ylim(len(works) - 0.4, -0.6)
    axis.set_xscale("log")
    axis.grid(axis="x", which="major", color="#dddddd")
    axis.spines[["top", "right"]].set_visible(False)


def growth(measurements: Sequence[Measurement], path: Path) -> None:
    """One panel for every curve, the copy as a dashed line."""
    curves: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        if measurement.growth:
            curves.setdefault(measurement.growth, []).append(measurement)
    rows = (len(curves) + 1) // 2
    figure = Figure(figsize=(9.5, 2.9 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False).flat
    for axis, (curve, points) in zip(axes, curves.items(), strict=False):
        labels = dict.fromkeys(label for point in points for label in point.costs)
        for label in labels:
            if label.endswith((", one reader", ", one region")):
                continue
            there = [(point.size, point.costs[label].p50) for point in points if label in point.costs]
            copy = label == "memcpy"
            axis.plot(
                *zip(*there, strict=True),
                marker="" if copy else "o",
                markersize=4,
                linestyle="--" if copy else "-",
                color=COLOURS[OURS] if label == OURS else "black" if copy else None,
                linewidth=2 if label == OURS else 1.2,
                label=label,
            )
        what, _, verb = curve.partition(", ")
        axis.set_title(f"{verb}: microseconds against {what}", loc="left", fontsize=9, fontweight="bold")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.grid(color="#e6e6e6")
        axis.legend(fontsize=7, frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in list(axes)[len(curves) :]:
        axis.set_visible(False)
    figure.savefig(path, metadata={"Date": None})
