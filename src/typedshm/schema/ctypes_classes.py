"""Classes of ctypes as schemas: the values of a region are instances of the user's own ``ctypes.Structure``."""

import ctypes
import functools
import os
import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NoReturn, TypeGuard, TypeVar, cast

import typedshm._native as _native
from typedshm.errors import FieldTypeError, SchemaError, quoted
from typedshm.layout.annotations import own_doc
from typedshm.layout.kinds import KINDS, STRUCT, ByteOrder
from typedshm.layout.layout import Layout, LayoutField
from typedshm.schema.bytewise import BytewiseSchema
from typedshm.struct.pickling import form_of, named
from typedshm.struct.refusal import another
from typedshm.struct.struct import Struct, StructMeta

C = TypeVar("C", bound=ctypes.Structure)

_ctypes: Any = ctypes  # whose private names are those of its base classes


def is_structure(cls: object) -> TypeGuard[type[ctypes.Structure]]:
    """Return True for classes of ctypes that are no Structs of this package."""
    return isinstance(cls, type) and issubclass(cls, ctypes.Structure) and not isinstance(cls, StructMeta)


# ---- from a class to its layout ------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def layout_of_structure(cls: Any) -> Layout:
    """Describe a ``ctypes.Structure``: its names, offsets and sizes are those that ctypes has given it.

    Fields of anonymous structures count as fields of the whole, as in C. Fields whose names start with an underscore
    are padding: their bytes are shared, and have no name for others.

    Raises
    ------
    SchemaError
        If a field is a pointer, a bit field, a union, a long double or empty; the message names it and what to write.
    """
    pack: int = getattr(cls, "_pack_", None) or 0
    fields = tuple(_fields_of(cls))
    power = pack if pack and not pack & (pack - 1) else None
    return Layout(cls.__name__, fields, ctypes.sizeof(cls), ctypes.alignment(cls), power, own_doc(cls))


def _fields_of(cls: type) -> Iterator[LayoutField]:
    base = cls.__base__  # of several bases ctypes takes the fields of this one
    if base is not None and base is not ctypes.Structure:
        yield from _fields_of(base)
    body = vars(cls)
    for name, ctype, *bits in body.get("_fields_", ()):
        where = f"{cls.__name__}.{name}"
        if bits:
            raise SchemaError(
                f"{where}: a bit field, whose place is not the same for all compilers; declare the whole integer, and "
                "take the bits out of it, or let them be the members of an IntFlag in a Struct"
            )
        offset = getattr(body.get(name), "offset", None)
        if not isinstance(offset, int):
            raise SchemaError(
                f"{where}: expected what ctypes made of _fields_, found {quoted(body.get(name))}; give that another "
                "name than the field's"
            )
        field = _field(ctype, where, name, offset)
        if name in body.get("_anonymous_", ()) and field.struct is not None:
            yield from (inner.changed(offset=offset + inner.offset) for inner in field.struct.fields)
        elif not name.startswith("_"):
            yield field


def _field(ctype: Any, where: str, name: str, offset: int) -> LayoutField:
    shape, item = list[int](), ctype
    while issubclass(item, ctypes.Array):
        shape.append(cast("Any", item)._length_)
        item = cast("Any", item)._type_
    if 0 in shape:
        raise SchemaError(f"{where}: expected an array with items, found one of length 0; leave it out, or give it one")
    struct, kind, length, big = None, STRUCT, 0, False
    if issubclass(item, ctypes.Structure):
        struct = item.layout if isinstance(item, StructMeta) else layout_of_structure(item)
    else:
        kind = _kind_of(item, where)
        big = KINDS[kind].alignment > 1 and getattr(item, "__ctype_be__", None) is item
        if KINDS[kind].sized:
            length = shape.pop() if shape else 1
    return LayoutField(
        name=name,
        kind=kind,
        offset=offset,
        size=ctypes.sizeof(ctype),
        shape=tuple(shape),
        length=length,
        byte_order="big" if big else "little",
        struct=struct,
        face="S" if kind == "bytes" else "datetime64",
    )


_COMPLEX = {"c_float_complex": "c64", "c_double_complex": "c128"}  # of CPython 3.14, where C has them


def _kind_of(item: Any, where: str) -> str:
    """Return the kind of a simple type."""
    if issubclass(item, ctypes.Union):
        raise SchemaError(
            f"{where}: a union, whose bytes may mean this or that; declare the member that is used, or the bytes as "
            f"c_ubyte * {ctypes.sizeof(item)}, and read them by Member.from_buffer(value.{where.rpartition('.')[2]})"
        )
    code: str = getattr(item, "_type_", "") if issubclass(item, _ctypes._SimpleCData) else "P"
    for name, kind in _COMPLEX.items():
        if issubclass(item, getattr(ctypes, name, ())):
            return kind
    size = ctypes.sizeof(item)
    if code == "c":
        return "bytes"
    if code == "u":
        return "utf32" if size == 4 else "utf16"
    if code in ("?", "f", "d"):
        return {"?": "bool", "f": "f32", "d": "f64"}[code]
    if code in tuple("bhilqv"):  # v is VARIANT_BOOL
        return f"i{8 * size}"
    if code in tuple("BHILQ"):
        return f"u{8 * size}"
    if code in tuple("PzZOX"):
        raise SchemaError(
            f"{where}: {item.__name__} is an address, which means something in one process only; declare what it "
            "points to as an array of a fixed size (c_char * 64), or a number that all processes know"
        )
    raise SchemaError(f"{where}: the format of {item.__name__} depends on the system; use c_double")


# ---- values --------------------------------------------------------------------------------------------------------


class CtypesSchema(BytewiseSchema[C]):
    """Values are instances of a class of ctypes over bytes of their own.

    Such an instance knows nothing of leases, and writes to whatever memory it is over. So it is never given memory of
    the region: in blocks it is a copy, and borrow() gives a Struct.
    """

    unguarded = True

    def __init__(self, source: type[C]) -> None:
        super().__init__(source, layout_of_structure(source))
        self._make: Callable[[], C] = functools.partial(ctypes.Structure.__new__, source)

    def make(self) -> C:
        """Return an instance of zeros, without a call of its __init__."""
        return self._make()

    def form_of(self, field: LayoutField) -> Hashable:
        """Return the type in C."""
        return _form_of(field)

    def is_value(self, value: Any) -> bool:
        """Return True for instances, also of a class that was declared again, as in a notebook."""
        if isinstance(value, self.source):
            return ctypes.sizeof(value) == self.layout.size
        cls: Any = cast("Any", type(value))
        again = _layout_or_none(cls) if cls.__name__ == self.layout.name and is_structure(cls) else None
        return again is not None and self.can_write(again)

    def encode(self, value: Any) -> Any:
        """Return an instance, or a Struct of the same fields, as it is."""
        if not (self.is_value(value) or self.is_struct(value)):
            self._refuse("write", value, "")
        return value

    def target(self, value: Any) -> Any:
        """Return an instance, or a Struct of the same fields, as it is."""
        if not (self.is_value(value) or self.is_struct(value)):
            self._refuse("read_into", value, f"; one to fill is {self.layout.name}()")
        return value

    def overlay(self, buffer: Any, offset: int, lease: _native.Lease | None) -> Any:
        """Refuse: the core does not ask for it."""
        raise NotImplementedError("values of ctypes are never given a region's memory")

    @property
    def form(self) -> "StructureForm":
        """The class, or where it is not to be found, the Struct."""
        return StructureForm(self.source, form_of(self.generated))

    def _refuse(self, verb: str, value: Any, hint: str) -> NoReturn:
        cls: Any = cast("Any", type(value))
        theirs = cls.layout if isinstance(value, Struct) else _layout_or_none(cls) if is_structure(cls) else None
        found = f"{quoted(value)} ({cls.__name__})"
        if isinstance(value, type) and issubclass(value, self.source):
            found = f"the class {value.__name__}"
        elif theirs is not None and not self.can_write(theirs):
            found, hint = another(self.layout, theirs), ""
        elif isinstance(value, self.source):
            found, hint = f"one that was resized to {ctypes.sizeof(value)} bytes", ""
        raise FieldTypeError(f"{verb}: expected a {self.layout.name}, found {found}{hint}")


def _layout_or_none(cls: Any) -> Layout | None:
    try:
        return layout_of_structure(cls)
    except SchemaError:
        return None


_UNITS = {"bool32": ctypes.c_int32}  # BOOL, as Windows has it


def _form_of(field: LayoutField) -> Hashable:
    """Return what C knows of a field: text and raw bytes are arrays of code units, times are numbers."""
    if field.struct is not None:
        items = tuple((inner.name, inner.offset, _form_of(inner)) for inner in field.struct.fields)
        return field.shape, field.struct.size, items
    kind = KINDS[field.kind]
    unit = _UNITS.get(kind.name, ctypes.c_ubyte if kind.ctype is ctypes.c_char else kind.ctype)
    order: ByteOrder = field.byte_order
    dims = field.shape + ((field.length,) if kind.sized else ()) + ((kind.parts,) if kind.parts > 1 else ())
    return unit, order, dims


# ---- classes in pickles --------------------------------------------------------------------------------------------

# Classes by a random token that travels with them, as for Structs: no module has those that a function declares.
_classes: "weakref.WeakValueDictionary[bytes, type[Any]]" = weakref.WeakValueDictionary()
_tokens: "weakref.WeakKeyDictionary[type[Any], bytes]" = weakref.WeakKeyDictionary()


class StructureForm:
    """Stands for a class of ctypes in the pickle of a region, and arrives as the class.

    Where there is no such class, the Struct with the same fields takes its place. ctypes' classes cannot be carried by
    value.
    """

    def __init__(self, source: type[Any], struct_form: Any) -> None:
        self.source = source
        self._struct_form = struct_form

    def __reduce__(self) -> tuple[Any, ...]:
        token = _tokens.get(self.source) or _tokens.setdefault(self.source, os.urandom(16))
        _classes[token] = self.source
        return _arrived, (self.source.__module__, self.source.__qualname__, self._struct_form, token)


def _arrived(module: str, qualname: str, struct: type[Struct], token: bytes) -> type[Any]:
    known = _classes.get(token)
    if known is not None:
        return known
    found = named(module, qualname)
    return found if is_structure(found) else struct
