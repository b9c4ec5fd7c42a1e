"""ForeignFollower: the values of another program's memory, one after the other."""

from collections.abc import AsyncIterator, Iterator
from typing import Generic, Protocol, TypeVar

from typedshm.errors import Closed

T_co = TypeVar("T_co", covariant=True)


class _Waited(Protocol[T_co]):
    """A handle that can be waited for."""

    def wait(self, *sources: str, timeout: float | None = None) -> T_co: ...
    async def next(self, *sources: str, timeout: float | None = None) -> T_co: ...
    @property
    def closed(self) -> bool: ...


class ForeignFollower(Generic[T_co]):
    """An iterator over values as they are published, from :meth:`ForeignRegion.follow`.

    Attributes
    ----------
    count : int
        How many values it has yielded.
    """

    def __init__(self, region: _Waited[T_co], sources: tuple[str, ...], timeout: float | None) -> None:
        self._region = region
        self._sources = sources
        self._timeout = timeout
        self.count = 0
        """How many values it has yielded."""

    def __iter__(self) -> Iterator[T_co]:
        return self

    def __next__(self) -> T_co:
        try:
            value = self._region.wait(*self._sources, timeout=self._timeout)
        except Closed:
            if self._region.closed:
                raise StopIteration from None
            raise
        self.count += 1
        return value

    def __aiter__(self) -> AsyncIterator[T_co]:
        return self

    async def __anext__(self) -> T_co:
        try:
            value = await self._region.next(*self._sources, timeout=self._timeout)
        except Closed:
            if self._region.closed:
                raise StopAsyncIteration from None
            raise
        self.count += 1
        return value
