"""What stands at the end of a file: all schemas and channels, where the chunks are, and counts."""

import struct
import zlib
from collections.abc import Mapping

from typedshm.recording.chunk import Chunk
from typedshm.recording.extra import MAGIC, Opcode, RecordBuilder, records


def bytes_of(record: records.McapRecord) -> bytes:
    """Return a record as it is written."""
    builder = RecordBuilder()
    record.write(builder)
    made: bytes = builder.end()  # type: ignore[no-untyped-call]
    return made


class Summary:
    """What was written so far, for the end of the file."""

    def __init__(self) -> None:
        self.schemas: list[records.Schema] = []
        self.channels: list[records.Channel] = []
        self._chunks: list[records.ChunkIndex] = []
        self._metadata: list[records.MetadataIndex] = []
        self._counts: dict[int, int] = {}
        self._start = self._end = 0

    def add_chunk(self, chunk: Chunk, entry: records.ChunkIndex) -> None:
        """Count the messages of a chunk that was written."""
        first = not self._counts
        self._start = chunk.start if first else min(self._start, chunk.start)
        self._end = chunk.end if first else max(self._end, chunk.end)
        for channel, count in chunk.counts.items():
            self._counts[channel] = self._counts.get(channel, 0) + count
        self._chunks.append(entry)

    def add_metadata(self, name: str, offset: int, length: int) -> None:
        """Note where texts of that name stand."""
        self._metadata.append(records.MetadataIndex(offset=offset, length=length, name=name))

    def closing(self, offset: int, crc: int) -> bytes:
        """Return all that follows the data.

        Parameters
        ----------
        offset
            How many bytes the file has.
        crc
            Their CRC-32.
        """
        end_of_data = bytes_of(records.DataEnd(crc))
        start = offset + len(end_of_data)
        groups: Mapping[Opcode, list[bytes]] = {
            Opcode.SCHEMA: [bytes_of(schema) for schema in self.schemas],
            Opcode.CHANNEL: [bytes_of(channel) for channel in self.channels],
            Opcode.STATISTICS: [bytes_of(self._statistics())],
            Opcode.CHUNK_INDEX: [bytes_of(chunk) for chunk in self._chunks],
            Opcode.METADATA_INDEX: [bytes_of(metadata) for metadata in self._metadata],
        }
        summary, offsets = bytearray(), bytearray()
        for opcode, group in groups.items():
            if group:
                joined = b"".join(group)
                where = records.SummaryOffset(
                    group_opcode=opcode, group_start=start + len(summary), group_length=len(joined)
                )
                offsets += bytes_of(where)
                summary += joined
        where_offsets = start + len(summary)
        summary += offsets
        head = struct.pack("<BQQQ", Opcode.FOOTER, 8 + 8 + 4, start, where_offsets)
        checksum = zlib.crc32(head, zlib.crc32(summary))
        return end_of_data + summary + head + struct.pack("<I", checksum) + MAGIC

    def _statistics(self) -> records.Statistics:
        return records.Statistics(
            attachment_count=0,
            channel_count=len(self.channels),
            channel_message_counts=self._counts,
            chunk_count=len(self._chunks),
            message_count=sum(self._counts.values()),
            metadata_count=len(self._metadata),
            message_start_time=self._start,
            message_end_time=self._end,
            schema_count=len(self.schemas),
        )
