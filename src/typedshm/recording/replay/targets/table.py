"""The table that recorded versions of rows are published to."""

from typing import Any

import typedshm
import typedshm._native as _native
from typedshm.recording.batch import view_of
from typedshm.recording.merging import RecordedBytes
from typedshm.recording.replay.targets.existing import check_publishers, find
from typedshm.recording.replay.targets.target import Target
from typedshm.schema.resolve import schema_from_document


class TableTarget(Target["typedshm.Table[Any]"]):
    """Publishes to the rows of a table. Others may write to it too, as a table has no exclusive publisher."""

    noun = "table"

    def _open(self) -> "typedshm.Table[Any]":
        found = find(self.name, self._channel, self._options)
        if found is not None:
            with found:
                if not self._options.take_over:
                    check_publishers(found, self._channel)
        return self._make()

    def _make(self) -> "typedshm.Table[Any]":
        """Make it, or take it as it is."""
        channel = self._channel
        row = schema_from_document(channel.document).argument
        schema = typedshm.rows(row, None if channel.keys else channel.rows, keys=channel.keys or None)
        return typedshm.open(self.name, schema, slots=channel.slots or None, scope=self._options.scope, check=False)

    def _write(self, recorded: RecordedBytes, version: int, time: int) -> None:
        assert recorded.row is not None
        _native.publish_row(self._opened, recorded.row, view_of(recorded.value), version, time)

    def _version_of(self, recorded: RecordedBytes) -> int:
        return int(self._opened.versions(recorded.row))

    def _offset(self, recorded: RecordedBytes) -> int:
        return self._newest  # the highest of all rows, so that each row's numbers go on above its own
