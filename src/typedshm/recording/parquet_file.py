"""ParquetFile: columns as a table of Apache Parquet."""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.layout import Layout
from typedshm.recording.columns import Column


class ParquetFile:
    """A Parquet file that is being written, in UTC and with units as metadata of the columns.

    A complex number is two columns, ``z.real`` and ``z.imag``, as Parquet has none.

    Parameters
    ----------
    path
        The file.
    columns
        Those that are going to be written, with any number of values.
    layout
        Of the values; the file has its document.

    Raises
    ------
    ImportError
        pyarrow is not installed.
    """

    def __init__(self, path: Path, columns: Sequence[Column], layout: Layout) -> None:
        try:
            self._arrow: Any = importlib.import_module("pyarrow")  # which is heavy, and optional
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise ImportError("a file of Parquet needs pyarrow: pip install pyarrow") from error
        arrow = self._arrow
        fields = [arrow.field("time", arrow.timestamp("ns", "UTC"))]
        for column in _real(columns):
            unit = {"unit": column.unit} if column.unit else None
            fields.append(arrow.field(column.name, self._type(column), metadata=unit))
        self._schema = arrow.schema(fields, {"typedshm.document": layout.to_document()})
        self._writer = parquet.ParquetWriter(str(path), self._schema)

    def _type(self, column: Column) -> Any:
        arrow = self._arrow
        if column.kind == "text":
            return arrow.string()
        if column.kind == "bytes":
            return arrow.binary()
        return arrow.timestamp("ns", "UTC") if column.values.dtype.kind == "M" else arrow.array(column.values[:0]).type

    def __enter__(self) -> "ParquetFile":
        """Return the file itself, which the block closes."""
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, times: NDArray[Any], columns: Sequence[Column]) -> None:
        """Append versions, a row each."""
        arrays = [self._array(times, None, self._schema.field(0).type)]
        for number, column in enumerate(_real(columns), 1):
            arrays.append(self._array(column.values, column.missing, self._schema.field(number).type))
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def _array(self, values: NDArray[Any], missing: NDArray[np.bool_] | None, kind: Any) -> Any:
        if values.dtype.kind == "M":
            values = values.astype("M8[ns]")
        mask = None if missing is None else np.ascontiguousarray(missing)
        return self._arrow.array(np.ascontiguousarray(values), kind, mask=mask)


def _real(columns: Sequence[Column]) -> Iterator[Column]:
    """Yield columns of what Parquet has."""
    for column in columns:
        if column.values.dtype.kind == "c":
            values: Any = column.values
            yield column._replace(name=f"{column.name}.real", values=values.real)
            yield column._replace(name=f"{column.name}.imag", values=values.imag)
        else:
            yield column
