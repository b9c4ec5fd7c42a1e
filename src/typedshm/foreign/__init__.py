"""Shared memory of other programs."""

from typedshm.foreign.document import Document, documents
from typedshm.foreign.rules.busy import Busy
from typedshm.foreign.rules.busy_word import BusyWord
from typedshm.foreign.rules.consumed import Consumed
from typedshm.foreign.rules.counters import Counters
from typedshm.foreign.rules.generation import Generation
from typedshm.foreign.rules.mutex import Mutex
from typedshm.foreign.rules.newest_buffer import NewestBuffer
from typedshm.foreign.rules.parity import Parity
from typedshm.foreign.rules.reader_count import ReaderCount
from typedshm.foreign.rules.rotating_buffer import RotatingBuffer
from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.rules.still import Still
from typedshm.foreign.section import RawSection

__all__ = [
    "Busy",
    "BusyWord",
    "Consumed",
    "Counters",
    "Document",
    "Generation",
    "Mutex",
    "NewestBuffer",
    "Parity",
    "RawSection",
    "ReaderCount",
    "RotatingBuffer",
    "Rule",
    "Still",
    "documents",
]
