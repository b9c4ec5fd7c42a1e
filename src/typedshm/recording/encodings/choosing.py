"""Choosing: which encoding a source is recorded in, and which one a channel of a file has."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout.document import keys_of, parse
from typedshm.layout.layout import Layout
from typedshm.recording.encodings.cdr import Cdr
from typedshm.recording.encodings.encoding import Encoding
from typedshm.recording.encodings.images import COMPRESSED, RAW, CompressedImages, RawImages
from typedshm.recording.encodings.json_state import JsonState
from typedshm.recording.encodings.own import Own
from typedshm.recording.encodings.pictures import NoPicture
from typedshm.recording.errors import RecordingCorrupt

ENCODINGS = ("auto", "typedshm", "cdr", "json", "image", "jpeg", "png")
"""What ``encoding=`` can be."""

_MESSAGE_ENCODINGS = ("typedshm", "cdr", "json")

DOCUMENT = "typedshm.document"
"""The key of a channel's metadata that has the layout document."""

KIND = "typedshm.kind"
"""The key of a channel's metadata that says what was recorded: ``region``, ``table`` or ``foreign``."""


class Schema(Protocol):
    """What is asked of an MCAP schema record."""

    @property
    def name(self) -> str:
        """The name of the type."""
        ...

    @property
    def data(self) -> bytes:
        """The schema."""
        ...


def choose(layout: Layout, wanted: str, *, kind: str, name: str, keys: Sequence[str] = ()) -> Encoding:
    """Return the encoding that a source is recorded in.

    Parameters
    ----------
    layout
        The layout of its values.
    wanted
        One of :data:`ENCODINGS`. ``"auto"``: as a picture, if it is one; in CDR, if it has all the fields; as it is.
    kind
        What is recorded: ``"region"``, ``"table"`` or ``"foreign"``.
    name
        The name of the source, for messages.
    keys
        The keys of a table's rows.

    Raises
    ------
    ValueError
        The wanted encoding is unknown, or not one for this layout.
    """
    if wanted not in ENCODINGS:
        raise ValueError(f"encoding: expected one of {', '.join(ENCODINGS)}, found {wanted!r} for {name!r}")
    table = kind == "table"
    if wanted == "auto":
        return _fitting(layout, name, keys, table=table)
    try:
        return _wanted(layout, wanted, name, keys, table=table)
    except ValueError as error:
        words = _NAMES.get(wanted, wanted)
        raise ValueError(f"encoding: {name!r} cannot be recorded as {words}: {layout.name}: {error}") from None


_NAMES = {"cdr": "CDR", "json": "JSON", "image": "an image", "jpeg": "JPEG", "png": "PNG"}


def _fitting(layout: Layout, name: str, keys: Sequence[str], *, table: bool) -> Encoding:
    for wanted in ("image", "cdr"):
        try:
            return _wanted(layout, wanted, name, keys, table=table)
        except ValueError:
            continue
    return Own(layout, keys=keys, table=table)


def _wanted(layout: Layout, wanted: str, name: str, keys: Sequence[str], *, table: bool) -> Encoding:
    if wanted == "typedshm":
        return Own(layout, keys=keys, table=table)
    if wanted == "json":
        return JsonState(layout, keys=keys, table=table)
    if wanted == "cdr":
        return Cdr(layout, table=table)
    if table:
        raise NoPicture("the rows of tables are no pictures")
    return RawImages(layout, topic=name) if wanted == "image" else CompressedImages(layout, wanted, topic=name)


def of_channel(message_encoding: str, schema: Schema | None, metadata: Mapping[str, str]) -> Encoding:
    """Return the encoding of a channel of a file.

    Parameters
    ----------
    message_encoding
        MCAP's name of the encoding.
    schema
        The schema record of the channel.
    metadata
        That of the channel.

    Raises
    ------
    RecordingCorrupt
        The channel is none of typedshm's, or what it says of itself is inconsistent.
    """
    document = metadata.get(DOCUMENT)
    if document is None:
        raise RecordingCorrupt(f"the channel was not recorded by typedshm: it has no {DOCUMENT}")
    try:
        text = document.encode()
        (layout, _), keys = parse(text), keys_of(text)
    except (DocumentError, UnicodeError) as error:
        raise RecordingCorrupt(f"{DOCUMENT} of the channel: {error}") from error
    if message_encoding not in _MESSAGE_ENCODINGS:
        raise RecordingCorrupt(f"{layout.name}: expected an encoding of typedshm, found {message_encoding[:80]!r}")
    wanted = _name_of(message_encoding, schema)
    try:
        return _wanted(layout, wanted, "", keys, table=metadata.get(KIND) == "table")
    except (ValueError, SchemaError) as error:
        raise RecordingCorrupt(f"{layout.name} is not written as {wanted}: {error}") from error


def _name_of(message_encoding: str, schema: Schema | None) -> str:
    if message_encoding != "cdr" or schema is None or schema.name not in (RAW, COMPRESSED):
        return message_encoding
    if schema.name == RAW:
        return "image"
    return "jpeg" if b"# jpeg" in schema.data else "png"
