"""Documents of other programs' memory as pydantic models: the source of their JSON Schema, and a second opinion.

``typedshm.foreign.document`` describes the same format by hand.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, model_validator

from helpers.document_models import StructModel, _finite, _Identifier, _integer, _Title
from typedshm.errors import DocumentError, SchemaError
from typedshm.foreign import document
from typedshm.foreign.addresses import check_name
from typedshm.foreign.conditions import Condition
from typedshm.foreign.document import IDLE_LIMIT, Document, Provenance
from typedshm.foreign.document_words import RULES, TABLES, TEXT_ENCODINGS
from typedshm.foreign.numbers import DEPTH_LIMIT, NUMBER_LIMIT, TERM_LIMIT, Number
from typedshm.foreign.parts import Part
from typedshm.foreign.sources import Alternative, Event, Newest, Source, Words, checked
from typedshm.layout.checks import SIZE_LIMIT
from typedshm.layout.outline import LIST_LIMIT


def agreed(text: bytes) -> Document | None:
    """What a document says, or None if it is invalid: by the parser and by these models, which have to agree."""
    try:
        parsed = document.parse(text)
    except DocumentError:
        parsed = None
    try:
        built = ForeignDocument.model_validate_json(text).build()
    except (ValueError, SchemaError):
        built = None
    assert parsed == built, text
    return parsed


def json_schema() -> bytes:
    """The JSON Schema of documents, the content of ``schemas/foreign.schema.json``."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | ForeignDocument.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"


def _line(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("expected printable text in one line")
    return text


def _month(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        raise ValueError("expected a month")
    return text


def _encoding(text: str) -> str:
    if text not in TEXT_ENCODINGS:
        raise ValueError("expected an encoding")
    return text


def _unbool(value: object) -> object:
    return int(value) if type(value) is bool else value


def _no_bool(value: object) -> object:
    if type(value) is bool:
        raise ValueError("expected a number")
    return value


_Line = Annotated[str, AfterValidator(_line)]
_Encoding = Annotated[str, Field(json_schema_extra={"enum": sorted(TEXT_ENCODINGS)}), AfterValidator(_encoding)]
_System = Literal["linux", "windows", "darwin"]
_Name = Annotated[str, AfterValidator(check_name)]
_Path = Annotated[str, Field(description="the path of a field of the head, such as header.begin or offsets[2]")]
_Whole = Annotated[int, Field(ge=0, le=NUMBER_LIMIT)]
_Bound = Annotated[int, Field(ge=-(2**63), lt=2**64)]
_Float = Annotated[float, AfterValidator(_finite), Field(ge=-(2**63), lt=2**64)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


# ---- numbers and conditions ----------------------------------------------------------------------------------------


class Add(_Part):
    """The sum of numbers."""

    add: tuple["NumberModel", ...] = Field(min_length=2, max_length=TERM_LIMIT)


class Multiply(_Part):
    """The product of numbers."""

    multiply: tuple["NumberModel", ...] = Field(min_length=2, max_length=TERM_LIMIT)


class Divide(_Part):
    """The first number divided by the second, rounded down."""

    divide: tuple["NumberModel", ...] = Field(min_length=2, max_length=2)


class After(_Part):
    """The end of an earlier part."""

    after: str


class SizeOf(_Part):
    """The size of the head."""

    size: Literal["head"]


class NumberModel(RootModel[Any]):
    """An offset, stride, count or length: a number, the path of a field of the head, or what is computed of them."""

    model_config = ConfigDict(frozen=True)
    root: Annotated[_Whole, BeforeValidator(_no_bool)] | str | Add | Multiply | Divide | After | SizeOf

    def build(self, depth: int = 0) -> Number:
        if isinstance(self.root, int):
            return Number("constant", (self.root,))
        if isinstance(self.root, str):
            return Number("field", (self.root,))
        if depth == DEPTH_LIMIT:
            raise ValueError("too deep")
        if isinstance(self.root, SizeOf):
            return Number("head", ())
        if isinstance(self.root, After):
            return Number("after", (self.root.after,))
        ((operation, terms),) = dict(self.root).items()
        return Number(operation, tuple(term.build(depth + 1) for term in terms))


class SizeModel(_Part):
    """Bounds of the size of the memory."""

    at_least: Annotated[int, Field(ge=0, lt=2**64)] | None = None
    at_most: Annotated[int, Field(ge=0, lt=2**64)] | None = None


class ConditionModel(_Part):
    """What a field of the head, or the size of the memory, has to be."""

    field: str | None = None
    size: SizeModel | None = None
    equals: Annotated[str | _Bound | _Float | None, BeforeValidator(_unbool)] = Field(None, alias="is")
    at_least: _Bound | None = None
    at_most: _Bound | None = None
    mask: Annotated[int, Field(ge=1, lt=2**64)] | None = Field(None, description="the bits that are compared with is")

    @model_validator(mode="after")
    def check(self) -> "ConditionModel":
        bounds = (self.at_least, self.at_most)
        if (self.field is None) == (self.size is None) or self.field == "":
            raise ValueError("expected a field or a size")
        given = [self.equals, *bounds]
        if self.size is not None:
            if any(value is not None for value in (*given, self.mask)) or self.size == SizeModel():
                raise ValueError("expected bounds of the size")
        elif all(value is None for value in given):
            raise ValueError("expected a value")
        elif self.mask is not None and (bounds != (None, None) or type(self.equals) is not int):
            raise ValueError("expected an integer with a mask")
        return self

    def build(self) -> Condition:
        if self.size is not None:
            return Condition("", None, self.size.at_least, self.size.at_most, None)
        assert self.field is not None
        return Condition(self.field, self.equals, self.at_least, self.at_most, self.mask)


_Conditions = Annotated[tuple[ConditionModel, ...], Field(max_length=LIST_LIMIT)]


# ---- rules and tables ----------------------------------------------------------------------------------------------


class RuleModel(BaseModel):
    """The rule by which the memory is read; what else it is told depends on its kind."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")
    kind: Literal[tuple(RULES)]  # type: ignore[valid-type]

    def build(self) -> Words:
        types = RULES[self.kind]
        given = self.model_extra or {}
        if not given.keys() <= types.keys():
            raise ValueError("expected parameters of the rule")
        found: list[tuple[str, Any]] = []
        for name, (type_, required) in types.items():
            value = given.get(name)
            if value is None and required:
                raise ValueError(f"expected {name}")
            if value is not None:
                found.append((name, _RULE_VALUES[type_](value)))
        return Words(self.kind, tuple(found))


def _rule_text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("expected text")
    value.encode()
    return value


def _rule_texts(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not 0 < len(value) <= LIST_LIMIT:
        raise ValueError("expected a list of texts")
    return tuple(map(_rule_text, value))


def _written(value: Any) -> str:
    if value not in ("first", "last"):
        raise ValueError("expected first or last")
    return str(value)


_RULE_VALUES = {
    "field": _rule_text,
    "array": _rule_text,
    "item": _rule_text,
    "fields": _rule_texts,
    "text": lambda value: _line(_rule_text(value)),
    "written": _written,
}


class TableModel(BaseModel):
    """The table that the program makes at run time; what else it is told depends on its kind."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    kind: Literal[TABLES]

    def build(self) -> Words:
        return Words(self.kind, ())


# ---- sources -------------------------------------------------------------------------------------------------------


class TextModel(_Part):
    """A text."""

    encoding: _Encoding


class StringsModel(_Part):
    """Texts one after the other, each behind a u32 that is its number and one that is its length in bytes."""

    encoding: _Encoding
    terminated: bool = False


class PartModel(_Part):
    """What stands beside the head: rows of a layout, a text, or strings."""

    name: _Identifier
    layout: StructModel | None = Field(None, description="of one row")
    text: TextModel | None = None
    strings: StringsModel | None = None
    offset: NumberModel
    stride: NumberModel | None = Field(None, description="bytes from one row to the next; default: the layout's size")
    count: NumberModel | None = None
    length: NumberModel | None = Field(None, description="bytes of the text, or of all strings")
    in_buffer: bool = Field(False, description="true if the offset is from the beginning of the rule's newest buffer")
    once_per: str = Field("", description="the path of a field that changes with the text")
    when: _Conditions = ()
    doc: str = ""

    def build(self) -> Part:
        kinds = {"rows": self.layout, "text": self.text, "strings": self.strings}
        (kind,) = (kind for kind, value in kinds.items() if value is not None)
        if kind == "rows" and (self.count is None or self.length is not None):
            raise ValueError("expected a count")
        if kind != "rows" and (self.length is None or self.stride is not None):
            raise ValueError("expected a length")
        if kind == "text" and self.count is not None:
            raise ValueError("expected no count")
        numbers = (self.offset, self.stride, self.count, self.length)
        offset, stride, count, length = (None if number is None else number.build() for number in numbers)
        assert offset is not None
        texts = self.text or self.strings
        return Part(
            name=self.name,
            kind=kind,  # type: ignore[arg-type]
            offset=offset,
            layout=None if self.layout is None else self.layout.build(),
            stride=stride,
            count=count,
            length=length,
            encoding="" if texts is None else texts.encoding,
            terminated=self.strings is not None and self.strings.terminated,
            in_buffer=self.in_buffer,
            once_per=self.once_per,
            when=tuple(condition.build() for condition in self.when),
            doc=self.doc,
        )


class NewestModel(_Part):
    """How a head says that it is newer than the layout, which is then that of its beginning."""

    field: str
    at_most: Annotated[int, Field(ge=0, lt=2**64)]


class AlternativeModel(_Part):
    """One of the layouts that a head can have."""

    abi: Annotated[str, AfterValidator(lambda text: text and _line(text))] = ""
    systems: Annotated[tuple[_System, ...], Field(max_length=3)] = ()
    when: _Conditions = Field((), description="all have to hold")
    newest: NewestModel | None = None
    layout: StructModel

    def build(self) -> Alternative:
        newest = None if self.newest is None else Newest(self.newest.field, self.newest.at_most)
        when = tuple(condition.build() for condition in self.when)
        return Alternative(self.layout.build(), self.abi, self.systems, when, newest)


class EventModel(_Part):
    """An event of Windows that the program sets with every update."""

    name: _Line
    shared: bool = Field(False, description="true if waiting for it takes it away from other programs")


class SourceModel(_Part):
    """One memory of the program."""

    name: _Identifier
    doc: str = ""
    names: dict[_System, Annotated[tuple[_Name, ...], Field(max_length=LIST_LIMIT)]] = Field(
        description="of each system in the order of trying; with a / it is a path, sysv:0x4e545030 a System V key; "
        "{uid} {user} {pid} {tmp} {unit} are filled in"
    )
    rule: RuleModel
    idle: Annotated[float, Field(gt=0, le=IDLE_LIMIT)] | None = Field(
        None, description="seconds after which a tick that stands still says that the publisher is dead"
    )
    event: EventModel | None = None
    dead: _Conditions = Field((), description="if any holds, the publisher has ended")
    disabled: _Conditions = Field((), description="if any holds, the publisher is not told to publish")
    layouts: tuple[AlternativeModel, ...] = Field(
        min_length=1, max_length=LIST_LIMIT, description="the first counts whose conditions hold; the newest is last"
    )
    parts: Annotated[tuple[PartModel, ...], Field(max_length=LIST_LIMIT)] = ()
    table: TableModel | None = None

    def build(self) -> Source:
        return checked(
            Source(
                name=self.name,
                names=tuple(self.names.items()),
                rule_words=self.rule.build(),
                layouts=tuple(layout.build() for layout in self.layouts),
                idle=self.idle,
                event=None if self.event is None else Event(self.event.name, self.event.shared),
                dead=tuple(condition.build() for condition in self.dead),
                disabled=tuple(condition.build() for condition in self.disabled),
                parts=tuple(part.build() for part in self.parts),
                table=None if self.table is None else self.table.build(),
                doc=self.doc,
            )
        )


class ProvenanceModel(_Part):
    """Where facts come from, and how they were checked."""

    origin: _Line = Field(alias="from")
    checked: Literal["compiled", "live", "third-party"]
    on: Annotated[str, AfterValidator(_month), Field(pattern="^[0-9]{4}-[0-9]{2}$")]


class ForeignDocument(_Part):
    """A typedshm document of another program's memory: where it is, what stands in it, by which rule it is read."""

    typedshm: Annotated[Literal[1], BeforeValidator(_integer)] = Field(description="version of this format")
    value: Literal["foreign"]
    program: _Title = Field(description="what it is, in a line")
    doc: str = ""
    provenance: Annotated[tuple[ProvenanceModel, ...], Field(min_length=1, max_length=LIST_LIMIT)]
    licence: str = Field(description="a remark about that of the definition")
    sizes: dict[_Line, Annotated[int, Field(ge=1, le=SIZE_LIMIT)]] = Field(
        description="how many bytes the memory was seen to have: where and in which version"
    )
    sources: Annotated[tuple[SourceModel, ...], Field(min_length=1, max_length=LIST_LIMIT)]

    def build(self) -> Document:
        if len({source.name for source in self.sources}) != len(self.sources):
            raise ValueError("expected each source once")
        provenance = tuple(Provenance(one.origin, one.checked, one.on) for one in self.provenance)
        sources = tuple(source.build() for source in self.sources)
        return Document(self.program, self.doc, provenance, self.licence, tuple(self.sizes.items()), sources)
