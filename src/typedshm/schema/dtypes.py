"""Structured dtypes of NumPy as schemas: the values of a region are arrays without dimensions, such as its rows."""

import keyword
from collections.abc import Hashable
from typing import Any, NoReturn, TypeGuard, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import FieldTypeError, FieldValueError, SchemaError, quoted
from typedshm.layout.layout import Layout, LayoutField
from typedshm.schema.arrays import NDArray
from typedshm.schema.bytewise import BytewiseSchema
from typedshm.struct.lossless import can_be_filled, check_lossless, is_plain

_NAME = "Record"  # of the layout: a dtype has none


def is_record(value: object) -> "TypeGuard[NDArray[np.void] | np.void]":
    """Return True for one item of a structured dtype: an array without dimensions, or NumPy's scalar."""
    given: Any = value  # Any, so that the check does not narrow it to a partially unknown type
    if not isinstance(value, np.ndarray | np.void):
        return False
    return given.shape == () and given.dtype.names is not None


# ---- from a dtype to its layout ------------------------------------------------------------------------------------


def layout_of_dtype(dtype: "np.dtype[Any]") -> Layout:
    """Describe a structured dtype: its names, offsets and sizes, with its titles as the fields' docs.

    Fields may stand in any order. Those whose names start with an underscore are padding: their bytes are shared, and
    have no name for others.

    Raises
    ------
    SchemaError
        If the dtype is not structured, fields overlap, a name is no identifier, or a field has no portable form.
    """
    check_structured(dtype)
    return _documented(Layout.from_dtype(_plain(dtype, _NAME), _NAME), dtype)


def check_structured(dtype: "np.dtype[Any]") -> None:
    """Refuse a dtype without fields.

    Raises
    ------
    SchemaError
        With what to write instead.
    """
    if dtype.names is None:
        of, dims = dtype.subdtype if dtype.subdtype is not None else (dtype, (1,))
        raise SchemaError(
            f"expected a structured dtype as the schema, found {dtype}; for arrays of it use "
            f"typedshm.array({str(of)!r}, {', '.join(map(str, dims))})"
        )


def _plain(dtype: "np.dtype[Any]", where: str) -> "np.dtype[Any]":
    """Return the dtype with its fields in the order of their offsets, without titles and padding."""
    fields = [(offset, label, item) for label, (item, offset, *_) in _fields_of(dtype)]
    names, formats, offsets, end = list[str](), list[Any](), list[int](), 0
    for offset, label, item in sorted(fields, key=lambda field: field[0]):
        base, shape = item.subdtype if item.subdtype is not None else (item, ())
        if base.names is not None:
            base = _plain(base, f"{where}.{label}")
        elif base.hasobject:
            raise SchemaError(
                f"{where}.{label}: dtype {item} has no portable form: its items are Python objects, or refer to some; "
                "use numbers, or text of a fixed size, such as 'U16'"
            )
        if label.startswith("_"):
            continue
        if not label.isidentifier() or keyword.iskeyword(label):
            raise SchemaError(
                f"{where}: expected Python identifiers as the names of fields, found {label!r}; "
                f"numpy.lib.recfunctions.rename_fields(dtype, {{{label!r}: …}}) gives it another"
            )
        if offset < end:
            raise SchemaError(
                f"{where}.{label}: starts at byte {offset}, inside {names[-1]}, which ends at byte {end}; leave out "
                "one of them: value.view(dtype) shows the same bytes by another dtype"
            )
        names.append(label)
        formats.append((base, shape))
        offsets.append(offset)
        end = offset + item.itemsize
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize})


def _fields_of(dtype: "np.dtype[Any]") -> list[tuple[str, Any]]:
    fields = cast("Any", dtype.fields)
    return [(label, fields[label]) for label in dtype.names or ()]


def _documented(layout: Layout, dtype: "np.dtype[Any]") -> Layout:
    titles = dict(_fields_of(dtype))
    fields: list[LayoutField] = []
    for field in layout.fields:
        item, _, *title = titles[field.name]
        doc = title[0] if title and isinstance(title[0], str) else ""
        struct = _documented(field.struct, item.base) if field.struct is not None else None
        fields.append(field.changed(doc=doc, struct=struct))
    return Layout(layout.name, tuple(fields), layout.size, layout.alignment, layout.pack)


# ---- values --------------------------------------------------------------------------------------------------------


class DtypeSchema(BytewiseSchema[NDArray[np.void]]):
    """Values are arrays without dimensions of a structured dtype."""

    def __init__(self, dtype: "np.dtype[Any]") -> None:
        super().__init__(dtype, layout_of_dtype(dtype))
        self._dtype = dtype

    def make(self) -> NDArray[np.void]:
        """Return an array with undefined content."""
        return np.ndarray((), self._dtype)

    def form_of(self, field: LayoutField) -> Hashable:
        """Return the dtype, with the shape."""
        return np.dtype((field.item_dtype, field.shape))

    def is_value(self, value: Any) -> bool:
        """Return True for arrays without dimensions, and NumPy's scalars, of the dtype."""
        return is_record(value) and value.dtype == self._dtype

    def encode(self, value: Any) -> Any:
        """Return an array with the value, or a Struct of the same fields as it is."""
        if self.is_struct(value):
            return value
        if not (self.is_value(value) and (isinstance(value, np.void) or is_plain(value))):
            self._refuse("write", value)
        return np.asarray(value)

    def target(self, value: Any) -> Any:
        """Return a writable array, or a Struct of the same fields, as it is."""
        if self.is_struct(value):
            return value
        if not (isinstance(value, np.ndarray) and can_be_filled(cast("Any", value)) and self.is_value(value)):
            self._refuse("read_into", value)
        if not value.flags.writeable:
            raise FieldValueError("read_into: expected a writable array, found a read-only one")
        return cast("Any", value)

    def overlay(self, buffer: Any, offset: int, lease: _native.Lease | None) -> NDArray[np.void]:
        """Return an array over other memory."""
        return np.ndarray((), self._dtype, buffer, offset)

    def _refuse(self, verb: str, value: Any) -> NoReturn:
        check_lossless(verb, value)
        expected = f"{verb}: expected an array of {self._dtype} without dimensions"
        given: Any = value
        cls: Any = cast("Any", type(value))
        if not isinstance(value, np.ndarray | np.void):
            one = "np.zeros((), dtype)" if verb == "read_into" else "np.array(value, dtype)"
            raise FieldTypeError(f"{expected}, found {quoted(value)} ({cls.__name__}); {one} makes one")
        if given.dtype != self._dtype:
            raise FieldTypeError(f"{expected}, found {given.dtype}; convert it with .astype()")
        if given.shape:
            hint = f"value[{', '.join('0' for _ in given.shape)}, ...]"
            raise FieldValueError(f"{expected}, found shape {given.shape}; one of its items is {hint}")
        raise FieldTypeError(f"{expected} to fill, found a scalar; np.zeros((), dtype) makes one")
