"""The bytes of a region as typedshm.h describes them, retyped here on purpose: a change of format must be noticed."""

import ctypes
import mmap
from pathlib import Path
from types import TracebackType

from typedshm.place import place


class Header(ctypes.LittleEndianStructure):
    _fields_ = (
        ("magic", ctypes.c_uint64),
        ("format", ctypes.c_uint32),
        ("header_size", ctypes.c_uint32),
        ("region_size", ctypes.c_uint64),
        ("slots_offset", ctypes.c_uint64),
        ("slot_stride", ctypes.c_uint64),
        ("payload_size", ctypes.c_uint64),
        ("slot_count", ctypes.c_uint32),
        ("presence_count", ctypes.c_uint32),
        ("layout_id", ctypes.c_uint8 * 16),
        ("instance", ctypes.c_uint64),
        ("document_offset", ctypes.c_uint64),
        ("document_size", ctypes.c_uint64),
        ("created", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("reserved0", ctypes.c_uint32),
        ("reserved1", ctypes.c_uint64 * 16),
        ("check", ctypes.c_uint64),
        ("state", ctypes.c_uint32),
        ("reserved2", ctypes.c_uint32),
    )


class Presence(ctypes.LittleEndianStructure):
    _fields_ = (("pid", ctypes.c_uint32), ("reserved", ctypes.c_uint32))


class Lines(ctypes.LittleEndianStructure):
    _fields_ = (
        ("header", Header),
        ("head", ctypes.c_uint64),
        ("_head", ctypes.c_uint8 * 120),
        ("waiting_until", ctypes.c_uint64),
        ("_waiting", ctypes.c_uint8 * 120),
        ("word", ctypes.c_uint64),
        ("deaths", ctypes.c_uint64),
        ("died_at", ctypes.c_uint64),
        ("_writer", ctypes.c_uint8 * 104),
        ("presence", Presence * 512),
    )


class Slot(ctypes.LittleEndianStructure):
    _fields_ = (
        ("seq", ctypes.c_uint64),
        ("ordinal", ctypes.c_uint64),
        ("time", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64 * 5),
        ("pins", ctypes.c_uint64 * 8),
    )


WORD_OWNER = 0xFFF
WORD_WAITING = 1 << 12
WORD_DIRTY = 1 << 13
WORD_ACQUISITION = 1 << 14


def checksum(header: bytes) -> int:
    """FNV-1a over the 240 bytes before ``check``."""
    value = 0xCBF29CE484222325
    for byte in header[:240]:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


class Wire:
    """A writable look at a region's bytes, past the library and its locks."""

    def __init__(self, name: str | Path, kind: str = "region") -> None:
        self.path = place(name, kind=kind).path
        with self.path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        self.lines = Lines.from_buffer(self.memory)

    @property
    def header(self) -> Header:
        return self.lines.header

    def slot(self, version: int) -> Slot:
        """The slot of a version."""
        header = self.header
        offset = header.slots_offset + version % header.slot_count * header.slot_stride
        return Slot.from_buffer(self.memory, offset)

    def sign(self) -> None:
        """Make the check sum fit what the header says now."""
        self.header.check = checksum(bytes(self.header))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self.lines  # the mapping ends with the last view of it
