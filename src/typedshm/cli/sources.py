"""Sources: whatever has newest values under a layout. Commands that show values know no more than this."""

from datetime import datetime
from typing import Any, NamedTuple, Protocol

import typedshm
from typedshm.cli.targets import Target, attach


class Sample(NamedTuple):
    """One version of a source."""

    version: int
    published: datetime
    """When, in UTC."""
    value: Any
    """A Struct, or a bare array."""


class Source(Protocol):
    """What can be shown and watched."""

    @property
    def label(self) -> str:
        """What it is called, safe to print."""
        ...

    @property
    def layout(self) -> typedshm.Layout:
        """Of its values."""
        ...

    @property
    def version(self) -> int:
        """The number of the newest version; 0 while there is none. Costs next to nothing."""
        ...

    @property
    def instance(self) -> str:
        """Tells this making of it from others of the same name."""
        ...

    def read(self) -> Sample | None:
        """Return the newest version, as a copy; None while there is none."""
        ...

    def wait(self, after: int, timeout: float | None) -> Sample | None:
        """Return the newest version above `after` as soon as there is one; None if there was none in time."""
        ...

    def is_current(self) -> bool:
        """Return False once its name leads elsewhere or nowhere, so that it has to be opened anew."""
        ...

    def close(self) -> None:
        """Leave it."""
        ...


class RegionSource:
    """A region, opened read-only."""

    def __init__(self, target: Target, *, timeout: float | None = 0) -> None:
        self._region = attach(target, timeout=timeout)
        self.label = str(target)

    @property
    def layout(self) -> typedshm.Layout:
        """Of its values."""
        return self._region.layout

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self._region.version

    @property
    def instance(self) -> str:
        """Tells this region from others of its name."""
        return self._region.instance

    def read(self) -> Sample | None:
        """Return the newest version."""
        try:
            return self._sample(self._region.read())
        except typedshm.Empty:
            return None

    def wait(self, after: int, timeout: float | None) -> Sample | None:
        """Wait for a version above `after`."""
        try:
            return self._sample(self._region.wait(after=after, timeout=timeout))
        except typedshm.Timeout:
            return None

    def is_current(self) -> bool:
        """Return whether the name still means this region."""
        info = self._region.info()
        return not (info.unlinked or info.replaced)

    def close(self) -> None:
        """Leave the region."""
        self._region.close()

    def _sample(self, value: Any) -> Sample:
        published = typedshm.time_of(value) if isinstance(value, typedshm.Struct) else self._region.info().published
        version = typedshm.version_of(value) if isinstance(value, typedshm.Struct) else self._region.version
        assert published is not None
        assert version is not None
        return Sample(version, published, value)


def open_source(target: Target, *, timeout: float | None = 0) -> Source:
    """Open whatever has the name.

    Raises
    ------
    RegionNotFound, Timeout
        There is nothing, or nothing appeared in time.
    """
    return RegionSource(target, timeout=timeout)
