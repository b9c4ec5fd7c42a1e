"""Calls in threads of their own, whose results and errors are the test's."""

import threading
from collections.abc import Callable
from typing import Any

from helpers.peers import PATIENCE


class InThread(threading.Thread):
    """A call that begins at once in another thread; :meth:`result` waits for its end."""

    def __init__(self, function: Callable[..., Any], *args: Any, **options: Any) -> None:
        super().__init__(daemon=True)
        self._call = lambda: function(*args, **options)
        self._result: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """See :class:`threading.Thread`."""
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error
        finally:
            del self._call  # and whatever it refers to

    def result(self) -> Any:
        """Wait for the end of the call; returns its result, or raises its error."""
        self.join(PATIENCE)
        assert not self.is_alive(), "the thread does not get on"
        if self._error is not None:
            raise self._error
        return self._result
