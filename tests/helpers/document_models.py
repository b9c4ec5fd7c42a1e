"""The layout document as pydantic models: the source of its JSON Schema, and a second opinion on what is a document.

``typedshm.layout.document`` describes the same format by hand, without the time that pydantic's import takes.
"""

import json
import unicodedata
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout import document
from typedshm.layout.checks import DIMENSION_LIMIT, SIZE_LIMIT
from typedshm.layout.declaration import Face
from typedshm.layout.document import DEPTH_LIMIT, NAME_LIMIT
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.kinds import CODE_PAGES, KINDS, STRUCT, ByteOrder
from typedshm.layout.layout import Layout, LayoutField, Value
from typedshm.layout.markers import Errors


def agreed(text: bytes) -> tuple[Layout, Value] | None:
    """What a document describes, or None if it is invalid: by the parser and by these models, which have to agree."""
    try:
        parsed = document.parse(text)
    except DocumentError:
        parsed = None
    try:
        content = Document.model_validate_json(text)
        built = content.build(), content.value
    except (ValueError, SchemaError):
        built = None
    assert parsed == built, text
    return parsed


def json_schema() -> bytes:
    """The JSON Schema of documents, the content of ``schemas/layout.schema.json``."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"


def _title(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable text")
    return text


def _identifier(text: str) -> str:
    if not text.isidentifier() or unicodedata.normalize("NFKC", text) != text:
        raise ValueError("expected a normalised identifier")
    return text


def _label(text: str) -> str:
    if not text.isidentifier() or text == "mro" or (text.startswith("_") and text.endswith("_")):
        raise ValueError("expected an identifier that an enum can hold")
    return text


def _kind(text: str) -> str:
    if text not in KINDS and text != STRUCT:
        raise ValueError("expected a kind")
    return text


def _code_page(text: str) -> str:
    if text and text not in CODE_PAGES:
        raise ValueError("expected a code page")
    return text


def _finite(value: float) -> float:
    if value - value != 0:
        raise ValueError("expected a finite number")
    return value


def _integer(value: object) -> object:
    if type(value) is not int:  # a Literal takes true and 1.0 for 1, even if it is strict
        raise ValueError("expected an integer")
    return value


def _as_dict(members: object) -> object:
    return members  # no JSON any more: of a key that is given twice the last value counts, as it does everywhere else


_Named = Field(min_length=1, max_length=NAME_LIMIT)
_Title = Annotated[str, _Named, AfterValidator(_title)]
_Identifier = Annotated[str, _Named, AfterValidator(_identifier)]
_Label = Annotated[str, _Named, AfterValidator(_label)]
_Kind = Annotated[str, Field(max_length=16, json_schema_extra={"enum": [*KINDS, STRUCT]}), AfterValidator(_kind)]
_CodePage = Annotated[str, Field(json_schema_extra={"enum": ["", *sorted(CODE_PAGES)]}), AfterValidator(_code_page)]
_Number = Annotated[int, Field(ge=-(2**63), lt=2**64)] | Annotated[float, AfterValidator(_finite)]
_Count = Annotated[int, Field(ge=0, le=SIZE_LIMIT)]
_Positive = Annotated[int, Field(ge=1, le=SIZE_LIMIT)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class EnumerationModel(_Part):
    """The named values of an integer field."""

    name: _Title
    flag: bool = Field(description="true if members combine (IntFlag), false if they exclude each other (IntEnum)")
    members: Annotated[dict[_Label, Annotated[int, Field(ge=-(2**63), lt=2**64)]], BeforeValidator(_as_dict)] = Field(
        min_length=1, description="from name to number, in the order of declaration"
    )
    open: bool = Field(False, description="true if other numbers are valid, too")

    def build(self, kind: str) -> Enumeration:
        if kind not in KINDS or KINDS[kind].python is not int:
            raise ValueError("expected an integer")
        limits = np.iinfo(KINDS[kind].dtype)
        if not all(limits.min <= number <= limits.max for number in self.members.values()):
            raise ValueError("expected numbers that fit the kind")
        return Enumeration(self.name, self.flag, tuple(self.members.items()), self.open)


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
        "datetime64",
        description="what a time reads as in Python, datetime64 for NumPy's own; S: raw bytes that NumPy pads with "
        "NUL; nan: a float that is NaN where it is missing",
    )
    encoding: _CodePage = Field("", description='of kind "ansi"; empty: the code page of the system which reads')
    errors: Errors = Field("strict", description="replace: text that does not decode is read as far as it does")
    missing: _Number | None = Field(None, description="the number that stands for none")
    count: str = Field("", description="the path of the integer field that says how many items of the array are used")
    free: Annotated[int, Field(ge=0, le=DIMENSION_LIMIT)] = Field(
        0, description="how many of the first axes vary: the field begins with a u32 for each, how many items are used"
    )
    data_offset: _Count = Field(0, description="of a field of which axes vary: the first byte of its items")

    def build(self, depth: int) -> LayoutField:
        missing = self.missing
        if missing is not None and self.kind in KINDS and KINDS[self.kind].python is float:
            missing = float(missing)
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
            enum=None if self.enum is None else self.enum.build(self.kind),
            struct=None if self.struct is None else self.struct.build(depth + 1),
            face=self.face,
            encoding=self.encoding,
            errors=self.errors,
            missing=missing,
            count=self.count,
            free=self.free,
            data_offset=self.data_offset,
        )


class StructModel(_Part):
    """The bytes of a struct."""

    name: _Title
    doc: str = ""
    size: _Positive = Field(description="in bytes, trailing padding included")
    alignment: Annotated[Literal[1, 2, 4, 8, 16, 32, 64], BeforeValidator(_integer)]
    pack: _Positive | None = Field(None, description="the largest alignment any field got")
    # to collect the errors of 300,000 fields would take seconds and gigabytes
    fields: Annotated[tuple[FieldModel, ...], FailFast()] = Field(min_length=1, description="by ascending offset")

    def build(self, depth: int = 1) -> Layout:
        if depth > DEPTH_LIMIT:
            raise ValueError("structs are nested too deep")
        if self.size % self.alignment:
            raise ValueError("expected a size that is a multiple of the alignment")
        fields = tuple(field.build(depth) for field in self.fields)
        return Layout(self.name, fields, self.size, self.alignment, self.pack, self.doc)


class Document(_Part):
    """A typedshm layout document: which bytes a region holds, for programs in any language."""

    typedshm: Annotated[Literal[1], BeforeValidator(_integer)] = Field(description="version of this format")
    value: Value = Field(
        description='"array": values are the bare array that is the struct\'s only field, called "array"'
    )
    layout: StructModel
    keys: tuple[str, ...] = Field(
        (), min_length=1, description="of a table: the keys of its rows, in their order, all different"
    )

    def build(self) -> Layout:
        layout = self.layout.build()
        if len(set(self.keys)) != len(self.keys):
            raise ValueError("expected each key once")
        if self.value == "array":
            (first, *others) = layout.fields
            if others or first.name != "array" or not first.shape or first.size != layout.size:
                raise ValueError("expected one array")
        return layout
