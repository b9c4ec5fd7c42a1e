"""RecordedChannel: what was recorded under one topic while it had one layout and was one region or table."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from typedshm.errors import DocumentError
from typedshm.layout.document import keys_of, parse
from typedshm.layout.layout import Layout, Value
from typedshm.recording.batch import Batch
from typedshm.recording.encodings.choosing import of_channel
from typedshm.recording.encodings.encoding import Encoding
from typedshm.recording.errors import RecordingCorrupt
from typedshm.recording.parsing import ChannelRecord, Damage, SchemaRecord
from typedshm.recording.stored_chunk import Messages

Kind: TypeAlias = Literal["region", "table", "foreign", "other"]
"""What was recorded; ``"other"``: what other programs than typedshm wrote into the file, and only they can read."""

FORMAT = "1"
"""Of what typedshm writes into the metadata of channels."""


_AT_ONCE = 2**26
"""Bytes of values that are decoded together."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedChannel:
    """What was recorded under one topic while it had one layout and was one region, table or foreign memory."""

    topic: str
    """The recorded name."""
    kind: Kind
    """What was recorded."""
    encoding: str
    """How the values stand in the file."""
    schema_name: str
    """What the file calls their type."""
    metadata: dict[str, str]
    """What the file says of the channel besides."""
    schema: SchemaRecord
    """What the file says of their type."""
    layout: Layout | None = None
    """Of the values, or of a table's rows; None for kind ``"other"``."""
    value: Value = "struct"
    """The form of the values."""
    document: bytes = b""
    """The layout as it stands in the file."""
    first_version: int = 0
    """The version of the first message."""
    instance: str = ""
    """What tells it from others of the same name."""
    slots: int = 0
    """How many versions the region kept, or a row of the table; 0 where nothing says so."""
    rows: int = 0
    """Of a table: how many rows it had."""
    keys: tuple[str, ...] = ()
    """Of a table: the keys of its rows."""
    decoder: Encoding | None = None
    """What makes values of its messages; None for kind ``"other"``."""

    @property
    def is_table(self) -> bool:
        """Whether its values are rows of a table."""
        return self.kind == "table"

    def is_alike(self, other: "RecordedChannel") -> bool:
        """Return whether the values of both mean the same."""
        if self.layout is None or other.layout is None:
            return self.layout is other.layout
        return self.layout.id == other.layout.id and self.is_table == other.is_table

    def versions_of(self, sequences: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """Return the versions of messages, of whose numbers the file has 32 bits."""
        since = sequences - np.uint32(self.first_version & 0xFFFFFFFF)  # wraps around, as they do
        return since.astype(np.uint64) + np.uint64(self.first_version)

    @property
    def at_once(self) -> int:
        """How many messages to decode together: the values of all of them are in memory, and large ones few bytes."""
        return max(_AT_ONCE // self.layout.size, 1) if self.layout is not None and self._expands else 2**31

    @property
    def _expands(self) -> bool:
        """Whether values may take more memory than their messages, of which they else are a part."""
        return self.encoding != "typedshm"

    def decode(self, messages: Messages) -> Batch:
        """Return the values of messages of this channel.

        Raises
        ------
        Damage
            They are none.
        """
        if self.decoder is None:
            return Batch(messages.sequences.astype(np.uint64), messages.times, messages.payloads())
        try:
            decoded = self.decoder.decode(messages.payloads())
        except RecordingCorrupt as error:
            raise Damage(f"topic {self.topic!r}: {error}", 0) from error
        versions = self.versions_of(messages.sequences) if decoded.versions is None else decoded.versions
        return Batch(versions, messages.times, decoded.values, decoded.rows)


def channel_of(record: ChannelRecord, schema: SchemaRecord | None) -> RecordedChannel:
    """Return what a channel of a file is.

    Raises
    ------
    Damage
        It says that typedshm recorded it, and contradicts itself.
    """
    metadata = record.metadata
    schema = schema or SchemaRecord(0, "", "", b"")
    if metadata.get("typedshm.format") is None:
        return RecordedChannel(record.topic, "other", record.message_encoding, schema.name, metadata, schema)
    if metadata["typedshm.format"] != FORMAT:
        raise Damage(
            f"topic {record.topic!r}: expected format {FORMAT} of recordings, found "
            f"{metadata['typedshm.format'][:20]!r}, of a newer version of typedshm",
            0,
        )
    kind = metadata.get("typedshm.kind", "")
    if kind not in get_args(Kind) or kind == "other":
        raise Damage(f"topic {record.topic!r}: expected a region, table or foreign memory, found {kind[:20]!r}", 0)
    document = metadata.get("typedshm.document", "").encode()
    try:
        layout, value = parse(document)
        keys = keys_of(document) if kind == "table" else ()
        decoder = of_channel(record.message_encoding, schema, metadata)
    except (DocumentError, RecordingCorrupt) as error:
        raise Damage(f"topic {record.topic!r}: {error}", 0) from error
    if metadata.get("typedshm.layout", layout.id.hex()) != layout.id.hex():
        raise Damage(f"topic {record.topic!r}: its layout document does not match its identity", 0)
    return RecordedChannel(
        record.topic,
        cast("Kind", kind),
        record.message_encoding,
        schema.name,
        metadata,
        schema,
        layout,
        value,
        document,
        _number(metadata, "typedshm.first_version", record.topic),
        metadata.get("typedshm.instance", ""),
        _number(metadata, "typedshm.slots", record.topic),
        _number(metadata, "typedshm.rows", record.topic),
        keys,
        decoder,
    )


def _number(metadata: dict[str, str], key: str, topic: str) -> int:
    text = metadata.get(key) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < 2**64):
        raise Damage(f"topic {topic!r}: expected a number for {key}, found {text[:20]!r}", 0)
    return int(text)
