"""Sharing one value: a region that is made for it."""

from typing import Any, TypeVar, cast, overload

import numpy as np

from typedshm.memory.names import Name, Scope, locate
from typedshm.region.region import Region
from typedshm.schema.arrays import NDArray
from typedshm.schema.shareable import ArrayLike, Instance, shareable
from typedshm.sharing.joining import take_back
from typedshm.sharing.opening import create
from typedshm.sharing.options import SLOTS

A = TypeVar("A", bound=np.generic)


@overload
def share(
    name: Name,
    value: NDArray[A],
    *,
    slots: int = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[NDArray[A]]: ...
@overload
def share(
    name: Name,
    value: Instance,
    *,
    slots: int = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[Instance]: ...
@overload
def share(
    name: Name,
    value: ArrayLike,
    *,
    slots: int = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[NDArray[Any]]: ...
def share(
    name: Name,
    value: Any,
    *,
    slots: int = SLOTS,
    scope: Scope = "user",
    mode: int | None = None,
    prefault: bool | None = None,
    lock_memory: bool = False,
    huge_pages: bool = False,
    check: bool = True,
    exclusive: bool = False,
) -> Region[Any]:
    """Create a region for a value and write the value to it: ``share("lut", table)``.

    The other parameters are those of :func:`create`. If anything fails, there is no region.

    Parameters
    ----------
    value
        An array of NumPy, or a tensor of another library. A pandas Series becomes an array of its dtype; a DataFrame
        becomes one of two dimensions, without the columns' names, or if its columns have several dtypes, a structured
        array with a field for each. An instance of a Struct, model, dataclass or ``ctypes.Structure`` makes a region of
        its class, an item of a structured array one of its dtype.

    Raises
    ------
    FieldTypeError, FieldValueError, SchemaError
        The value cannot be shared without a loss: lists, objects, masked arrays, missing items, an index that is more
        than row numbers. The message says how to convert it.
    """
    schema, content = shareable(value)
    region: Region[Any] | None = None
    try:
        made_now: Any = create(
            name,
            cast("type[Any]", schema),
            slots=slots,
            scope=scope,
            mode=mode,
            prefault=prefault,
            lock_memory=lock_memory,
            huge_pages=huge_pages,
            check=check,
            exclusive=exclusive,
        )
        region = cast("Region[Any]", made_now)
        region.write(content)
        return region
    except BaseException:
        if region is not None:  # or it would live, and have the name, as long as the traceback
            take_back(region, locate(name, scope, mode))
        raise
