"""What a peer has to do to be compared. Each class is made with a name, in every process that takes part."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import schemas
import scratch
import telemetry
from numpy.typing import NDArray

Array = NDArray[np.uint8]


class Peer:
    """Something that is shared between processes by a name.

    One process calls :meth:`create`, which makes it ready to write, too, and hands what it returns to the others'
    :meth:`attach`. What is only needed to write, or to read, is made when it is first used.
    """

    label = ""
    """The words for it in the results."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create(self) -> Any:
        """Make it, and return what others need to attach: something a spawned process can be given."""
        raise NotImplementedError

    def attach(self, address: Any) -> None:
        """Join it."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave it; who made it also removes it."""

    server: int | None = None
    """The process id of a server whose processor time counts as well."""


class Records(Peer):
    """Shares the newest 80-byte record. There is one from the start, of number 1."""

    creator_writes = False
    """True if nobody but the creator can ever write, so that this one has to be killed."""

    def value(self, number: int) -> Any:
        """Return a record all of whose fields are the number, as a program would hold it for write()."""
        return schemas.plain(number)

    def write(self, value: Any) -> None:
        """Publish a whole record."""
        raise NotImplementedError

    def read(self) -> Any:
        """Return the newest record as a new object with ten typed attributes, of one write."""
        raise NotImplementedError

    def update(self, number: int) -> None:
        """Change three fields and keep the others, as one write."""
        raise NotImplementedError

    def take_over(self) -> None:
        """Become the next writer, in a process that has attached, if that takes more than to write."""

    def write_half(self) -> None:
        """Begin a write and stay half-way, in a process that is killed thereafter."""
        raise NotImplementedError


class Frames(Peer):
    """Shares pictures, as flat arrays of bytes."""

    copied_in = True
    filled = False
    copied_out = True
    viewed = False

    def __init__(self, name: str, readers: int = 1, index: int = 0) -> None:
        super().__init__(name)
        self.readers, self.index = readers, index
        self._out: Array | None = None

    def publish(self, frame: Array) -> None:
        """Publish a copy of the picture."""
        self.publish_filled(lambda target: np.copyto(target, frame))

    def publish_filled(self, fill: Callable[[Array], None]) -> None:
        """Have the picture made where it is shared, and publish it."""
        raise NotImplementedError

    def take(self, timeout: float) -> Array | None:
        """Sleep until there is a new picture; returns a copy of one's own, or None in the end."""
        view = self.view(timeout)
        if view is None:
            return None
        np.copyto(self.out, view)
        self.release()
        return self.out

    def view(self, timeout: float) -> Array | None:
        """The same without a copy; valid until :meth:`release`."""
        raise NotImplementedError

    def release(self) -> None:
        """Have done with what :meth:`view` returned."""

    @property
    def out(self) -> Array:
        """Where a reader that can say where copies its pictures to."""
        if self._out is None:
            self._out = np.zeros(schemas.FRAME, np.uint8)
        return self._out


class Wakes(Peer):
    """Wakes one process that sleeps."""

    def notify(self) -> None:
        """Wake it."""
        raise NotImplementedError

    def wait(self) -> None:
        """Sleep until woken."""
        raise NotImplementedError

    def wait_often(self, woken: Callable[[], bool]) -> None:
        """Sleep again and again, and call a function just after each wake-up, until it returns False."""
        self.wait()
        while woken():
            self.wait()


class Streams(Peer):
    """Carries 80-byte records from one process to one other: all of them, in their order."""

    most = 20_000
    """How many a round has: who cannot wait for the reader needs room for as many."""

    def send(self, first: int, count: int) -> None:
        """Send records of the numbers from `first` on, one by one, as fast as the reader takes them."""
        raise NotImplementedError

    def take(self, first: int, count: int) -> int:
        """Receive as many, each as an object with ten typed attributes; returns how many were not the next one."""
        raise NotImplementedError


class Values(Peer):
    """Shares a value of any size: what it costs to put it in, and to get a copy out, in one process."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__(name)
        self.size = size
        self.out = np.zeros(size, np.uint8)

    def put(self, value: Array) -> None:
        """Publish a copy of it."""
        raise NotImplementedError

    def get(self) -> object:
        """Copy it out, to ``out`` if that can be."""
        raise NotImplementedError


class Boards(Peer):
    """Shares a thousand records, each by a key of its own. All of them are there from the start, of number 1."""

    keys = 1_000

    def value(self, number: int) -> Any:
        """Return a record all of whose fields are the number, as a program would hold it to write it."""
        return schemas.plain(number)

    def write_all(self, value: Any) -> None:
        """Publish a record under each key, one after the other."""
        raise NotImplementedError

    def read_all(self) -> Any:
        """Read the newest record of each key, one after the other, as a typed object; returns the last."""
        raise NotImplementedError


class Journeys(Peer):
    """Carries the journey's ten values from one process to another."""

    def send(self, sample: telemetry.Sample) -> None:
        """Build a value of them as this peer takes it, and publish that."""
        raise NotImplementedError

    def look(self) -> telemetry.Sample:
        """Read the newest value, of one write, and look at every field of it."""
        raise NotImplementedError


P = TypeVar("P", bound=Peer)


def create(stack: contextlib.ExitStack, kind: type[P], *args: Any) -> tuple[P, Any]:
    """Make a peer of a new name, which the stack closes, and return it with its address."""
    peer = kind(scratch.name(), *args)
    address = peer.create()
    stack.callback(peer.close)
    return peer, address
