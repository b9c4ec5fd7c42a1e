"""Images: pictures as messages of Foxglove, which its tools show, raw or compressed.

What is beside the picture in a Struct is a further field, ``value``, behind those that Foxglove knows.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from typedshm.layout.layout import Layout
from typedshm.recording.batch import Batch, Bytes
from typedshm.recording.encodings.cdr import LITTLE_ENDIAN
from typedshm.recording.encodings.cdr_stream import CdrReader, CdrWriter
from typedshm.recording.encodings.compressing import FORMATS, compress, decompress
from typedshm.recording.encodings.encoding import Decoded, Messages
from typedshm.recording.encodings.messages import buffers_of
from typedshm.recording.encodings.pictures import NoPicture, Picture
from typedshm.recording.errors import RecordingCorrupt

RAW = "foxglove_msgs/msg/RawImage"
COMPRESSED = "foxglove_msgs/msg/CompressedImage"

PIXELS_LIMIT = 89_000_000
"""The largest picture that is compressed; those who show such files refuse larger ones."""

_BEGINNING = (
    "# When the picture was published",
    "builtin_interfaces/Time timestamp",
    "# The name of what was recorded",
    "string frame_id",
)


class RawImages:
    """Pictures as they are; the interface is :class:`Encoding`.

    Raises
    ------
    NoPicture
        The layout is none.
    """

    name = "image"
    message_encoding = "cdr"
    schema_name = RAW
    schema_encoding = "ros2msg"
    prefix = LITTLE_ENDIAN

    def __init__(self, layout: Layout, *, topic: str = "") -> None:
        self._picture = Picture(layout)
        self._topic = topic

    @property
    def schema_data(self) -> bytes:
        """The definition of the messages."""
        fields = ("uint32 width", "uint32 height", "string encoding", "uint32 step", "uint8[] data")
        return self._picture.definition([*_BEGINNING, *fields]).encode()

    def encode(self, batch: Batch) -> list[list[Bytes]]:
        """Return the messages of some values, of which the pixels stay where they are."""
        return [self._message(time, value) for time, value in zip(batch.times.tolist(), batch.values, strict=True)]

    def _message(self, time: int, value: Bytes) -> list[Bytes]:
        head, pixels, (height, width) = self._picture.parts(value)
        writer = _begun(time, self._topic)
        writer.u32(width)
        writer.u32(height)
        writer.text(self._picture.encoding)
        writer.u32(width * self._pixel)
        writer.u32(len(pixels))
        return [writer.data, pixels, self._picture.write_head(head, writer.end + len(pixels))]

    @property
    def _pixel(self) -> int:
        return self._picture.dtype.itemsize * self._picture.channels

    def decode(self, messages: Messages) -> Decoded:
        """Return the values of some messages.

        Raises
        ------
        RecordingCorrupt
            A message is none, or its picture is not one of the layout.
        """
        return Decoded(self._picture.values([self._parts(message) for message in buffers_of(messages)]))

    def _parts(self, message: memoryview) -> tuple[bytes, Bytes]:
        reader = _begin(self._picture.name, message)
        width, height = reader.u32(), reader.u32()
        encoding, step, pixels = reader.text(), reader.u32(), reader.sequence()
        head = self._picture.read_head(reader.rest(), reader.at)
        self._picture.check_shape(head, (height, width))
        expected = self._picture.encoding, width * self._pixel, height * width * self._pixel
        if (encoding, step, len(pixels)) != expected:
            raise RecordingCorrupt(
                f"a picture of {self._picture.name}: expected {_shown(*expected)}, found "
                f"{_shown(encoding, step, len(pixels))}"
            )
        return head, pixels


class CompressedImages:
    """Pictures in JPEG or PNG, compressed by several threads; the interface is :class:`Encoding`.

    PNG is exact. JPEG is not, and has no alpha channel.

    Raises
    ------
    NoPicture
        The layout is none, or none for this format.
    """

    message_encoding = "cdr"
    schema_name = COMPRESSED
    schema_encoding = "ros2msg"
    prefix = LITTLE_ENDIAN

    def __init__(self, layout: Layout, format: str, *, topic: str = "") -> None:
        self.name = self._format = format
        self._picture = Picture(layout)
        self._topic = topic
        if format == "jpeg" and self._picture.field.kind != "u8":
            raise NoPicture("JPEG has 8 bits, and the picture 16; PNG has both")
        height, width = self._picture.field.shape[:2]
        if height * width > PIXELS_LIMIT:
            raise NoPicture(f"pictures of more than {PIXELS_LIMIT:,} pixels are not compressed")

    @property
    def schema_data(self) -> bytes:
        """The definition of the messages."""
        fields = ("uint8[] data", f"# {self._format}", "string format")
        return self._picture.definition([*_BEGINNING, *fields]).encode()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), "typedshm-compress")

    def encode(self, batch: Batch) -> list[list[Bytes]]:
        """Return the messages of some values, which several threads compress."""
        times, values = batch.times.tolist(), list(batch.values)
        if len(values) < 2:
            return list(map(self._message, times, values))
        try:
            messages = self._threads.map(self._message, times, values)
        except RuntimeError:  # of an interpreter that is ending, where threads take nothing more
            return list(map(self._message, times, values))
        return list(messages)

    def _message(self, time: int, value: Bytes) -> list[Bytes]:
        head, pixels, shape = self._picture.parts(value)
        data = b""
        if len(pixels):
            data = compress(self._format, self._picture.array(pixels, shape), bgr=self._picture.bgr)
        writer = _begun(time, self._topic)
        writer.u32(len(data))
        after = CdrWriter(writer.end + len(data))
        after.text(self._format)
        return [writer.data, data, bytes(after.data) + self._picture.write_head(head, after.end)]

    def decode(self, messages: Messages) -> Decoded:
        """Return the values of some messages; of JPEG with other pixels than there were.

        Raises
        ------
        RecordingCorrupt
            A message is none, or its picture is not one of the layout.
        """
        buffers = buffers_of(messages)
        if len(buffers) < 2:
            return Decoded(self._picture.values(list(map(self._parts, buffers))))
        return Decoded(self._picture.values(list(self._threads.map(self._parts, buffers))))

    def _parts(self, message: memoryview) -> tuple[bytes, Bytes]:
        picture = self._picture
        reader = _begin(picture.name, message)
        data, format = reader.sequence(), reader.text()
        head = picture.read_head(reader.rest(), reader.at)
        if format not in FORMATS:
            raise RecordingCorrupt(f"a picture of {picture.name}: expected jpeg or png, found {format[:80]!r}")
        shape = picture.shape(head)
        if 0 in shape:
            return head, b""
        found = decompress(format, bytes(data), (*shape, picture.channels), picture.dtype, bgr=picture.bgr)
        return head, found.reshape(-1).view("u1")


def _begun(time: int, topic: str) -> CdrWriter:
    """Return the beginning of a message: the time of publication, and what was recorded."""
    writer = CdrWriter()
    seconds, nanoseconds = divmod(time, 10**9)
    writer.u32(seconds)
    writer.u32(nanoseconds)
    writer.text(topic)
    return writer


def _begin(name: str, message: memoryview) -> CdrReader:
    """Return what reads a message, behind what it begins with."""
    reader = CdrReader(name, message)
    reader.take(8)
    reader.sequence()
    return reader


def _shown(encoding: str, step: int, size: int) -> str:
    return f"{size:,} bytes of {encoding[:40]} in rows of {step:,}"
