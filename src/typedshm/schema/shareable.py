"""What share() accepts: the schema of a value, and the form in which it is written."""

import ctypes
import sys
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar, cast

import numpy as np

from typedshm.errors import FieldTypeError, FieldValueError, SchemaError, found, quoted
from typedshm.schema.arrays import array
from typedshm.schema.classes import is_schema_class
from typedshm.schema.dtypes import is_record
from typedshm.struct.lossless import check_lossless
from typedshm.struct.struct import Struct, plan_of


class DataclassInstance(Protocol):
    """An instance of a dataclass, for type checkers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class ModelInstance(Protocol):
    """An instance of a pydantic model, for type checkers."""

    __pydantic_fields__: ClassVar[dict[str, Any]]


class ArrayLike(Protocol):
    """A Series, DataFrame or tensor, for type checkers."""

    def __array__(self, *args: Any, **kwargs: Any) -> "np.ndarray[Any, Any]": ...


Instance = TypeVar("Instance", bound=Struct | DataclassInstance | ModelInstance | ctypes.Structure)

_ACCEPTED = (
    "an array, a Series or DataFrame of numbers, or the instance of a Struct, model, dataclass or ctypes.Structure"
)
_REMEDIES = {
    "category": ".cat.codes are their numbers",
    "str": "to_numpy().astype('U') makes text of a fixed size, or a Struct with a Utf8 field",
    "datetime": ".dt.tz_convert(None) makes them UTC",
    "Sparse": ".sparse.to_dense() makes it a plain one",
}
_KINDS = "biufcSUVMm"  # of the dtypes that a column may have; array() tells about each


def shareable(value: Any) -> tuple[Any, Any]:
    """Return the schema of a value, as create() takes it, and what to write to the region.

    Raises
    ------
    FieldTypeError, FieldValueError, SchemaError
        If it cannot be shared without a loss; the message says what to do.
    """
    if isinstance(value, Struct):
        return plan_of(value).plain, value
    cls: Any = cast("Any", type(value))
    if is_schema_class(cls) or isinstance(value, ctypes.Structure):
        return cls, value
    items = _items(value)
    check_lossless("share", items)
    dtype, shape = items.dtype, items.shape
    if is_record(items):
        return dtype, items
    if not shape:
        raise FieldValueError(
            f"share: expected an array with at least one dimension, found one of {dtype} without; np.atleast_1d(value) "
            "gives it one, and a Struct gives a single value a name"
        )
    if 0 in shape:
        raise FieldValueError(f"share: expected an array with items, found the shape {shape}")
    try:
        return array(dtype, *shape), items
    except SchemaError as error:
        hint = f", as in value.astype('{dtype.kind}8[s]')" if dtype.kind in "mM" else ""
        raise SchemaError(f"share: {str(error).removeprefix('array: ')}{hint}") from error


def _items(value: Any) -> "np.ndarray[Any, Any]":
    """Return the items as an array of NumPy."""
    cls: Any = cast("Any", type(value))
    pandas: Any = sys.modules.get("pandas")  # nothing is a Series before it is imported
    items: np.ndarray[Any, Any]
    if issubclass(cls, np.ndarray):
        items = value
    elif pandas is not None and issubclass(cls, pandas.Series):
        _check_index(value, pandas)
        items = _column(value, "the Series")
    elif pandas is not None and issubclass(cls, pandas.DataFrame):
        _check_index(value, pandas)
        items = _table(value)
    elif issubclass(cls, np.generic) or hasattr(cls, "__dlpack__"):  # tensors have numbers only, and nothing to lose
        items = np.asarray(value)
    else:
        _refuse(value, cls)
    return items


def _check_index(value: Any, pandas: Any) -> None:
    """Refuse an index that is more than row numbers."""
    if not value.index.equals(pandas.RangeIndex(len(value))):
        keep = "reset_index()" if value.ndim == 2 else "reset_index(), a DataFrame,"
        raise FieldValueError(
            f"share: expected a {type(value).__name__} with the default index 0, 1, 2, …, found {_shown(value.index)}, "
            f"which would be lost; {keep} makes a column of it, reset_index(drop=True) drops it"
        )


def _column(series: Any, name: str) -> "np.ndarray[Any, Any]":
    """Return the items of a Series in its own dtype, or the NumPy dtype behind it."""
    dtype = series.dtype
    known: np.dtype[Any] = np.dtype(np.object_)
    if type(dtype).__module__.startswith("numpy"):
        known = dtype
    else:  # Int64, boolean, double[pyarrow]: numbers with a mask
        known = np.dtype(getattr(dtype, "numpy_dtype", np.object_))
        if known.kind in _KINDS and series.isna().any():
            fill = ".fillna(0)" if known.kind != "f" else ".to_numpy(np.float64, na_value=np.nan)"
            raise FieldValueError(
                f"share: {name} of {dtype} has missing items, which no item of {known} can say; fill them, as in {fill}"
            )
    if known.kind not in _KINDS:
        how = "convert it to numbers, as in .astype(np.float64)"
        for kind, remedy in _REMEDIES.items():
            how = remedy if kind in str(dtype) else how
        raise FieldTypeError(f"share: expected numbers, found {name} of {dtype}; {how}")
    items: np.ndarray[Any, Any] = series.to_numpy(dtype=known)
    return items


def _table(frame: Any) -> "np.ndarray[Any, Any]":
    """Return an array of two dimensions if all columns have one dtype, otherwise one of rows with named fields."""
    if not len(frame.columns):
        raise FieldValueError(f"share: expected an array with items, found a DataFrame of shape {frame.shape}")
    columns = [_column(frame.iloc[:, at], f"column {label!r}") for at, label in enumerate(frame.columns)]
    dtypes = [column.dtype for column in columns]
    if all(dtype == dtypes[0] for dtype in dtypes):
        return np.stack(columns, axis=1)
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or names.count(name) > 1:
            raise FieldValueError(
                "share: expected a different Python identifier as the name of each column, since columns of several "
                f"dtypes become fields, found {name!r}; rename it, as in .rename(columns={{{name!r}: 'x'}})"
            )
    rows = np.empty(len(frame), list(zip(names, dtypes, strict=True)))
    for name, column in zip(names, columns, strict=True):
        rows[name] = column
    return rows


def _shown(index: Any) -> str:
    return f"{type(index).__name__} {quoted(list(index[:3]))}"


def _refuse(value: Any, cls: type[Any]) -> NoReturn:
    expected = f"share: expected {_ACCEPTED}"
    if isinstance(value, type):
        name = value.__name__
        raise FieldTypeError(f"{expected}, found the class {name}; create(name, {name}) makes a region for its values")
    given = found(value)
    if isinstance(value, bytes | bytearray | memoryview):
        remedy = "np.frombuffer(value, np.uint8)"
    elif isinstance(value, int | float | complex):
        remedy = "np.atleast_1d(value)"
    elif (
        isinstance(value, str) or not (hasattr(cls, "__getitem__") and hasattr(cls, "__len__")) or hasattr(cls, "keys")
    ):
        raise FieldTypeError(f"{expected}, found {given}; a Struct can describe it, for create(name, schema)")
    elif hasattr(cls, "to_numpy"):
        remedy = "value.to_numpy()"
    else:
        remedy = "np.asarray(value)"
    raise FieldTypeError(f"{expected}, found {given}; {remedy} makes an array of it")
