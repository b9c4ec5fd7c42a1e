"""Memory with a table made at run time, as the programs write it."""

import json
import struct
import sys
from dataclasses import dataclass
from typing import Any

NATIVE = "<" if sys.byteorder == "little" else ">"


def hsperfdata(counters: list[tuple[str, Any]], order: str = "<", **prologue: int) -> bytes:
    """A Java machine's file with numbers (int64), texts and bytes."""
    entries = b""
    for name, value in counters:
        named = name.encode() + b"\0"
        named += bytes(-(20 + len(named)) % 8)
        text = value.encode() + b"\0" if isinstance(value, str) else value
        data = struct.pack(order + "q", text) if isinstance(text, int) else text + bytes(-len(text) % 8)
        unit, vector = (4, 0) if isinstance(value, int) else (5 if isinstance(value, str) else 2, len(text))
        kind = b"J" if isinstance(value, int) else b"B"
        offset = 20 + len(named)
        entries += struct.pack(order + "3ic3Bi", offset + len(data), 20, vector, kind, 1, unit, 3, offset)
        entries += named + data
    told = {"used": 32 + len(entries), "modified": 1, "first": 32, "count": len(counters), "major": 2, "ready": 1}
    told |= prologue
    order_byte = {"<": 1, ">": 0}[order]
    return (
        b"\xca\xfe\xc0\xc0"
        + struct.pack("4B", order_byte, told["major"], 0, told["ready"])
        + struct.pack(order + "2iq2i", told["used"], 0, told["modified"], told["first"], told["count"])
        + entries
    )


@dataclass(frozen=True)
class Variable:
    """One of iRacing's."""

    name: str
    type: int
    values: tuple[Any, ...]
    unit: str = ""
    doc: str = ""
    in_time: bool = False
    offset: int | None = None
    """None: behind the one before it."""
    count: int | None = None
    """None: as many as it has values."""


def iracing(variables: list[Variable], tick: int = 7) -> tuple[bytes, int, int]:
    """iRacing's memory with three frames that are equal; also the offset of the first, and the bytes of each."""
    heads, frame = b"", b""
    for one in variables:
        form = "c?iIfd"[one.type]
        offset = len(frame) if one.offset is None else one.offset
        count = len(one.values) if one.count is None else one.count
        frame += struct.pack(f"<{len(one.values)}{form}", *one.values)
        texts = (one.name.encode("cp1252"), one.doc.encode("cp1252"), one.unit.encode("cp1252"))
        heads += struct.pack("<3i?3x32s64s32s", one.type, offset, count, one.in_time, *texts)
    start = 112 + len(heads)
    # status 1: connected; no session info
    head = struct.pack("<12i", 2, 1, 60, 1, 0, start, len(variables), 112, 3, len(frame), 0, 0)
    for number in range(3):
        head += struct.pack("<4i", tick + number, start + number * len(frame), tick + number, 0)
    return head.ljust(112, b"\0") + heads + 3 * frame, start, len(frame)


def prometheus(samples: list[tuple[str | bytes, float, float]], used: int | None = None, size: int = 4096) -> bytes:
    """A file of Prometheus' client: key, value and time of samples."""
    data = b""
    for key, value, time in samples:
        encoded = key.encode() if isinstance(key, str) else key
        padding = b" " * (8 - (len(encoded) + 4) % 8)
        data += struct.pack(NATIVE + "i", len(encoded)) + encoded + padding + struct.pack(NATIVE + "2d", value, time)
    used = 8 + len(data) if used is None else used
    return (struct.pack(NATIVE + "i4x", used) + data).ljust(size, b"\0")


def prometheus_key(name: str, labels: dict[str, str] | None = None, doc: str = "", metric: str | None = None) -> str:
    return json.dumps([metric or name, name, labels or {}, doc], sort_keys=True)


class VppSegment:
    """VPP's statistics. Entries are collected first, as the directory is one vector."""

    def __init__(self, version: int = 2, base: int = 0x7F1234560000) -> None:
        self.version = version
        self.base = base if version == 2 else 0
        self._data = bytearray(64)
        self._entries: list[tuple[int, int, int, str]] = []
        self._errors = 0

    def vector(self, form: str, *items: int) -> int:
        """Add a vector, and return the pointer to it."""
        self._data += struct.pack(NATIVE + "I4x", len(items) // len(form))
        start = len(self._data)
        self._data += struct.pack(f"{NATIVE}{len(items) // len(form) * form}", *items)
        self._data += bytes(-len(self._data) % 8)
        return start + self.base

    def name(self, text: str) -> int:
        data = text.encode() + b"\0"
        return self.vector("B", *data)

    def add(self, name: str, kind: int, value: int) -> int:
        """Add an entry, and return its index; of version 1 both pointers are `value`."""
        self._entries.append((kind, value, value, name))
        return len(self._entries) - 1

    def errors(self, *threads: list[int]) -> None:
        """Set the vector of errors, which each thread has one of; none since 2022."""
        self._errors = self.vector("Q", *(self.vector("Q", *counts) for counts in threads))

    def image(self, epoch: int = 3, **changes: int) -> bytes:
        self._data += struct.pack(NATIVE + "I4x", changes.get("entries", len(self._entries)))
        directory = len(self._data) + self.base
        for kind, value, second, name in self._entries:
            values = (value, second) if self.version == 1 else (value,)
            self._data += struct.pack(f"{NATIVE}I4x{len(values)}Q128s", kind, *values, name.encode())
        if self.version == 1:
            numbers = (1, epoch, 0, directory, self._errors, 0)
        else:
            numbers = (2, self.base, epoch, 0, changes.get("directory", directory), self._errors)
        struct.pack_into(NATIVE + "6Q", self._data, 0, *numbers)
        return bytes(self._data) + bytes(4096)
