"""The bytes of a region as typedshm.h describes them, retyped here on purpose: a change of format must be noticed."""

import ctypes
import mmap
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import typedshm._native as _native
from typedshm.memory.names import locate

if sys.platform == "win32":
    from helpers.system import NamedEvent

if sys.platform == "win32":
    import msvcrt


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
        ("row_count", ctypes.c_uint64),
        ("stamps_offset", ctypes.c_uint64),
        ("reserved1", ctypes.c_uint64 * 14),
        ("check", ctypes.c_uint64),
        ("state", ctypes.c_uint32),
        ("reserved2", ctypes.c_uint32),
    )


class Presence(ctypes.LittleEndianStructure):
    _fields_ = (
        ("pid", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("generation", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("since", ctypes.c_uint64),
        ("started", ctypes.c_uint64),
    )


WROTE, HAS_PINNED = 1, 2  # flags of a presence entry


class Control(ctypes.LittleEndianStructure):
    _fields_ = (
        ("header", Header),
        ("head_word", ctypes.c_uint64),
        ("_head", ctypes.c_uint8 * 120),
        ("waiting_sleepers", ctypes.c_uint64 * 8),
        ("room_sleepers", ctypes.c_uint64 * 8),
        ("word", ctypes.c_uint64),
        ("deaths", ctypes.c_uint64),
        ("died_at", ctypes.c_uint64),
        ("writer_sleepers", ctypes.c_uint64 * 8),
        ("exclusive", ctypes.c_uint64),
        ("followers", ctypes.c_uint64),
        ("low_mark", ctypes.c_uint64),
        ("_writer", ctypes.c_uint8 * 16),
        ("presence", Presence * 512),
    )

    @property
    def head(self) -> int:
        """The sequence number of the newest version."""
        return self.head_word >> 1

    @head.setter
    def head(self, sequence: int) -> None:
        self.head_word = sequence << 1 & 2**64 - 1

    @property
    def awaited(self) -> bool:
        """Whether somebody has announced that it sleeps on the head."""
        return bool(self.head_word & 1)


CONTROL_SIZE = 640 + 32 * 512  # bytes before the document
CONTROL_PAGES = 5 * 4096  # and in whole pages


class Slot(ctypes.LittleEndianStructure):
    _fields_ = (
        ("mark", ctypes.c_uint64),
        ("version", ctypes.c_uint64),
        ("time", ctypes.c_uint64),
        ("left_out", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64 * 4),
        ("pins", ctypes.c_uint64 * 8),
    )


class Place(ctypes.LittleEndianStructure):
    """A place for a follower that writers wait for."""

    _fields_ = (
        ("owner", ctypes.c_uint64),
        ("position", ctypes.c_uint64),
        ("gone", ctypes.c_uint64),
        ("keep", ctypes.c_uint64),
        ("lost", ctypes.c_uint64),
        ("since", ctypes.c_uint64),
        ("role", ctypes.c_uint64),
        ("redelivers", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("name", ctypes.c_char * 64),
    )


FOLLOWER, GROUP, MEMBER = 1, 2, 3  # the low half of a role; the high one is a member's group


class LosslessControl(ctypes.LittleEndianStructure):
    _fields_ = (
        ("control", Control),
        ("room", ctypes.c_uint64),
        ("left", ctypes.c_uint64),
        ("_room", ctypes.c_uint8 * 112),
        ("places", Place * 48),
    )


TABLE, LOSSLESS = 1, 2  # in a header's flags
LOSSLESS_CONTROL_SIZE = CONTROL_SIZE + 128 + 48 * 128
TABLE_CONTROL_SIZE = CONTROL_SIZE + 256
EPOCH_OFFSET = CONTROL_SIZE  # of the epoch, in a table's control block
TICKETS_OFFSET = CONTROL_SIZE + 128


class Row(ctypes.LittleEndianStructure):
    _fields_ = (
        ("owner", ctypes.c_uint64),
        ("stamp", ctypes.c_uint64),
        ("ticket", ctypes.c_uint64),
        ("mark0", ctypes.c_uint64),
        ("time0", ctypes.c_uint64),
        ("mark1", ctypes.c_uint64),  # where one version is kept, the payload begins here
        ("time1", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64),
    )


WORD_OWNER = 0xFFF
WORD_WAITING = 1 << 12
WORD_DIRTY = 1 << 13
WORD_GENERATION = 1 << 14
WORD_ACQUISITION = 1 << 32


def checksum(header: bytes) -> int:
    """FNV-1a over the 240 bytes before ``check``."""
    value = 0xCBF29CE484222325
    for byte in header[:240]:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def memory_of(name: str | Path, kind: str = "region") -> memoryview:
    """Map the bytes of a region or mutex once more, writable; that ends with the last view of them."""
    if sys.platform == "win32" and isinstance(name, Path):
        with name.open("r+b") as file:  # closed once it is mapped, since the library asks for more rights than we share
            section = _native.Section("", file=msvcrt.get_osfhandle(file.fileno()))
            return memoryview(_native.Mapping(section.handle, name.stat().st_size, True))
    if sys.platform == "win32":
        return section_of(instance_of(locate(name, kind=kind).address))
    with Path(locate(name, kind=kind).address).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0))


def section_of(address: str) -> memoryview:
    """Map a section of Windows."""
    section = _native.Section(address)  # which its mapping outlives
    return memoryview(_native.Mapping(section.handle, 0, True))


def instance_of(address: str) -> str:
    """What Windows calls the present instance of a named region."""
    return f"{address}!{int.from_bytes(section_of(address)[:8], 'little'):016x}"


class Presences:
    """Presence entries of a region, held as living participants hold theirs."""

    def __init__(self, name: str | Path, entries: Iterable[int]) -> None:
        self._fd = -1
        self._events: dict[int, Any] = {}
        if sys.platform == "win32":
            prefix = instance_of(locate(name).address)
            self._events = {entry: NamedEvent(f"{prefix}!p{entry}") for entry in entries}
            assert all(event.created for event in self._events.values())
        else:
            self._fd = os.open(locate(name).address, os.O_RDWR | os.O_CLOEXEC)
            for entry in entries:
                assert _native.lock_byte(self._fd, _native.PRESENCE_BYTE + entry, _native.BYTE_EXCLUSIVE)

    def free(self, entry: int) -> None:
        """As when the participant dies."""
        if sys.platform == "win32":
            self._events.pop(entry).close()
        else:
            _native.lock_byte(self._fd, _native.PRESENCE_BYTE + entry, _native.BYTE_FREE)

    def __enter__(self) -> "Presences":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        for event in self._events.values():
            event.close()


class Wire:
    """A writable look at a region's bytes, past the library and its locks."""

    def __init__(self, name: str | Path, kind: str = "region") -> None:
        self.memory = memory_of(name, kind)
        self.control = Control.from_buffer(self.memory)

    @property
    def header(self) -> Header:
        return self.control.header

    @property
    def lossless(self) -> LosslessControl:
        """The control block of a lossless region."""
        return LosslessControl.from_buffer(self.memory)

    def slot(self, version: int) -> Slot:
        """The slot of a version."""
        return Slot.from_buffer(self.memory, self._slot_offset(version))

    def payload(self, version: int) -> memoryview:
        """The bytes of a version's value."""
        offset = self._slot_offset(version) + ctypes.sizeof(Slot)
        return self.memory[offset : offset + self.header.payload_size]

    def _slot_offset(self, version: int) -> int:
        header = self.header
        return int(header.slots_offset + version % header.slot_count * header.slot_stride)

    def row(self, number: int) -> Row:
        """What stands before the payloads of a table's row."""
        return Row.from_buffer(self.memory, self.header.slots_offset + number * self.header.slot_stride)

    def sign(self) -> None:
        """Make the check sum fit what the header says now."""
        self.header.check = checksum(bytes(self.header))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self.control, self.memory  # the mapping ends with the last view of it


def store(region: Any, value: Any) -> None:
    """Publish the bytes of a Struct, also of one that a write would refuse."""
    region.write(type(value).zero())
    with Wire(region.name) as wire:
        wire.payload(region.version)[:] = memoryview(value).cast("B")
