"""Contents: the arrays that rows are read into, and the bytes of what users write to them."""

import math
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, NamedTuple, NoReturn, cast

import numpy as np

from typedshm.errors import FieldOverflow, FieldTypeError, FieldValueError, TypedshmError, found, quoted
from typedshm.layout.layout import LayoutField
from typedshm.schema.arrays import ArraySchema, NDArray
from typedshm.schema.base import Schema
from typedshm.schema.bytewise import BytewiseSchema
from typedshm.struct.lossless import can_be_filled, check_lossless
from typedshm.struct.struct import Struct
from typedshm.struct.views import from_buffer, from_buffer_copy
from typedshm.table.selection import is_a, is_array


class Written(NamedTuple):
    """What several rows get: a value every `step` bytes, of which with `spans` only those bytes count."""

    data: Any
    step: int
    spans: bytes | None = None


class RowValues:
    """Converts between the values of a schema, and arrays and bytes of many of them.

    Attributes
    ----------
    dtype, shape
        Of the items of such an array that are one row: of bare arrays all their items.
    size
        Bytes of one row's value.
    """

    def __init__(self, schema: Schema[Any]) -> None:
        self._schema = schema
        self.size = schema.layout.size
        argument: Any = schema.argument
        if is_a(argument, ArraySchema):
            self.dtype, self.shape = argument.dtype, argument.shape
        else:
            self.dtype = argument if is_a(argument, np.dtype) else schema.layout.dtype
            self.shape = ()
        self._exports = _exports(self.dtype)

    # ---- reading ----

    def memory_of(self, array: NDArray[Any]) -> Any:
        """Return what has the bytes of a C-contiguous array as its buffer."""
        return array if self._exports else array.reshape(-1).view(np.uint8)

    def empty(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array for rows to be read into; zeros where not all of a value is copied."""
        make = np.empty if self._schema.extents is None else np.zeros
        return make((*shape, *self.shape), self.dtype)

    def check_target(self, out: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return the array to read rows into.

        Raises
        ------
        FieldTypeError, FieldValueError
            It is none, or of another dtype or shape; or it is read-only, or not contiguous.
        """
        wanted = (*shape, *self.shape)
        array = cast("NDArray[Any]", out)
        if is_array(out) and array.dtype is self.dtype and array.shape == wanted and array.flags.carray:
            return array  # at once, since loops sample so
        if not (is_a(out, np.ndarray) and can_be_filled(out)):
            check_lossless("read", out)
            raise FieldTypeError(f"{self._expected_target(wanted)}, found {found(out)}")
        if array.dtype != self.dtype:
            raise FieldTypeError(f"{self._expected_target(wanted)}, found {array.dtype}")
        if array.shape != wanted:
            raise FieldValueError(f"{self._expected_target(wanted)}, found shape {array.shape}")
        flags = array.flags
        if not (flags.c_contiguous and flags.writeable):
            is_one = "a read-only one" if flags.c_contiguous else "one that is not contiguous"
            raise FieldValueError(f"read: expected as out= a writable, C-contiguous array, found {is_one}")
        return array

    def _expected_target(self, wanted: tuple[int, ...]) -> str:
        return f"read: expected as out= an array of {self._shown_dtype} with shape {wanted}"

    def zero(self) -> Any:
        """Return an instance of zeros, of the class of a model or of ctypes, whose instances are never read-only."""
        schema = self._schema
        if schema.struct is None or schema.decode is None:
            return schema.make()  # of ctypes, which begins with zeros
        return schema.decode(from_buffer(schema.struct, bytearray(self.size)))

    # ---- writing ----

    def encode(self, value: Any) -> Any:
        """Return an object whose buffer has the bytes of a value: of the schema, or a row as read() gives several."""
        schema = self._schema
        if type(value) is schema.struct:
            return value
        is_row = is_a(value, np.void, np.ndarray) and value.shape == () and value.dtype == self.dtype
        if is_row and schema.struct is not None and self.dtype.names is not None:
            return from_buffer_copy(schema.struct, value.tobytes())
        return schema.encode(value)

    def of_one(self, value: Any) -> bytes:
        """Return the bytes of one value, as write() of one row would store them."""
        schema = self._schema
        encoded = self.encode(value)
        if schema.check is not None:
            schema.check(encoded)
        given: Any = encoded
        return cast("bytes", given.tobytes()) if is_a(given, np.ndarray) else bytes(memoryview(given).cast("B"))

    def of_many(self, values: Any, shape: tuple[int, ...], held: "Callable[[], NDArray[Any]] | None" = None) -> Written:
        """Return what as many rows get: of values for each, of one for all, or of columns.

        `held` returns what the rows hold, without which constraints cannot be checked on columns for some fields.

        Raises
        ------
        FieldTypeError, FieldValueError, FieldOverflow
            They are no values of the schema, or of another number than there are rows.
        """
        count = math.prod(shape)
        if is_a(values, Mapping):
            return self._of_columns(values, shape, held)
        if is_a(values, np.ndarray, np.void):
            return self._of_array(values, shape, count)
        if self._is_one(values):
            return Written(self.of_one(values), 0)
        items = list(cast("Iterable[Any]", values))
        if len(items) != count:
            raise FieldValueError(f"write: expected {count:,} values, one for each row, found {len(items):,}")
        return Written(b"".join(map(self.of_one, items)), self.size)

    def of_appended(self, values: Any) -> tuple[int, Any]:
        """Return how many values there are, and their bytes.

        Raises
        ------
        FieldTypeError, FieldValueError, FieldOverflow
            As :meth:`of_many`; or it is one value, or columns for some fields only.
        """
        if is_a(values, Mapping):
            columns: Mapping[Any, Any] = values
            missing = [field.name for field in self._schema.layout.fields if field.name not in columns]
            if missing and not self.shape:
                raise FieldTypeError(
                    f"append_many: expected columns for all fields, found none for {', '.join(missing)}"
                )
            fields = {field.name: field for field in self._schema.layout.fields}
            counts = [len(column) for name, column in columns.items() if _is_several(fields.get(name), column)]
            return self._appended(columns, max(counts, default=1))
        given: Any = values
        if is_a(values, np.ndarray):
            if len(given.shape) == len(self.shape) + 1:
                return self._appended(given, len(given))
        elif not self._is_one(values):
            items = list(cast("Iterable[Any]", values))
            return self._appended(items, len(items))
        raise FieldTypeError(
            f"append_many: expected several values of {self._schema.layout.name}, found {found(given)}; append(value) "
            "takes one"
        )

    def _appended(self, values: Any, count: int) -> tuple[int, Any]:
        data, step, _ = self.of_many(values, (count,))
        return count, data if step or not count else bytes(data) * count

    def _is_one(self, value: Any) -> bool:
        """Return True for what can be no collection of values."""
        if is_a(value, str, bytes) or not is_a(value, Iterable):
            return True
        return (
            is_a(value, Struct) or hasattr(cast("Any", type(value)), "__pydantic_fields__") or self._is_instance(value)
        )

    def _is_instance(self, value: object) -> bool:
        source: Any = self._schema.source
        return is_a(source, type) and is_a(value, source)

    def _of_array(self, values: Any, shape: tuple[int, ...], count: int) -> Written:
        check_lossless("write", values)
        if values.dtype != self.dtype:
            values = self._converted(values, shape, count)
        if values.shape == self.shape:
            return self._checked(_contiguous(values), 1, 0)
        if values.shape not in ((*shape, *self.shape), (count, *self.shape)):
            self._refuse_shape(values, (*shape, *self.shape))
        return self._checked(_contiguous(values), count, self.size)

    def _converted(self, values: Any, shape: tuple[int, ...], count: int) -> NDArray[Any]:
        """Return the values of an array of another dtype with the same fields."""
        names = values.dtype.names
        expected = f"write: expected values of {self._shown_dtype}"
        if names is None or self.dtype.names is None:
            raise FieldTypeError(f"{expected}, found an array of {values.dtype}; convert it with .astype()")
        if {*names} != {*self.dtype.names}:
            raise FieldTypeError(
                f"{expected}, found an array with the fields {', '.join(names)}; a dict of columns writes some of "
                "them: {name: values[name] for name in values.dtype.names}"
            )
        if values.shape not in ((), shape, (count,)):
            self._refuse_shape(values, shape)
        items: Any = np.zeros(cast("tuple[int, ...]", values.shape), self.dtype)
        for name in names:
            where = f"{self._schema.layout.name}.{name}"
            try:
                fits = items[name].shape == values[name].shape and _assign(where, items[name], values[name])
            except (TypeError, ValueError) as error:
                if isinstance(error, TypedshmError):
                    raise
                fits = False
            if not fits:
                wanted, given = cast("Any", self.dtype)[name], values.dtype[name]
                raise FieldTypeError(f"{where}: expected items of {wanted}, found {given}; convert it with .astype()")
        return cast("NDArray[Any]", items)

    def _refuse_shape(self, values: Any, wanted: tuple[int, ...]) -> NoReturn:
        raise FieldValueError(
            f"write: expected values of {self._shown_dtype} and shape {wanted}, found shape {values.shape}"
        )

    def _checked(self, items: NDArray[Any], count: int, step: int) -> Written:
        """Return what is written of an array, if its rows break no constraint."""
        check, struct = self._schema.check, self._schema.struct
        if check is not None and struct is not None:
            memory = bytearray(items.tobytes())
            for row in range(count):
                check(from_buffer(struct, memoryview(memory)[row * self.size : (row + 1) * self.size]))
        return Written(items.reshape(-1).view(np.uint8), step)

    def _of_columns(
        self, columns: Mapping[Any, Any], shape: tuple[int, ...], held: "Callable[[], NDArray[Any]] | None"
    ) -> Written:
        layout, count = self._schema.layout, math.prod(shape)
        fields = {field.name: field for field in layout.fields}
        used = {field.used_name: field.name for field in layout.fields if field.free}  # as read() tells, beside items
        unknown = [name for name in columns if name not in fields and used.get(name) not in columns]
        if self.shape:
            wanted = f"{self.dtype} and shape {(*shape, *self.shape)}"
            raise FieldTypeError(f"write: expected values of {wanted}, as arrays have no columns, found a dict of them")
        if unknown or not columns:
            found_names = ", ".join(quoted(name, 30) for name in (unknown or columns)) or "none"
            raise FieldTypeError(f"write: expected columns for the fields {', '.join(fields)}, found {found_names}")
        items = bytearray(count * self.size)
        named = [name for name in columns if name in fields]
        for name in named:
            numbers = columns.get(fields[name].used_name) if fields[name].free else None
            if numbers is None:
                self._fill(items, count, fields[name], _flat(columns[name], shape))
            elif count:
                rows = np.frombuffer(items, layout.dtype)
                for part in (name, fields[name].used_name):
                    self._store(part, rows[part], _flat(columns[part], shape))
        spans = [(fields[name].offset, fields[name].size) for name in named]
        whole = len(named) == len(fields)
        if whole:
            return self._checked(
                np.frombuffer(items, self.dtype) if count else np.empty(0, self.dtype), count, self.size
            )
        if self._schema.check is not None and held is not None:
            merged: Any = held().reshape(-1).view(np.uint8).reshape(count, self.size)
            given = np.frombuffer(items, np.uint8).reshape(count, self.size)
            for offset, size in spans:
                merged[:, offset : offset + size] = given[:, offset : offset + size]
            self._checked(merged.reshape(-1).view(self.dtype), count, self.size)
        return Written(items, self.size, np.array(spans, np.uintp).tobytes())

    def _fill(self, items: bytearray, count: int, field: LayoutField, column: Any) -> None:
        where = f"{self._schema.layout.name}.{field.name}"
        check_lossless(where, column)
        array: Any = np.frombuffer(items, self._schema.layout.dtype)[field.name] if count else None
        if count and _is_stored_so(field, array.dtype, column) and _store(where, array, np.asarray(column)):
            return
        struct = self._struct
        several = _is_several(field, column)
        if several:
            column = _in_order(where, column)
        if several and len(column) != count:
            raise FieldValueError(f"{where}: expected {count:,} values, one for each row, found {len(column):,}")
        memory = memoryview(items)
        for row in range(count):
            item: Any = from_buffer(struct, memory[row * self.size : (row + 1) * self.size])
            setattr(item, field.name, column[row] if several else column)

    def _store(self, name: str, to: NDArray[Any], column: Any) -> None:
        """Store one of the two columns of what varies: its items in all the room, or how many of them are used."""
        where = f"{self._schema.layout.name}.{name}"
        check_lossless(where, column)
        try:
            given = np.asarray(column)
        except ValueError as error:  # of lists that are no array
            raise FieldTypeError(f"{where}: expected an array of shape {to.shape}, found {found(column)}") from error
        if not _store(where, to, given):
            raise FieldTypeError(
                f"{where}: expected items of {to.dtype}, found {given.dtype}; convert it with .astype()"
            )

    @property
    def _struct(self) -> type[Struct]:
        schema = self._schema
        if schema.struct is not None:
            return schema.struct
        return cast("BytewiseSchema[Any]", schema).generated

    @property
    def _shown_dtype(self) -> str:
        return f"{self._schema.layout.name} (dtype {quoted(self.dtype, 200)})" if self.dtype.names else str(self.dtype)


def _exports(dtype: "np.dtype[Any]") -> bool:
    """Return whether arrays of a dtype have a buffer: those with times among their items have none."""
    try:
        memoryview(cast("Any", np.empty(0, dtype)))
    except ValueError:
        return False
    return True


def _is_bare(field: LayoutField) -> bool:
    """Return True for numbers that mean nothing but themselves."""
    plain = field.struct is None and field.enum is None and field.missing is None and not field.varying
    return plain and field.item_dtype.kind in "iufc" and not field.length


def _is_stored_so(field: LayoutField, stored: "np.dtype[Any]", column: Any) -> bool:
    """Return True for a column of what lies in memory: numbers, what read() gives, and structs of the same fields."""
    if _is_bare(field) and is_a(column, np.ndarray, int, float, np.generic):
        return True
    if field.varying or not is_a(column, np.ndarray, np.generic):
        return False
    is_text = stored.kind == "S" == column.dtype.kind
    return bool(is_text or column.dtype == stored or (field.struct is not None and column.dtype.names is not None))


def _is_several(field: LayoutField | None, column: Any) -> bool:
    """Return whether a column has a value for each row, and is not one for all of them."""
    if is_a(column, np.ndarray):
        return bool(column.ndim > (len(field.shape) if field else 0))
    return not is_a(column, str, bytes, Struct) and hasattr(column, "__len__")


def _in_order(where: str, column: Any) -> Any:
    """Return the values of a column by their places: what else has names for them, as a Series has, is to lose these.

    Raises
    ------
    FieldTypeError
        They have no order.
    """
    if is_a(column, list, tuple, np.ndarray):
        return column
    if is_a(column, Mapping, Set):
        raise FieldTypeError(f"{where}: expected values in the order of the rows, found {found(column)}")
    return list(column)


def _flat(column: Any, shape: tuple[int, ...]) -> Any:
    """Return a column of rows that an array of several axes named, with one axis for them."""
    if len(shape) > 1 and is_a(column, np.ndarray) and column.shape[: len(shape)] == shape:
        return column.reshape(math.prod(shape), *column.shape[len(shape) :])
    return column


def _contiguous(values: NDArray[Any]) -> NDArray[Any]:
    """Return the same items, one behind the other.

    Byte for byte: a copy by fields would leave between them what the heap held, for other processes to see.
    """
    if values.flags.c_contiguous:
        return values
    if values.dtype.names is None:
        return np.ascontiguousarray(values)
    return np.ascontiguousarray(values.view(f"V{values.dtype.itemsize}")).view(values.dtype)


def _store(where: str, to: NDArray[Any], given: NDArray[Any]) -> bool:
    """Store a column of what lies in memory, or one value of it for all rows; False where another way may take it."""
    if given.shape not in ((), to.shape[1:], to.shape):
        raise FieldValueError(f"{where}: expected an array of shape {to.shape}, found shape {given.shape}")
    return _assign(where, to, given)


def _assign(where: str, to: NDArray[Any], values: NDArray[Any]) -> bool:
    """Store values where they fit, those of structs by the names of fields; False where another way may take them.

    Raises
    ------
    FieldOverflow, FieldValueError
        A number is out of range; or a text is too long.
    """
    if to.dtype == values.dtype:
        to[...] = values
        return True
    names, given = to.dtype.names, values.dtype.names
    if names is not None or given is not None:  # NumPy itself goes by their order
        if names is None or given is None or {*names} != {*given}:
            return False
        return all(_assign(f"{where}.{name}", to[name], values[name]) for name in names)
    if np.can_cast(values.dtype, to.dtype, "safe"):
        if to.dtype.kind in "mM" and values.dtype.kind == to.dtype.kind:
            _assign_times(where, to, values)
        else:
            to[...] = values
        return True
    if to.dtype.kind == "f" and values.dtype.kind in "fiu":
        try:
            with np.errstate(over="raise"):
                to[...] = values
        except FloatingPointError:
            limit = np.finfo(to.dtype).max
            outside = values[np.isfinite(values) & (np.abs(values) > limit)].reshape(-1)
            shown = outside[0] if outside.size else "more"
            raise FieldOverflow(f"{where}: expected at most {limit} in {to.dtype}, found {shown}") from None
        return True
    if to.dtype.kind in "SU" and values.dtype.kind == to.dtype.kind:
        to[...] = values
        if not np.array_equal(to, np.broadcast_to(values, to.shape)):
            raise FieldValueError(f"{where}: expected texts that fit {to.dtype}, found longer ones in {values.dtype}")
        return True
    if to.dtype.kind in "iu" and values.dtype.kind in "iu":
        limits = np.iinfo(to.dtype)
        if values.size and (values.min() < limits.min or values.max() > limits.max):
            outside = values[(values < limits.min) | (values > limits.max)].reshape(-1)[0]
            raise FieldOverflow(f"{where}: expected {limits.min} to {limits.max}, found {outside}")
        to[...] = values
        return True
    if to.dtype.kind in "mM" and values.dtype.kind == to.dtype.kind:  # of a finer unit, or of none
        to[...] = values
        return True
    return False  # NumPy itself would read numbers out of texts, and cut those off


def _assign_times(where: str, to: NDArray[Any], values: NDArray[Any]) -> None:
    """Store times in a unit as fine as theirs, or finer, in which they may wrap around."""
    given = np.broadcast_to(values, to.shape)
    try:
        to[...] = given
        outside = given[(to.astype(given.dtype) != given) & ~np.isnat(given)]
    except OverflowError:  # as NumPy says since 2.5
        outside = given[~np.isnat(given)]
        outside = outside[[np.abs(outside.astype(np.int64)).argmax()]]
    if outside.size:
        raise FieldOverflow(f"{where}: {outside[0]} does not fit {to.dtype}")
