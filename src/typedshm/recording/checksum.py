"""CRC-32 of a whole file from those of its parts, so that each byte is looked at once."""

import zlib

import typedshm._native as _native

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31  # the polynomial 1; the bits are in reversed order, as CRC-32 has them


def _product(a: int, b: int) -> int:
    """Return the product of two polynomials over GF(2), modulo that of CRC-32."""
    product, bit = 0, _ONE
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _powers() -> list[int]:
    """Return x to the power of 8, 16, 32…, as the number of bytes counts its bits."""
    power = [1 << 23]
    while len(power) < 64:
        power.append(_product(power[-1], power[-1]))
    return power


_BYTES = _powers()


LARGE = 4096
"""From how many bytes on they are folded first: zlib alone would look at 1080p frames for longer than writing takes."""


def crc32(data: memoryview, before: int = 0) -> int:
    """Return the CRC-32 of bytes that follow others, as ``zlib.crc32()`` does.

    Parameters
    ----------
    data
        The bytes.
    before
        The CRC-32 of all that stands before them.
    """
    whole = len(data) & -64
    folded = _native.crc32_folded(data[:whole], before) if whole >= LARGE else None
    if folded is None:
        return zlib.crc32(data, before)
    return zlib.crc32(data[whole:], zlib.crc32(folded, 0xFFFFFFFF))


def combined(before: int, after: int, length: int) -> int:
    """Return the CRC-32 of two parts together.

    Parameters
    ----------
    before
        The CRC-32 of the first part.
    after
        That of the second part.
    length
        How many bytes the second part has.
    """
    shift = _ONE
    for index in range(length.bit_length()):
        if length >> index & 1:
            shift = _product(_BYTES[index], shift)
    return _product(shift, before) ^ after
