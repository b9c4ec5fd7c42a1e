"""CsvFile: columns as a table of text."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.layout import Layout
from typedshm.recording.columns import Column


class CsvFile:
    """A CSV file that is being written.

    The first line has the names of the columns; a unit stands behind the name, as ``speed [m/s]``. Times are in UTC, as
    in ISO 8601; durations are in nanoseconds; raw bytes are hexadecimal; where there is no number, there is nothing.

    Parameters
    ----------
    path
        The file.
    columns
        Those that are going to be written.
    layout
        Of the values.
    """

    def __init__(self, path: Path, columns: Sequence[Column], layout: Layout) -> None:
        del layout
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        units = [f"{column.name} [{column.unit}]" if column.unit else column.name for column in columns]
        self._writer.writerow(["time", *units])

    def __enter__(self) -> "CsvFile":
        """Return the file itself, which the block closes."""
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, times: NDArray[Any], columns: Sequence[Column]) -> None:
        """Append versions, a line each."""
        self._writer.writerows(zip(_times(times), *map(_texts, columns), strict=True))


def _texts(column: Column) -> "list[Any]":
    values, kind = column.values, column.values.dtype.kind
    texts: list[Any]
    if column.kind == "bytes":
        texts = [value.hex() for value in values.tolist()]
    elif kind == "M":
        texts = _times(values)
    elif kind == "m":
        texts = values.astype("m8[ns]").astype(np.int64).tolist()
    elif kind == "f" and values.dtype.itemsize < 8:
        texts = values.astype(str).tolist()  # as short as they can be, and not with the digits of a longer one
    else:
        texts = values.tolist()
    if column.missing is not None:
        texts = ["" if missing else text for text, missing in zip(texts, column.missing.tolist(), strict=True)]
    return texts


def _times(times: NDArray[Any]) -> list[str]:
    return ["" if text == "NaT" else f"{text}Z" for text in np.datetime_as_string(times).tolist()]
