"""Event loops behind one face, so that a test of coroutines says once what has to hold in all of them."""

import asyncio
import contextlib
import importlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from helpers.peers import PATIENCE

Task = Callable[[], Awaitable[Any]]


class Loop:
    """What tests ask of an event loop."""

    cancelled: type[BaseException]

    def run(self, main: Task) -> Any:
        """Run a coroutine function to its end."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        raise NotImplementedError

    async def together(self, *functions: Task) -> None:
        """Run coroutine functions side by side until all have returned."""
        raise NotImplementedError

    async def cancel(self, function: Task, condition: Callable[[], Any]) -> None:
        """Start a coroutine function, and cancel it once a condition holds."""
        raise NotImplementedError

    async def until(self, condition: Callable[[], Any]) -> None:
        """Look again and again until something holds; gives up when that takes absurdly long."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come about"
            await self.sleep(0.001)


class Asyncio(Loop):
    """asyncio itself."""

    cancelled = asyncio.CancelledError

    def run(self, main: Task) -> Any:
        """See :class:`Loop`."""
        return asyncio.run(main())  # type: ignore[arg-type]

    async def sleep(self, seconds: float) -> None:
        """See :class:`Loop`."""
        await asyncio.sleep(seconds)

    async def together(self, *functions: Task) -> None:
        """See :class:`Loop`."""
        async with asyncio.TaskGroup() as group:
            for function in functions:
                group.create_task(function())  # type: ignore[arg-type]

    async def cancel(self, function: Task, condition: Callable[[], Any]) -> None:
        """See :class:`Loop`."""
        task = asyncio.create_task(function())  # type: ignore[arg-type]
        await self.until(condition)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()


class Trio(Loop):
    """Trio itself."""

    def __init__(self) -> None:
        self.trio: Any = importlib.import_module("trio")
        self.cancelled = self.trio.Cancelled

    def run(self, main: Task) -> Any:
        """See :class:`Loop`."""
        return self.trio.run(main, strict_exception_groups=True)

    async def sleep(self, seconds: float) -> None:
        """See :class:`Loop`."""
        await self.trio.sleep(seconds)

    async def together(self, *functions: Task) -> None:
        """See :class:`Loop`."""
        async with self.trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)

    async def cancel(self, function: Task, condition: Callable[[], Any]) -> None:
        """See :class:`Loop`."""
        async with self.trio.open_nursery() as nursery:
            nursery.start_soon(function)
            await self.until(condition)
            nursery.cancel_scope.cancel()
        assert nursery.cancel_scope.cancelled_caught


class Anyio(Loop):
    """Anyio on one of the two."""

    def __init__(self, backend: str) -> None:
        self.anyio: Any = importlib.import_module("anyio")
        self.backend = backend
        self.cancelled = asyncio.CancelledError if backend == "asyncio" else importlib.import_module("trio").Cancelled

    def run(self, main: Task) -> Any:
        """See :class:`Loop`."""
        return self.anyio.run(main, backend=self.backend)

    async def sleep(self, seconds: float) -> None:
        """See :class:`Loop`."""
        await self.anyio.sleep(seconds)

    async def together(self, *functions: Task) -> None:
        """See :class:`Loop`."""
        async with self.anyio.create_task_group() as group:
            for function in functions:
                group.start_soon(function)

    async def cancel(self, function: Task, condition: Callable[[], Any]) -> None:
        """See :class:`Loop`."""
        async with self.anyio.create_task_group() as group:
            group.start_soon(function)
            await self.until(condition)
            group.cancel_scope.cancel()


LOOPS = ("asyncio", "trio", "anyio-asyncio", "anyio-trio")


def loop_of(name: str) -> Loop:
    """The loop of that name; skips the test where its packages are not installed."""
    for package in name.split("-"):
        pytest.importorskip(package)
    if name == "asyncio":
        return Asyncio()
    return Trio() if name == "trio" else Anyio(name.removeprefix("anyio-"))
