"""What Python a call takes."""

import sys
from collections.abc import Callable
from types import FrameType


def python_called(work: Callable[[], object]) -> list[str]:
    """Return the names of the Python functions that some work calls."""
    names: list[str] = []

    def called(frame: FrameType, event: str, argument: object) -> None:
        del argument
        if event == "call":
            names.append(frame.f_code.co_name)

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return names[1:]
