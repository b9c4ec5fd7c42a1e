"""OpenedRegion: one region that is open, whose versions are taken as bytes."""

import contextlib
from typing import Any

import typedshm
import typedshm._native as _native
from typedshm.recording.batch import Batch
from typedshm.recording.sources.source import MOST_BYTES, MOST_VERSIONS, Description, Mode, value_of


class OpenedRegion:
    """A region that is followed.

    Parameters
    ----------
    region
        The handle, which is closed with it.
    mode
        Which versions are taken.
    first
        The first version; None: the newest there is, and what comes after it.

    Raises
    ------
    RegionRefused
        Nothing can be lossless in this region.
    """

    def __init__(self, region: "typedshm.Region[Any]", mode: Mode, first: int | None) -> None:
        self._region = region
        self._counts = mode != "newest"
        start: Any = "newest" if first is None else first
        self.follower = region.follow(start=start, every=mode != "newest", lossless=mode == "lossless")
        info = region.info()
        self.description = Description(
            kind="region",
            layout=info.layout,
            value=value_of(region.schema),
            slots=info.slots,
            instance=info.instance,
            lossless=info.lossless,
        )

    @property
    def version(self) -> int:
        """The number of the version that was taken last."""
        return self.follower.version

    @property
    def dropped(self) -> int:
        """How many versions could not be taken; those that were not asked for are not counted."""
        return self.follower.dropped + self.follower.failed if self._counts else 0

    @property
    def pending(self) -> int:
        """How many versions there are to be taken."""
        return self.follower.pending

    def poll(self) -> Batch | None:
        """Take some versions; raises RegionReplaced or RegionLost once there are no more."""
        try:
            taken = _native.follower_batch(self.follower, MOST_VERSIONS, MOST_BYTES)
        except (typedshm.TornWrite, typedshm.Overrun):  # which are versions that nobody can have any more
            return None
        if taken is None:
            return None
        values, versions, times = taken
        return Batch(versions=versions, times=times, values=values)

    def look(self) -> None:
        """Raise RegionReplaced or RegionLost if its name, or its memory, is gone."""
        _native.look(self._region)

    def is_abandoned(self) -> bool:
        """Return whether there was somebody to publish, and nobody is left."""
        return _native.is_abandoned(self._region)

    def close(self) -> None:
        """Leave it."""
        with contextlib.suppress(typedshm.TypedshmError):  # the memory may be lost
            self.follower.close()
        self._region.close()
