"""Recordings of regions, tables and foreign memory in MCAP files; takes the extra ``record``."""

from typedshm.recording.converting import convert
from typedshm.recording.errors import RecordingCorrupt, RecordingError, RecordingFull, RecordingWarning
from typedshm.recording.opening import open as open  # in no star import, which keeps the built-in one
from typedshm.recording.recorded_topic import RecordedTopic
from typedshm.recording.recorded_value import RecordedValue
from typedshm.recording.recorder import Recorder
from typedshm.recording.recording import Recording
from typedshm.recording.replay.lateness import Lateness
from typedshm.recording.replay.player import Player
from typedshm.recording.replay.replaying import replay
from typedshm.recording.starting import record
from typedshm.recording.status import RecorderStatus, TopicStatus

__all__ = [
    "Lateness",
    "Player",
    "RecordedTopic",
    "RecordedValue",
    "Recorder",
    "RecorderStatus",
    "Recording",
    "RecordingCorrupt",
    "RecordingError",
    "RecordingFull",
    "RecordingWarning",
    "TopicStatus",
    "convert",
    "record",
    "replay",
]
