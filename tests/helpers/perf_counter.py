"""A counter of perf_event_open(), whose descriptor has a page of memory that the kernel writes."""

import ctypes
import fcntl
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_libc = ctypes.CDLL(None, use_errno=True)
_OPEN = {"x86_64": 298, "aarch64": 241}.get(platform.machine())  # the system call's number
_SOFTWARE, _TASK_CLOCK = 1, 1
_DISABLED, _EXCLUDE_KERNEL, _EXCLUDE_HV = 1 << 0, 1 << 5, 1 << 6  # of the flags
_TIMES = 1 | 2  # read() gives the count, then the times for which it was enabled and running
_SIZE = 128  # of the attributes, as Linux 5.13 has them
_ENABLE, _DISABLE = 0x2400, 0x2401  # ioctl


class Counter:
    """Counts the time for which this thread ran, in ns, while it is on."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def on(self) -> None:
        """Count."""
        fcntl.ioctl(self.fd, _ENABLE, 0)

    def off(self) -> None:
        """Stand still."""
        fcntl.ioctl(self.fd, _DISABLE, 0)

    def read(self) -> tuple[int, int, int]:
        """The count, and for how long it was enabled and running, as read() tells them."""
        return struct.unpack("<QQQ", os.read(self.fd, 24))


@contextmanager
def task_clock() -> Iterator[Counter]:
    """A counter that is off; skips the test where nobody may have one."""
    if _OPEN is None:
        pytest.skip(f"the number of perf_event_open() on {platform.machine()} is not known here")
    flags = _DISABLED | _EXCLUDE_KERNEL | _EXCLUDE_HV
    # type, size, config, sample_period, sample_type, read_format, flags
    attributes = struct.pack("<IIQQQQQ", _SOFTWARE, _SIZE, _TASK_CLOCK, 0, 0, _TIMES, flags).ljust(_SIZE, b"\0")
    fd = _libc.syscall(_OPEN, attributes, 0, -1, -1, 0)
    if fd < 0:
        pytest.skip(f"perf_event_open(): {os.strerror(ctypes.get_errno())}")
    try:
        yield Counter(fd)
    finally:
        os.close(fd)
