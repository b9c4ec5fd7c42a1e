"""Proves at import where ctypes objects keep the address and the size of their bytes.

The core then reads and sets fields without the buffer protocol. ctypes does not promise this layout, but it has been
the same since CPython 2.5: so instances of every origin are shown to the core, and if one of them differs, fields take
the buffer protocol as before.
"""

import ctypes
from typing import Any

import typedshm._native as _native


class _Small(ctypes.Structure):  # its bytes lie in the object
    _fields_ = (("x", ctypes.c_uint8),)


class _Large(ctypes.Structure):  # its bytes have memory of their own
    _fields_ = (("front", ctypes.c_uint8 * 96), ("small", _Small))


def _probes() -> list[Any]:
    memory = bytearray(ctypes.sizeof(_Large))
    resized = _Large()
    ctypes.resize(resized, 1000)
    large = _Large()
    over_buffer = _Large.from_buffer(memory)
    return [
        _Small(),
        large,
        large.small,
        over_buffer,
        over_buffer.small,
        _Small.from_buffer_copy(memory),
        _Large.from_buffer_copy(memory),
        _Large.from_address(ctypes.addressof(large)),
        resized,
    ]


def prove() -> bool:
    """Show the core instances of every origin, and return True if it reaches their bytes directly from now on."""
    return _native.register_direct([(probe, ctypes.addressof(probe), ctypes.sizeof(probe)) for probe in _probes()])
