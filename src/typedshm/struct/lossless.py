"""Refuses arrays that would lose something on their way into shared memory: masks, units, Python objects."""

import sys
from collections.abc import Sequence
from typing import Any, NoReturn, cast

import numpy as np

from typedshm.errors import FieldTypeError, quoted

# Classes of arrays that are nothing but their items. Others mean more, which a region could not give back.
_PLAIN = (np.ndarray, np.memmap, np.recarray)


class PlainArray(np.ndarray[Any, np.dtype[Any]]):
    """Base of the subclasses of ndarray of this package, which are nothing but their items, too."""

    __slots__ = ()


def is_plain(value: object) -> bool:
    """Return True for an array that is nothing but its items."""
    return type(value) in _PLAIN or isinstance(value, PlainArray)


def can_be_filled(value: object) -> bool:
    """Return True for an array that stays right if its items change: one without a mask or a unit."""
    other: Any = value
    return is_plain(value) or (isinstance(value, np.ndarray) and not _is_masked(other) and _unit_of(other) is None)


def check_lossless(where: str, value: object) -> None:
    """Refuse an array-like whose items are not all there is to it.

    Parameters
    ----------
    where : str
        What the value is for, the prefix of the message: ``"write"`` or ``Class.field``.
    value : object
        Anything that NumPy makes an array of. What is no array passes here, and is left to the caller.

    Raises
    ------
    FieldTypeError
        For masked arrays, arrays of Python objects, sparse matrices, quantities with a unit, and other subclasses of
        ndarray. The message says how to make a plain array.
    """
    cls = type(value)
    if not is_plain(value) and (isinstance(value, np.ndarray) or _is_foreign(value)):
        _refuse(where, cast("Any", value))
    if isinstance(value, np.ndarray) and cast("Any", value).dtype.hasobject:
        dtype = cast("Any", value).dtype
        what, remedy = ("text of any length", "'U'") if dtype.kind == "T" else ("Python objects", "np.float64")
        raise FieldTypeError(
            f"{where}: expected an array of numbers, text or Structs, found {cls.__name__} of {what} (dtype {dtype}), "
            f"which another process cannot see; convert it, as in .astype({remedy})"
        )


def check_items(where: str, items: Sequence[object]) -> None:
    """Refuse nested lists with an array among them that :func:`check_lossless` refuses."""
    for cls in cast("set[type[Any]]", set(map(type, items))):
        if issubclass(cls, list | tuple):
            for item in items:
                if type(item) is cls:
                    check_items(where, cast("Sequence[object]", item))
        elif cls not in _PLAIN and (issubclass(cls, np.ndarray) or _may_be_foreign(cls)):
            for item in items:
                if type(item) is cls:
                    check_lossless(where, item)


def _may_be_foreign(cls: type) -> bool:
    """Return False for types that need no second look: builtin ones and NumPy's scalars."""
    return cls.__module__ != "builtins" and not issubclass(cls, np.generic)


def _is_foreign(value: object) -> bool:
    """Return True for array-likes of other libraries that NumPy converts, with the loss of a mask, a unit or zeros."""
    return _may_be_foreign(type(value)) and (_unit_of(value) is not None or _is_sparse(value))


def _unit_of(value: object) -> object | None:
    """Return the unit of a quantity: of pint, unyt (``units``) or astropy (``unit``)."""
    if not hasattr(type(value), "__array__"):
        return None
    for name in ("units", "unit"):
        unit: object = getattr(value, name, None)
        if unit is not None and not callable(unit):
            return unit
    return None


def _is_masked(value: object) -> bool:
    masked = sys.modules.get("numpy.ma")  # nothing is masked before it is imported
    return masked is not None and isinstance(value, masked.MaskedArray)


def _is_sparse(value: object) -> bool:
    return hasattr(type(value), "toarray") and hasattr(value, "nnz")


def _refuse(where: str, value: object) -> NoReturn:
    name = type(value).__name__
    unit = _unit_of(value)
    if _is_masked(value):
        found = "a masked array, whose mask would be lost; fill what is masked, as in value.filled(np.nan)"
    elif _is_sparse(value):
        found = f"a sparse {name}; make a plain array of it with value.toarray()"
    elif unit is not None:
        found = (
            f"a {name} in {quoted(unit)}, and the unit would be lost; convert it to the unit that is meant, and give "
            "its bare numbers, as in value.magnitude or value.value"
        )
    else:
        found = f"a {name}, which would come back as a plain ndarray; if its items are all there is, np.asarray(value)"
    raise FieldTypeError(f"{where}: expected a plain array, found {found}")
