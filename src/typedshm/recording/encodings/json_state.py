"""JSON state: values as objects of JSON, described by a JSON Schema.

They look as in ``asdict(value, mode="json")``. Where they do not tell the bytes exactly, such as text that does not
decode or a second NaN, the object also has the bytes, in base64 as ``"_raw"``; so every value reads back as it was.
"""

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.layout import Layout
from typedshm.recording.batch import Batch
from typedshm.recording.encodings.encoding import Decoded, Messages, Rows
from typedshm.recording.encodings.json_columns import Fields
from typedshm.recording.encodings.json_items import base64_of, bytes_of_base64, check_types
from typedshm.recording.encodings.json_schema import RAW, schema_of
from typedshm.recording.encodings.messages import buffers_of
from typedshm.recording.encodings.used import Used
from typedshm.recording.errors import RecordingCorrupt

SIZE_LIMIT = 16 << 20
"""The largest values that are written as JSON, in bytes; each needs that much memory, however short its JSON is."""

_AT_ONCE = 4 << 20
"""The bytes of values that are looked at together."""

_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class JsonState:
    """Values as objects of JSON; the interface is :class:`Encoding`.

    Raises
    ------
    ValueError
        Values of the layout are too large.
    """

    name = message_encoding = "json"
    schema_encoding = "jsonschema"
    prefix = b""

    def __init__(self, layout: Layout, *, keys: Sequence[str] = (), table: bool = False) -> None:
        if layout.size > SIZE_LIMIT:
            raise ValueError(
                f"{layout.name}: expected values of at most {SIZE_LIMIT:,} bytes for JSON, found {layout.size:,}"
            )
        self.schema_name = layout.name
        self._layout = layout
        self._keys = keys
        self._table = table
        self._fields = Fields(layout)
        self._used = Used(layout)
        self._step = max(_AT_ONCE // layout.size, 1)

    @property
    def schema_data(self) -> bytes:
        """The JSON Schema of the messages."""
        return json.dumps(schema_of(self._layout, table=self._table), ensure_ascii=False).encode()

    def encode(self, batch: Batch) -> list[bytes]:
        """Return the messages of some values."""
        made: list[dict[str, Any]] = []
        for at in range(0, len(batch), self._step):
            values = batch.values[at : at + self._step]
            rows = np.ascontiguousarray(values) if isinstance(values, np.ndarray) else self._used.whole(values)
            made += self._objects(rows)
        if self._table:
            made = [self._of_row(*parts) for parts in zip(*_numbers(batch), made, strict=True)]
        return [_write(found).encode() for found in made]

    def _objects(self, rows: Rows) -> list[dict[str, Any]]:
        objects, kept = self._fields.write(rows.view(self._layout.dtype)[:, 0])
        for at in np.flatnonzero(~kept).tolist():
            data = self._used.parts(rows[at : at + 1])[0]
            objects[at][RAW] = base64_of(bytes(data))
        return objects

    def _of_row(self, row: int, version: int, value: dict[str, Any]) -> dict[str, Any]:
        key = {"key": self._keys[row]} if row < len(self._keys) else {}
        return {"row": row, **key, "version": version, "value": value}

    def decode(self, messages: Messages) -> Decoded:
        """Return the values of some messages, each of which takes the memory of a whole value.

        Raises
        ------
        RecordingCorrupt
            A message is no JSON, or no value of the layout.
        """
        try:
            objects = [json.loads(bytes(message)) for message in buffers_of(messages)]
            numbers = _numbers_of(objects) if self._table else ()
            if self._table:
                objects = [found["value"] for found in objects]
            return Decoded(self._values(objects), *numbers)
        except (ValueError, RecursionError) as error:
            if isinstance(error, RecordingCorrupt):
                raise
            raise RecordingCorrupt(f"a message of {self.schema_name}: {error}") from error

    def _values(self, objects: list[Any]) -> Rows | list[bytes]:
        check_types(objects, dict)
        raw = {at: bytes_of_base64(_text(found[RAW])) for at, found in enumerate(objects) if RAW in found}
        told = [found for at, found in enumerate(objects) if at not in raw]
        rows = np.zeros((len(objects), self._layout.size), np.uint8)
        if raw:
            rows[list(raw)] = self._used.whole(list(raw.values()))
        made = np.zeros((len(told), self._layout.size), np.uint8)
        self._fields.read(told, made.view(self._layout.dtype)[:, 0])
        rows[[at for at in range(len(objects)) if at not in raw]] = made
        return self._used.parts(rows)


def _text(value: Any) -> str:
    check_types([value], str)
    return cast("str", value)


def _numbers(batch: Batch) -> tuple[list[int], list[int]]:
    if batch.rows is None:
        raise ValueError("batch: expected the numbers of a table's rows, found none")
    return batch.rows.tolist(), batch.versions.tolist()


def _numbers_of(objects: list[Any]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the numbers of rows and their versions."""
    check_types(objects, dict)
    for found in objects:
        if found.keys() - {"key"} != {"row", "version", "value"}:
            raise ValueError(f"expected row, version and value, found {', '.join(sorted(found))[:80]}")
    columns = [[found[name] for found in objects] for name in ("row", "version")]
    for column in columns:
        check_types(column, int)
        if any(not 0 <= number < 2**64 for number in column):
            raise ValueError("expected numbers of 64 bits")
    return np.array(columns[0], np.uint64), np.array(columns[1], np.uint64)
