"""Shared memory of other programs: read by their own rules, by their exact names."""

from typedshm.foreign.addresses import SysV
from typedshm.foreign.attaching import attach
from typedshm.foreign.bridging import Bridge, bridge
from typedshm.foreign.descriptor import Descriptor
from typedshm.foreign.document import Document, documents
from typedshm.foreign.flattening import Flattening
from typedshm.foreign.following import ForeignFollower
from typedshm.foreign.info import ForeignInfo
from typedshm.foreign.publisher import Publisher
from typedshm.foreign.region import ForeignRegion
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
from typedshm.foreign.snapshot import Snapshot
from typedshm.foreign.state import State

__all__ = [
    "Bridge",
    "Busy",
    "BusyWord",
    "Consumed",
    "Counters",
    "Descriptor",
    "Document",
    "Flattening",
    "ForeignFollower",
    "ForeignInfo",
    "ForeignRegion",
    "Generation",
    "Mutex",
    "NewestBuffer",
    "Parity",
    "Publisher",
    "RawSection",
    "ReaderCount",
    "RotatingBuffer",
    "Rule",
    "Snapshot",
    "State",
    "Still",
    "SysV",
    "attach",
    "bridge",
    "documents",
]
