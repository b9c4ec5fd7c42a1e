"""Buffers asked for as C code does, which may combine flags that no caller in Python does."""

import ctypes
from typing import Any


class Buffer(ctypes.Structure):
    """A Py_buffer, of which only the first two members matter here."""

    _fields_ = (("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("rest", ctypes.c_void_p * 16))

    FORMAT, ANY_CONTIGUOUS = 0x4, 0x98

    @classmethod
    def of(cls, value: Any, flags: int = 0) -> "Buffer":
        """Get one; where that raises, it checks that `obj` was set to NULL, as CPython demands."""
        buffer = cls(obj=1)
        try:
            ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(value), ctypes.byref(buffer), flags)
        except BaseException:
            assert not buffer.obj
            raise
        return buffer

    def release(self) -> None:
        """Give it back."""
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(self))
