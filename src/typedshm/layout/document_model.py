"""The layout document as pydantic models, which validate it before any of it is used.

This module is separate because pydantic is heavy, and writing documents does not need it.
"""

import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field, ValidationError

from typedshm.errors import DocumentError, SchemaError, quoted
from typedshm.layout.declaration import Face
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.kinds import KINDS, STRUCT, ByteOrder
from typedshm.layout.layout import DIMENSION_LIMIT, SIZE_LIMIT, Layout, LayoutField

#: How deep structs can be nested.
DEPTH_LIMIT = 32


def _title(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable text")
    return text


def _identifier(text: str) -> str:
    if not text.isidentifier():
        raise ValueError("expected a Python identifier")
    # Python normalises identifiers in source code, and the constructors of loaded classes are source code
    if unicodedata.normalize("NFKC", text) != text:
        raise ValueError(f"expected a normalised identifier (NFKC), found {text!r}")
    return text


def _members(members: Any) -> Any:
    # only the first error is reported, as for fields; pydantic itself would collect a hundred thousand
    named = cast("dict[str, object]", members) if isinstance(cast("object", members), dict) else {}
    for label, number in named.items():
        if not label.isidentifier() or label == "mro" or (label.startswith("_") and label.endswith("_")):
            raise ValueError(f"expected an identifier that an enum can hold, found {quoted(label)}")
        if type(number) is not int:
            raise ValueError(f"expected an integer for {label}, found {quoted(number)}")
    return members


def _kind(text: str) -> str:
    if text not in KINDS and text != STRUCT:
        raise ValueError(f"expected one of {', '.join(KINDS)}, {STRUCT}, found {text!r}")
    return text


_Title = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_title)]
_Identifier = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_identifier)]
_Kind = Annotated[str, Field(max_length=16, json_schema_extra={"enum": [*KINDS, STRUCT]}), AfterValidator(_kind)]
_Count = Annotated[int, Field(ge=0, le=SIZE_LIMIT)]
_Positive = Annotated[int, Field(ge=1, le=SIZE_LIMIT)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class EnumerationModel(_Part):
    """The named values of an integer field."""

    name: _Title
    flag: bool = Field(description="true if members combine (IntFlag), false if they exclude each other (IntEnum)")
    members: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=255)], Annotated[int, Field(ge=-(2**63), lt=2**64)]],
        BeforeValidator(_members),
    ] = Field(min_length=1, description="from name to number, in the order of declaration")

    def build(self, where: str, kind: str) -> Enumeration:
        """Return the enumeration, checked against the range of its integer kind."""
        python = KINDS[kind].python if kind in KINDS else None
        if python is not int:
            raise DocumentError(f"{where}.enum: only an integer has named values, found {kind}")
        limits = np.iinfo(KINDS[kind].dtype)
        for label, number in self.members.items():
            if not limits.min <= number <= limits.max:
                raise DocumentError(f"{where}.enum.members.{label}: {number} does not fit {kind}")
        return Enumeration(self.name, self.flag, tuple(self.members.items()))


class FieldModel(_Part):
    """One field of a struct."""

    name: _Identifier = Field(description="an identifier without a leading underscore")
    kind: _Kind = Field(description="how one item lies in memory")
    offset: _Count = Field(description="of its first byte, from the beginning of the struct")
    size: _Positive = Field(description="in bytes, of all items")
    byte_order: ByteOrder
    shape: tuple[_Positive, ...] = Field(
        (), max_length=DIMENSION_LIMIT, description="items along each axis, outermost first; empty: no array"
    )
    length: _Count = Field(0, description="code units or bytes of one item of text or raw bytes")
    unit: str = Field("", description="the physical unit of a number")
    doc: str = ""
    enum: EnumerationModel | None = None
    struct: "StructModel | None" = Field(None, description='what one item of kind "struct" looks like')
    face: Face = Field(
        "datetime64", description="what a timestamp reads as in Python; S: raw bytes that NumPy pads with NUL"
    )

    def build(self, where: str, depth: int) -> LayoutField:
        """Return the field."""
        return LayoutField(
            name=self.name,
            kind=self.kind,
            offset=self.offset,
            size=self.size,
            shape=self.shape,
            length=self.length,
            byte_order=self.byte_order,
            unit=self.unit,
            doc=self.doc,
            enum=None if self.enum is None else self.enum.build(where, self.kind),
            struct=None if self.struct is None else self.struct.build(f"{where}.struct", depth + 1),
            face=self.face,
        )


class StructModel(_Part):
    """The bytes of a struct."""

    name: _Title
    doc: str = ""
    size: _Positive = Field(description="in bytes, trailing padding included")
    alignment: Literal[1, 2, 4, 8]
    pack: _Positive | None = Field(None, description="the largest alignment any field got")
    # only the first error is reported: to collect those of 300,000 fields would take seconds and gigabytes
    fields: Annotated[tuple[FieldModel, ...], FailFast()] = Field(min_length=1, description="by ascending offset")

    def build(self, where: str, depth: int = 1) -> Layout:
        """Return the layout.

        Raises
        ------
        DocumentError
            If it is inconsistent.
        """
        if depth > DEPTH_LIMIT:
            raise DocumentError(f"{where}: structs are nested deeper than {DEPTH_LIMIT}")
        fields = tuple(field.build(f"{where}.fields[{index}]", depth) for index, field in enumerate(self.fields))
        if self.size % self.alignment:
            raise DocumentError(f"{where}.size: {self.size} is no multiple of the alignment {self.alignment}")
        try:
            return Layout(self.name, fields, self.size, self.alignment, self.pack, self.doc)
        except SchemaError as error:
            raise DocumentError(f"{where}: {error}") from error


class Document(_Part):
    """A typedshm layout document: which bytes a region holds, for programs in any language."""

    typedshm: Literal[1] = Field(description="version of this format")
    value: Literal["struct", "array"] = Field(
        description='"array": values are the bare array that is the struct\'s only field, called "array"'
    )
    layout: StructModel

    @classmethod
    def read(cls, text: bytes) -> "Document":
        """Parse a document and check its form.

        Raises
        ------
        DocumentError
            If it is invalid; the message has the path of the first error.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            raise DocumentError(
                f"{_path(first['loc'])}: {first['msg']}, found {quoted(first['input'])}{more}"
            ) from None

    def build(self) -> Layout:
        """Return the layout.

        Raises
        ------
        DocumentError
            If it is inconsistent.
        """
        layout = self.layout.build("layout")
        if self.value == "array":
            (first, *others) = layout.fields
            if others or first.name != "array" or not first.shape or first.size != layout.size:
                raise DocumentError('layout: expected one array field named "array" for "value": "array"')
        return layout


def _path(location: Sequence[int | str]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.isidentifier() and len(step) <= 60:
            path += f".{step}" if path else step
        else:  # the key is untrusted: only what could be one of ours is shown as it is
            path += f"[{quoted(step)}]"
    return path or "the document"
