"""Streams of CDR: what stands before and after a picture, number by number."""

import struct

from typedshm.recording.errors import RecordingCorrupt

_U32 = struct.Struct("<I")


class CdrWriter:
    """The bytes of a message, without the four before it."""

    def __init__(self, start: int = 0) -> None:
        """Begin at a byte of the message."""
        self.data = bytearray()
        self._start = start

    @property
    def end(self) -> int:
        """The byte of the message that comes next."""
        return self._start + len(self.data)

    def u32(self, number: int) -> None:
        """Add a number, of which the lower 32 bits count."""
        self.data += bytes(-self.end % 4) + _U32.pack(number & 0xFFFFFFFF)

    def text(self, text: str) -> None:
        """Add text with its length and a NUL."""
        data = text.encode()
        self.u32(len(data) + 1)
        self.data += data + b"\0"


class CdrReader:
    """Reads a message that may be damaged."""

    def __init__(self, name: str, message: memoryview) -> None:
        """Begin behind the four bytes before a message.

        Parameters
        ----------
        name
            What messages are of, for errors.
        message
            All of it.
        """
        self._name = name
        self._data = message[4:]
        self.at = 0
        """The next byte, from the end of those four."""
        if bytes(message[:4]) != b"\0\1\0\0":
            raise RecordingCorrupt(f"a message of {name}: expected CDR in little-endian, which begins with 00 01 00 00")

    def u32(self) -> int:
        """Return the next number."""
        self.at += -self.at % 4
        number: int = _U32.unpack(self.take(4))[0]
        return number

    def take(self, size: int) -> memoryview:
        """Return the next bytes, without copying them."""
        data = self._data[self.at : self.at + size]
        if len(data) != size:
            raise RecordingCorrupt(
                f"a message of {self._name}: expected {size:,} bytes at byte {self.at + 4:,}, found {len(data):,}"
            )
        self.at += size
        return data

    def sequence(self) -> memoryview:
        """Return the bytes that come next, after their number."""
        return self.take(self.u32())

    def text(self) -> str:
        """Return the text that comes next; what does not decode is replaced."""
        return bytes(self.sequence()).rstrip(b"\0").decode("utf-8", "replace")

    def rest(self) -> memoryview:
        """Return all that is left."""
        return self._data[self.at :]
