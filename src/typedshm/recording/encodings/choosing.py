"""Choosing: which encoding a source is recorded in, and which one a channel of a file has."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout.document import keys_of, parse
from typedshm.layout.layout import Layout
from typedshm.recording.encodings.cdr import Cdr
from typedshm.recording.encodings.cdr_plan import NoCdr
from typedshm.recording.encodings.encoding import Encoding
from typedshm.recording.encodings.own import Own
from typedshm.recording.errors import RecordingCorrupt

ENCODINGS = ("auto", "typedshm", "cdr")
"""What ``encoding=`` can be."""

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
    table = kind == "table"
    if wanted not in ENCODINGS:
        raise ValueError(f"encoding: expected one of {', '.join(ENCODINGS)}, found {wanted!r} for {name!r}")
    if wanted == "typedshm":
        return Own(layout, keys=keys, table=table)
    try:
        return Cdr(layout, table=table)
    except NoCdr as error:
        if wanted != "auto":
            raise ValueError(f"encoding: {name!r} cannot be recorded in CDR: {layout.name}: {error}") from None
    return Own(layout, keys=keys, table=table)


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
    del schema
    document = metadata.get(DOCUMENT)
    if document is None:
        raise RecordingCorrupt(f"the channel was not recorded by typedshm: it has no {DOCUMENT}")
    try:
        text = document.encode()
        (layout, _), keys = parse(text), keys_of(text)
    except (DocumentError, UnicodeError) as error:
        raise RecordingCorrupt(f"{DOCUMENT} of the channel: {error}") from error
    table = metadata.get(KIND) == "table"
    try:
        if message_encoding == "typedshm":
            return Own(layout, keys=keys, table=table)
        if message_encoding == "cdr":
            return Cdr(layout, table=table)
    except (NoCdr, SchemaError) as error:
        raise RecordingCorrupt(f"{layout.name} is not written as {message_encoding}: {error}") from error
    raise RecordingCorrupt(f"{layout.name}: expected an encoding of typedshm, found {message_encoding!r}")
