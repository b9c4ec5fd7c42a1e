"""The region that recorded versions are published to."""

from typing import Any

import typedshm
import typedshm._native as _native
from typedshm.recording.batch import view_of
from typedshm.recording.merging import RecordedBytes
from typedshm.recording.replay.targets.existing import check_publishers, find, publisher_of
from typedshm.recording.replay.targets.target import Target
from typedshm.schema.resolve import schema_from_document

_LOSSLESS = "typedshm.lossless"
"""The key of a channel's metadata that says whether the region's writers waited for followers: ``1``."""


class RegionTarget(Target["typedshm.Region[Any]"]):
    """Publishes to a region, exclusively."""

    def _open(self) -> "typedshm.Region[Any]":
        found = find(self.name, self._channel, self._options)
        if found is None:
            return self._make()
        with found:
            if not self._options.take_over:
                check_publishers(found, self._channel)
            elif publisher_of(found) is not None:
                self._unname(found)  # the one way to keep out who publishes exclusively
        return self._make()

    def _make(self) -> "typedshm.Region[Any]":
        """Make it, or take it as it is."""
        channel = self._channel
        return typedshm.open(
            self.name,
            schema_from_document(channel.document).argument,
            slots=channel.slots or None,
            lossless=channel.metadata.get(_LOSSLESS) == "1" or None,
            scope=self._options.scope,
            check=False,
            exclusive=True,
        )

    def _write(self, recorded: RecordedBytes, version: int, time: int) -> None:
        _native.publish(self._opened, view_of(recorded.value), version, time)

    def _version_of(self, recorded: RecordedBytes) -> int:
        return self._opened.version

    def _offset(self, recorded: RecordedBytes) -> int:
        return self._newest + 1 - recorded.version
