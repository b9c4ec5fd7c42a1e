"""Subscriptions: functions that are called with new versions, on a thread of the library's."""

import inspect
from abc import abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn, Self

import typedshm._native as _native
from typedshm.errors import Closed, RegionLost, found, quoted
from typedshm.region.waitset import join
from typedshm.region.worker import SUBSCRIPTIONS, Task

_PAUSE = 0.1
"""Seconds after an error that no version is the cause of, and that may last."""


def check_callback(callback: object) -> None:
    """Refuse what cannot be called, and what would only return a coroutine."""
    if not callable(callback) or isinstance(callback, type) or inspect.iscoroutinefunction(callback):
        what = "a coroutine function" if inspect.iscoroutinefunction(callback) else found(callback)
        raise TypeError(
            f"callback: expected a function to be called with each new value, found {what}; a coroutine follows with "
            "`async for value in region.follow()`"
        )


class Subscription:
    """What :meth:`Region.subscribe` and :meth:`Table.subscribe` return: it ends with :meth:`close`.

    It lasts until then, or until the handle is closed, whether or not the program keeps it. It is a context manager
    that closes itself. A child of a fork has none of its parent's subscriptions.
    """

    def __init__(self, delivery: "Delivery") -> None:
        self._delivery = delivery
        delivery.start(self)

    @property
    def closed(self) -> bool:
        """True once it has ended."""
        return self._delivery.closed

    @property
    def error(self) -> BaseException | None:
        """What has ended it, as RegionReplaced or RegionLost; None while it lasts, and if it was closed."""
        return self._delivery.error

    @property
    def failed(self) -> int:
        """How many errors were reported to :func:`sys.unraisablehook`.

        Those of the function, and of versions that could not be read or decoded.
        """
        return self._delivery.failed

    def close(self) -> None:
        """End it. When this returns, no call is under way, and none will come; the second time does nothing.

        The function itself may call it, or the function of another subscription: then the call that is under way goes
        on. Whoever holds a lock that the function waits for would wait for ever.
        """
        self._delivery.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a subscription belongs to its process and cannot be pickled or copied; call subscribe() there")

    def __repr__(self) -> str:
        """Return what it is a subscription of, what it calls, and whether it has ended."""
        return f"<Subscription of {self._delivery}{', closed' if self.closed else ''}>"


class Delivery(Task):
    """What the library's thread does for one subscription: it gets what is new, and calls the function.

    Parameters
    ----------
    opened
        What is subscribed to.
    title
        The words for it.
    callback
        The function.
    """

    def __init__(self, opened: _native.Opened, title: str, callback: Callable[[Any], object]) -> None:
        self.error: BaseException | None = None
        self.failed = 0
        self.closed = False
        self._title = title
        self._callback = callback
        self._opened = opened
        self._waitset: _native.Waitset | None = None
        self._subscription: Subscription | None = None

    def start(self, subscription: Subscription) -> None:
        """Deliver from now on."""
        self._subscription = subscription
        SUBSCRIPTIONS.add(self)

    def end(self) -> None:
        """Deliver nothing more; returns when no call is under way, unless it is the call that ends it."""
        self.closed = True
        SUBSCRIPTIONS.remove(self)
        waitset, self._waitset = self._waitset, None
        if waitset is not None:
            waitset.remove(self._opened, self)

    def __str__(self) -> str:
        """Return what is subscribed to, and what is called."""
        function = getattr(self._callback, "__qualname__", None) or quoted(self._callback)
        return f"{self._title}: {function}()"

    # ---- in the library's thread ----

    def run(self) -> float | None:
        """Deliver one value, or sleep."""
        if self.closed:
            return None
        try:
            return self.step()
        except Closed:
            self.end()
        except RegionLost as error:
            self.error = error
            self.end()
            self._report(error)
        except Exception as error:
            self._report(error)
            return 0 if self.has_passed() else _PAUSE
        return None

    @abstractmethod
    def step(self) -> float | None:
        """Deliver one value, or sleep."""

    @abstractmethod
    def has_passed(self) -> bool:
        """Return True if the step that raised an error is not to be done again."""

    def sleep(self, number: int) -> float | None:
        """Have the step repeated once there is something new; see :meth:`Task.run`."""
        self._waitset = join(self._opened, number, self, SUBSCRIPTIONS.flag)
        return 0 if self._waitset is None else None

    def deliver(self, value: Any) -> None:
        """Call the function."""
        if self.closed:
            return
        try:
            self._callback(value)
        except BaseException as error:  # also of sys.exit(), which ends no program from here
            self._report(error)

    def _report(self, error: BaseException) -> None:
        self.failed += 1
        # which are the words: "Exception ignored in: <Subscription of region 'car': show()>"
        _native.report(error, self._subscription)
