"""Recordings of regions, tables and foreign memory in MCAP files; takes the extra ``record``."""

from typedshm.recording.errors import RecordingCorrupt, RecordingError, RecordingFull, RecordingWarning
from typedshm.recording.opening import open as open  # in no star import, which keeps the built-in one
from typedshm.recording.recorded_topic import RecordedTopic
from typedshm.recording.recorded_value import RecordedValue
from typedshm.recording.recording import Recording

__all__ = [
    "RecordedTopic",
    "RecordedValue",
    "Recording",
    "RecordingCorrupt",
    "RecordingError",
    "RecordingFull",
    "RecordingWarning",
]
