"""Recordings of regions, tables and foreign memory in MCAP files; takes the extra ``record``."""

from typedshm.recording.errors import RecordingCorrupt, RecordingError, RecordingFull

__all__ = ["RecordingCorrupt", "RecordingError", "RecordingFull"]
