"""System V shared memory by the C library alone, for what a test compares the library with."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p
_libc.shmdt.argtypes = (ctypes.c_void_p,)


@contextmanager
def attached(key: int, size: int) -> Iterator[memoryview]:
    """The bytes of a segment that exists.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    identity = _libc.shmget(key, size, 0)
    if identity < 0:
        raise FileNotFoundError(ctypes.get_errno(), f"no segment {key:#x}")
    address = _libc.shmat(identity, None, 0)
    assert address != ctypes.c_void_p(-1).value
    try:
        yield memoryview((ctypes.c_char * size).from_address(address)).cast("B")
    finally:
        _libc.shmdt(address)
