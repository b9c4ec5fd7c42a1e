"""What the fields of a header may be made to say."""

from typing import Any

from helpers.shared_types import Byte
from helpers.wire import CONTROL_SIZE, Header, Wire

AFTER = 4096
"""Bytes of the test's file behind the region: nobody may touch them."""


COMMON = [
    0,
    1,
    2,
    127,
    128,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**40 - 1,
    2**40,
    2**40 + 1,
    2**63,
    2**64 - 128,
    2**64 - 1,
]
"""Where numbers of some width or limit end."""


def alter(wire: Wire, changes: dict[str, Any]) -> None:
    for field, value in changes.items():
        value = value(wire.header) if callable(value) else value
        if field in ("layout_id", "reserved1"):
            getattr(wire.header, field)[:] = value
        else:
            setattr(wire.header, field, value)


def boundaries(header: Header, size: int) -> dict[str, list[Any]]:
    """What each field may be made to say: the ends of every number, and of what lies in the region and its file."""
    ends = [CONTROL_SIZE, header.document_offset + header.document_size, header.slots_offset, header.region_size, size]
    around = [end + step for end in ends for step in (-128, -1, 0, 1, 128)]
    values: dict[str, list[Any]] = {
        "magic": [header.magic + 1, int.from_bytes(header.magic.to_bytes(8, "little"), "big")],
        "format": [0xFFFF, 0x10001, 0x1FFFF, 0x20000],
        "header_size": [255, 256, 257],
        "region_size": around,
        "slots_offset": around,
        "slot_stride": [header.slot_stride + step for step in (-128, -1, 1, 128)] + around,
        "payload_size": [header.payload_size + step for step in (-1, 1)]
        + [header.slot_stride + s for s in (-128, -127, 0)],
        "slot_count": [3, 4, 65535, 65536, 65537],
        "presence_count": [511, 512, 513],
        "layout_id": [bytes(16), b"\xff" * 16, Byte.layout.id],
        "instance": [],
        "document_offset": around,
        "document_size": [header.document_size - 1, header.document_size + 1, 2**20 - 1, 2**20, 2**20 + 1, *around],
        "created": [],
        "flags": [],
        "reserved0": [],
        "row_count": [63, 64, 65, header.row_count - 1, header.row_count + 1],
        "stamps_offset": [header.stamps_offset + step for step in (-128, -64, 64, 128)] + around,
        "reserved1": [[1] * 14, [2**64 - 1] * 14],
        "check": [header.check + 1],
        "state": [3, 4],
        "reserved2": [],
    }
    for field, extra in values.items():
        width = getattr(Header, field).size
        if width in (4, 8):
            values[field] = sorted({value for value in COMMON + extra if 0 <= value < 256**width})
    return values
