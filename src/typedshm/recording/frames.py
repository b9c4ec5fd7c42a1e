"""Frames: recorded versions as a DataFrame of pandas."""

import importlib
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.layout import Layout
from typedshm.recording.columns import Column, columns_of


def frame_of(name: str, array: NDArray[np.void], layout: Layout, fields: Iterable[str] | None) -> Any:
    """Return a DataFrame of what :meth:`Recording.array` returned; the parameters are those of ``columns_of``.

    Raises
    ------
    ImportError
        pandas is not installed.
    RecordingError
        There would be too many columns.
    """
    try:
        pd: Any = importlib.import_module("pandas")  # which is heavy, and optional
    except ImportError as error:
        raise ImportError("a frame of a recording needs pandas: pip install pandas") from error
    columns = columns_of(name, array, layout, fields)
    index = pd.DatetimeIndex(np.ascontiguousarray(array["time"]), tz="UTC", name="time")
    frame = pd.DataFrame({column.name: _series(column, pd) for column in columns}, index=index, copy=False)
    frame.attrs["units"] = {column.name: column.unit for column in columns if column.unit}
    return frame


def _series(column: Column, pd: Any) -> Any:
    """Return the values as pandas has them, missing where there is none."""
    values, missing = column.values, column.missing
    if missing is None or not missing.any():
        return np.ascontiguousarray(values)
    if values.dtype.kind in "iu":
        return pd.arrays.IntegerArray(np.array(values), np.array(missing))
    if values.dtype.kind == "f":
        return np.where(missing, cast("Any", np.nan), values)
    none = np.array("NaT", values.dtype) if values.dtype.kind in "mM" else None
    return np.where(missing, cast("Any", none), values)
