"""Layout: the frozen, language-neutral description a Struct compiles to.

Every consumer (NumPy dtype, ctypes, JSON document, C header, diff) reads the Layout, never the class.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from typedshm.errors import SchemaError, found
from typedshm.frozen import Frozen, frozen
from typedshm.layout.checks import COUNT_SIZE, DTYPE_LIMIT, check, checked_keys
from typedshm.layout.declaration import Face
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.identity import differences, identity_of, same
from typedshm.layout.kinds import KINDS, STRUCT, ByteOrder, encoding_of, kind_of_dtype
from typedshm.layout.markers import Errors

#: The largest document, in bytes.
DOCUMENT_LIMIT = 2**20

#: The items of a bare array start at a multiple of so many bytes: they are copied apart from what is before them.
WORD = 8

#: The form of a region's values: Structs, or bare arrays, which are the only field of the layout.
Value: TypeAlias = Literal["struct", "array"]


@frozen
class LayoutField(Frozen):
    """One field of a :class:`Layout`.

    Attributes
    ----------
    name : str
        A Python identifier without a leading underscore.
    kind : str
        A key of :data:`typedshm.layout.kinds.KINDS`, or ``"struct"``.
    offset, size : int
        In bytes; ``size`` is that of all items.
    shape : tuple of int
        Items along each axis; empty if the field is no array.
    length : int
        The capacity of one text item in code units, of one raw item in bytes; otherwise 0.
    byte_order : "little" or "big"
        Always ``"little"`` for one-byte kinds and structs.
    unit, doc : str
        Empty if not given.
    enum : Enumeration or None
        The named values of an integer.
    struct : Layout or None
        The layout of one item of kind ``"struct"``.
    face : "datetime64", "datetime", "timedelta", "S" or "nan"
        The Python type of a time, the first for NumPy's; ``"S"`` for raw bytes that NumPy sees as ``S`` and not as
        ``V``; ``"nan"`` for a float that reads as NaN where it is `missing`, and not as None.
    encoding : str
        The code page of kind ``"ansi"``; empty: that of the system which reads.
    errors : "strict" or "replace"
        Whether text that does not decode is refused, or what decodes is read.
    missing : int or float or None
        The number that stands for "none"; None if there is no such number.
    count : str
        The path of the integer field that has the number of used items along the first axis; empty if all are used.
    free : int
        How many of the first axes vary: the field then begins with the number of used items along each of them, a
        ``u32`` in the field's byte order. 0 if none does.
    data_offset : int
        The first byte of the items of such a field; otherwise 0.
    """

    __match_args__ = (
        *("name", "kind", "offset", "size", "shape", "length", "byte_order", "unit", "doc", "enum", "struct", "face"),
        *("encoding", "errors", "missing", "count", "free", "data_offset"),
    )
    name: str
    """A Python identifier without a leading underscore."""
    kind: str
    """``"u8"``, ``"f32"``, ``"utf8"``, … or ``"struct"``."""
    offset: int
    """The first byte."""
    size: int
    """Bytes of all items."""
    shape: tuple[int, ...] = ()
    """Items along each axis; empty if the field is no array."""
    length: int = 0
    """The capacity of one text item in code units, of one raw item in bytes; otherwise 0."""
    byte_order: ByteOrder = "little"
    """Always ``"little"`` for one-byte kinds and structs."""
    unit: str = ""
    """The physical unit; empty if not given."""
    doc: str = ""
    """The description; empty if not given."""
    enum: Enumeration | None = None
    """The named values of an integer."""
    struct: "Layout | None" = None
    """The layout of one item of kind ``"struct"``."""
    face: Face = "datetime64"
    """The Python type of a time; ``"S"`` for raw bytes that NumPy pads with NUL; ``"nan"``: NaN where it is missing."""
    encoding: str = ""
    """The code page of kind ``"ansi"``; empty: that of the system which reads."""
    errors: Errors = "strict"
    """Whether text that does not decode is refused, or what decodes is read (``"replace"``)."""
    missing: float | None = None
    """The number that stands for "none"; None if there is no such number."""
    count: str = ""
    """The path of the field that has the number of used items; empty if all are used."""
    free: int = 0
    """How many of the first axes vary, by numbers before the items; 0 if none does."""
    data_offset: int = 0
    """The first byte of the items of a field of which axes vary; otherwise 0."""

    @property
    def start(self) -> int:
        """The first byte of the items."""
        return self.data_offset if self.free else self.offset

    @property
    def varying(self) -> int:
        """How many of the first axes vary, by whatever numbers; 0 if the shape is fixed."""
        return self.free or bool(self.count)

    @property
    def count_dtype(self) -> "np.dtype[Any]":
        """The NumPy dtype of the numbers before the items."""
        return np.dtype("<u4" if self.byte_order == "little" else ">u4")

    @property
    def used_name(self) -> str:
        """What the numbers before the items are called in C, and for NumPy and ctypes."""
        return f"{self.name}_used"

    @property
    def end(self) -> int:
        """The first byte after the field."""
        return self.offset + self.size

    @property
    def alignment(self) -> int:
        """The natural alignment in bytes, of the items and of what is before them."""
        return max(self.item_alignment, COUNT_SIZE if self.free else 1)

    @property
    def item_alignment(self) -> int:
        """The natural alignment of the items in bytes."""
        return self.struct.alignment if self.struct is not None else KINDS[self.kind].alignment

    @property
    def item_dtype(self) -> "np.dtype[Any]":
        """The NumPy dtype of one item."""
        if self.struct is not None:
            return self.struct.dtype
        kind = KINDS[self.kind]
        order = "<" if self.byte_order == "little" else ">"
        if kind.sized and not kind.arrays:  # NumPy has no such text, so an array of code units
            return np.dtype((order + kind.dtype, (self.length,)))
        if self.face == "S":
            return np.dtype(f"S{self.length}")
        return np.dtype(f"{order}{kind.dtype}{self.length}" if kind.sized else order + kind.dtype)

    @property
    def codec(self) -> str:
        """The name of the encoding of text, as Python knows it."""
        return encoding_of(self.kind, self.byte_order, self.encoding)

    def describe(self) -> dict[str, Any]:
        """Return the field as JSON-compatible values, without the empty ones."""
        enum: dict[str, Any] | None = None
        if self.enum is not None:
            enum = {"name": self.enum.name, "flag": self.enum.flag, "members": dict(self.enum.members)}
            enum |= {"open": True} if self.enum.open else {}
        optional = {
            "shape": list(self.shape),
            "length": self.length,
            "unit": self.unit,
            "doc": self.doc,
            "enum": enum,
            "struct": self.struct.describe() if self.struct is not None else None,
            "face": "" if self.face == "datetime64" else self.face,
            "encoding": self.encoding,
            "errors": "" if self.errors == "strict" else self.errors,
            "count": self.count,
            "free": self.free,
            "data_offset": self.data_offset,
        }
        return {
            "name": self.name,
            "kind": self.kind,
            "offset": self.offset,
            "size": self.size,
            "byte_order": self.byte_order,
            **{key: value for key, value in optional.items() if value},
            **({} if self.missing is None else {"missing": self.missing}),
        }

    @property
    def type_name(self) -> str:
        """The type in a word or two: ``f32[4]``, ``utf8(32)``, ``u16 big-endian``, ``Pose[2, 3]``, ``Box[:200]``."""
        if self.struct is None:
            return self._type(self.kind)
        return self._type(self.struct.name if self.struct.name.isprintable() else repr(self.struct.name))

    def _type(self, item: str) -> str:
        length = f"({', '.join(filter(None, (str(self.length), self.encoding)))})" if self.length else ""
        dims = [f":{dim}" if axis < self.free else str(dim) for axis, dim in enumerate(self.shape)]
        shape = f"[{', '.join(dims)}]" if dims else ""
        return f"{item}{length}{shape}{' big-endian' if self.byte_order == 'big' else ''}"

    def __str__(self) -> str:
        """Return the field's type and offset, such as ``f32[4] m/s at 8``."""
        text = self._type(f"struct of {self.struct.size} bytes" if self.struct is not None else self.kind)
        unit = self.unit if self.unit.isprintable() else repr(self.unit)
        return f"{text} {unit} at {self.offset}" if unit else f"{text} at {self.offset}"


@frozen
class Layout(Frozen):
    """The frozen description of a Struct's bytes, which every consumer reads instead of the class.

    Attributes
    ----------
    name : str
        The name of the class.
    fields : tuple of LayoutField
        By ascending offset; those of a base class come first.
    size, alignment : int
        In bytes; ``size`` includes trailing padding.
    pack : int or None
        The class option ``pack=``, an upper limit of all fields' alignment.
    doc : str
        The class's docstring.
    id : bytes
        The layout's identity, 16 bytes: equal for layouts whose bytes have the same meaning. It covers names, kinds,
        offsets, sizes, shapes, byte order and units, those of nested layouts included; not docs, defaults, enum members
        or class names.

    Raises
    ------
    SchemaError
        If the description is inconsistent: overlapping fields, wrong sizes, invalid names.
    """

    __match_args__ = ("name", "fields", "size", "alignment", "pack", "doc")
    name: str
    """The name of the class."""
    fields: tuple[LayoutField, ...]
    """By ascending offset; those of a base class come first."""
    size: int
    """In bytes, including trailing padding."""
    alignment: int
    """In bytes."""
    pack: int | None
    """The class option ``pack=``, an upper limit of all fields' alignment."""
    doc: str
    """The class's docstring."""
    id: bytes
    """The layout's identity, 16 bytes: equal for layouts whose bytes have the same meaning."""

    def __init__(
        self,
        name: str,
        fields: tuple[LayoutField, ...],
        size: int,
        alignment: int,
        pack: int | None = None,
        doc: str = "",
    ) -> None:
        super().__init__(name, fields, size, alignment, pack, doc)
        check(self)
        object.__setattr__(self, "id", identity_of(self))

    def __hash__(self) -> int:
        """Hash the identity: that of all fields would take ten times as long."""
        return hash(self.id)

    @cached_property
    def dtype(self) -> "np.dtype[Any]":
        """The NumPy structured dtype with the same offsets and size.

        Raises
        ------
        SchemaError
            If the struct is larger than the items of NumPy's arrays can be.
        """
        if self.size > DTYPE_LIMIT:
            raise SchemaError(
                f"{self.name}: items of NumPy's arrays have at most {DTYPE_LIMIT:,} bytes, and this Struct has "
                f"{self.size:,}; its fields are arrays nevertheless"
            )
        names: list[str] = []
        formats: list[Any] = []
        offsets: list[int] = []
        for field in self.fields:
            if field.free:
                names.append(field.used_name)
                formats.append((field.count_dtype, (field.free,)) if field.free > 1 else field.count_dtype)
                offsets.append(field.offset)
            names.append(field.name)
            formats.append((field.item_dtype, field.shape) if field.shape else field.item_dtype)
            offsets.append(field.start)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.size})

    @classmethod
    def from_dtype(cls, dtype: "np.dtype[Any]", name: str) -> "Layout":
        """Describe a NumPy structured dtype.

        ``S`` and ``V`` fields become raw bytes, ``U`` UTF-32 text, ``M8`` timestamps and ``m8`` durations, subarrays
        arrays and nested structured dtypes structs. The layout's ``dtype`` equals the given one.

        Raises
        ------
        SchemaError
            If the dtype is not structured, its fields overlap, are not in the order of their offsets or have titles, or
            a field has no portable form (objects, times in other units than s, ms, us and ns, ``longdouble``).
        """
        if not isinstance(cast("object", name), str):
            raise TypeError(f"name: expected a str, found {found(name)}")
        if not isinstance(cast("object", dtype), np.dtype):
            raise TypeError(f"dtype: expected a np.dtype, found {found(dtype)}")
        if dtype.fields is None or dtype.names is None:
            raise SchemaError(f"{name}: expected a structured dtype, found {dtype}")
        fields: list[LayoutField] = []
        for label in dtype.names:
            item, offset, *title = cast("Any", dtype.fields)[label]
            if title:
                raise SchemaError(f"{name}.{label}: the title {title[0]!r} has no portable form; leave it out")
            if fields and offset < fields[-1].offset:
                raise SchemaError(
                    f"{name}.{label}: starts at byte {offset}, before {fields[-1].name}; expected the fields in the "
                    "order of their offsets, as numpy.lib.recfunctions.repack_fields(dtype) has them"
                )
            fields.append(_field_of_dtype(item, offset, label, name))
        natural = max((field.alignment for field in fields), default=1)
        aligned = dtype.itemsize % natural == 0 and all(field.offset % field.alignment == 0 for field in fields)
        return cls(name, tuple(fields), dtype.itemsize, natural if aligned else 1, None if aligned else 1)

    def describe(self) -> dict[str, Any]:
        """Return the whole layout as JSON-compatible values (see :meth:`LayoutField.describe`)."""
        return {
            "name": self.name,
            "doc": self.doc,
            "size": self.size,
            "alignment": self.alignment,
            "pack": self.pack,
            "fields": [field.describe() for field in self.fields],
        }

    def to_document(self, value: Value | None = None, *, indent: int | None = None, keys: Sequence[str] = ()) -> bytes:
        """Return the layout as a JSON document, which :func:`typedshm.load` and other languages read.

        Parameters
        ----------
        value : "struct" or "array", optional
            What values are: Structs, or bare arrays, which are the only field. Default: what the layout looks like.
        indent : int, optional
            Spaces of indentation for each level, to be read by people. Default: all on one line.
        keys : sequence of str
            Those of the rows of a table, in their order.

        Raises
        ------
        SchemaError
            If the document would be larger than 1 MiB, or `value` is "array" and the layout not that of a bare array.
        """
        if not isinstance(cast("object", value), str | None) or value not in (None, "struct", "array"):
            raise ValueError(f'value: expected "struct", "array" or None, found {found(value)}')
        if not isinstance(cast("object", indent), int | None) or not 0 <= (indent or 0) <= 8:
            raise ValueError(f"indent: expected 0 to 8 spaces or None, found {found(indent)}")
        (first, *others) = self.fields
        is_array = not others and first.name == "array" and bool(first.shape) and first.size == self.size
        is_array = is_array and first.start % WORD == 0
        if value == "array" and not is_array:
            raise SchemaError(f'{self.name}: expected one array field named "array" for value="array"')
        value = value or ("array" if is_array and self.name == "array" else "struct")
        document: dict[str, Any] = {"typedshm": 1, "value": value, "layout": self.describe()}  # 1: of the format
        if not isinstance(cast("object", keys), tuple) or keys:
            document["keys"] = checked_keys(keys)
        separators = (",", ":") if indent is None else None
        text = json.dumps(document, ensure_ascii=False, indent=indent, separators=separators).encode()
        if len(text) > DOCUMENT_LIMIT:
            raise SchemaError(
                f"{self.name}: expected a document of at most {DOCUMENT_LIMIT:,} bytes, found {len(text):,}"
            )
        return text

    def diff(self, other: "Layout") -> str:
        """Return the difference, one line for each field, this layout on the left; empty if the ids are equal.

        ``-`` marks a field that only this layout has, ``+`` one that only the other has.
        """
        _check_layout(other)
        if self.id == other.id:
            return ""
        lines = [f"{self.name} {self.id.hex()} | {other.name} {other.id.hex()}", *differences(self, other)]
        if self.size != other.size:
            lines.append(f"  size: {self.size} bytes | {other.size} bytes")
        return "\n".join(lines)

    def prefix_of(self, other: "Layout") -> bool:
        """Return True if `other` has every field of this layout, unchanged and at the same offset.

        Bytes of `other`, which may have more fields, can then be read with this layout.
        """
        _check_layout(other)
        theirs = {field.name: field for field in other.fields}
        return self.size <= other.size and all(
            field.name in theirs and same(field, theirs[field.name]) for field in self.fields
        )


def _check_layout(other: object) -> None:
    if not isinstance(other, Layout):
        raise TypeError(f"other: expected a Layout, found {found(other)}")


# ---- building ------------------------------------------------------------------------------------------------------


def _field_of_dtype(dtype: "np.dtype[Any]", offset: int, label: str, owner: str) -> LayoutField:
    where = f"{owner}.{label}"
    item, shape = (dtype, ()) if dtype.subdtype is None else dtype.subdtype
    if item.subdtype is not None:
        raise SchemaError(f"{where}: expected the dimensions of a subarray in one shape, found {dtype}")
    if item.fields is not None:
        struct = Layout.from_dtype(item, label)
        return LayoutField(label, STRUCT, offset, dtype.itemsize, shape, struct=struct)
    kind = kind_of_dtype(item)
    if kind is None:
        raise SchemaError(
            f"{where}: dtype {item} has no portable form; use numbers, bool, S, U, V, M8 and m8 in s, ms, us or ns, or "
            "structured dtypes"
        )
    return LayoutField(
        name=label,
        kind=kind.name,
        offset=offset,
        size=dtype.itemsize,
        shape=shape,
        length=item.itemsize // kind.size if kind.sized else 0,
        byte_order="big" if kind.alignment > 1 and item.str[0] == ">" else "little",
        face="S" if item.kind == "S" else "datetime64",
    )
