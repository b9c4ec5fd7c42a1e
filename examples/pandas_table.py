"""A shared table as a DataFrame, and a DataFrame as a shared table.

    python examples/pandas_table.py

Robots log where they are into one region. Whoever likes reads that as a DataFrame, with nested fields, text and units,
and shares what came of it as a table of its own.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import typedshm
from typedshm import Layout, Shape, Struct, Timestamp, Unit, Utf8, f32, f64, u32, u64


class Pose(Struct):
    """Where something is."""

    x: Annotated[f64, Unit("m")]
    y: Annotated[f64, Unit("m")]


class Sample(Struct):
    """One line of the log."""

    time: Annotated[np.datetime64, Timestamp()]
    robot: Annotated[str, Utf8(8)]
    pose: Pose
    speed: Annotated[f32, Unit("m/s")]


class Log(Struct):
    """The latest samples; number n is at n % 600."""

    count: u64
    samples: Annotated[NDArray[np.void], Shape(600, of=Sample)]


class Summary(Struct):
    """How one robot fared. All its fields are plain, so an array of it is a DataFrame as it is."""

    samples: u32
    speed: Annotated[f32, Unit("m/s")]
    farthest: Annotated[f64, Unit("m")]


SUMMARIES = typedshm.array(Summary, 3)  # the schema of a region whose values are arrays of three


def columns(values: NDArray[Any], layout: Layout, prefix: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield what pandas takes as columns: nested fields as ``pose.x``, text as text, numbers in this machine's order.

    A number in native order is a view of the array. Fields that are arrays themselves have no place in a table.
    """
    for field in layout.fields:
        column = values[field.name]
        if field.shape:
            continue
        if field.struct is not None:
            yield from columns(column, field.struct, f"{prefix}{field.name}.")
        elif field.kind == "utf8":
            yield prefix + field.name, np.char.decode(column, "utf-8")
        else:
            yield prefix + field.name, column.astype(column.dtype.newbyteorder("="), copy=False)


def units(layout: Layout, prefix: str = "") -> dict[str, str]:
    """Return the units of those columns that have one."""
    found: dict[str, str] = {}
    for field in layout.fields:
        if field.struct is not None:
            found |= units(field.struct, f"{prefix}{field.name}.")
        elif field.unit:
            found[prefix + field.name] = field.unit
    return found


def to_frame(values: NDArray[Any], layout: Layout) -> pd.DataFrame:
    """Return an array of structs as a DataFrame over the same memory, with the units in its ``attrs``."""
    frame = pd.DataFrame(dict(columns(values, layout)), copy=False)
    frame.attrs["units"] = units(layout)
    return frame


def drive(log: typedshm.Region[Log]) -> None:
    """Log what three robots do in ten seconds; a real one would do so from a process of its own."""
    start = np.datetime64("2025-01-01T12:00:00", "ns")
    for tick in range(100):
        with log.update() as value:
            for number, robot in enumerate(("Ada", "Bürgi", "Curie"), 1):
                value.samples[value.count % 600] = Sample(
                    time=start + np.timedelta64(100 * tick, "ms"),
                    robot=robot,
                    pose=Pose(x=0.1 * number * tick, y=2.0 * number),
                    speed=number,
                )
                value.count += 1


def main() -> None:
    with typedshm.create("log", Log) as log, typedshm.create("summary", SUMMARIES) as shared:
        drive(log)

        value = log.read()  # one whole version, and a copy of our own, which the DataFrame may look into
        frame = to_frame(value.samples[: value.count], Sample.layout)
        same = np.shares_memory(frame["pose.x"].to_numpy(), value.samples)
        print(frame.tail(3).to_string(index=False))
        print("units:", frame.attrs["units"])
        print("a column is the value's own memory:", same)

        robots = frame.assign(distance=np.hypot(frame["pose.x"], frame["pose.y"])).groupby("robot")
        summary = robots.agg(samples=("time", "size"), speed=("speed", "mean"), farthest=("distance", "max"))

        # back: by position, so first the columns in the order of the fields; then exactly the region's dtype
        records = summary[[field.name for field in Summary.layout.fields]].to_records(index=False)
        shared.write(records.astype(SUMMARIES.dtype))

        print(pd.DataFrame(shared.read(), index=summary.index).to_string())


if __name__ == "__main__":
    main()
