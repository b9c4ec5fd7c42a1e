"""What a user feels: build a value, write it, read it in another process, look at every field.

Both sides are timed by themselves, one after the other, and added. In one go the time until the other process wakes
up, several times what is compared here, would drown them; `wakes` measures that.
"""

import contextlib
import functools
from typing import Any

import rounds
import telemetry
from adapters.base import Journeys, create
from measurement import OURS, Measurement, Plan
from remote import Remote
from rounds import Cost

BAR = 1 / 3
"""Of every peer whose reads are consistent, as those of all that take part are."""


class Onlooker:
    """In the other process: reads, and looks at every field."""

    def __init__(self, kind: type[Journeys], name: str, address: Any) -> None:
        self.peer = kind(name)
        self.peer.attach(address)

    def look(self, number: int, seconds: float) -> float:
        """Return the seconds that each look took, after one that has to show the values of this number."""
        found, expected = self.peer.look(), telemetry.sample(number)
        if not telemetry.same(found, expected):
            raise AssertionError(f"{self.peer.label}: expected {expected}, found {found}")
        return rounds.per_call(self.peer.look, seconds, rounds.processor_time)

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def measure(plan: Plan) -> list[Measurement]:
    """The journey, and its two halves."""
    seconds = 0.02 if plan.quick else 0.05
    halves: tuple[dict[str, list[float]], dict[str, list[float]]] = {}, {}
    with contextlib.ExitStack() as stack:
        pairs: dict[str, tuple[Journeys, Remote]] = {}
        for kind in plan.kinds("JOURNEYS"):
            peer, address = create(stack, kind)
            pairs[kind.label] = peer, stack.enter_context(Remote(Onlooker, kind, peer.name, address))
        for _, onlooker in pairs.values():
            onlooker.end()
        for number in range(plan.rounds):
            labels = list(pairs)
            for label in labels if number % 2 else reversed(labels):
                peer, onlooker = pairs[label]
                sample = telemetry.sample(number)
                send = functools.partial(peer.send, sample)
                sent = rounds.per_call(send, seconds, rounds.processor_time)
                looked = onlooker.call("look", number, seconds)
                for times, taken in zip(halves, (sent, looked), strict=True):
                    times.setdefault(label, []).append(1e6 * taken)
    both = {
        label: [sent + looked for sent, looked in zip(times, halves[1][label], strict=True)]
        for label, times in halves[0].items()
    }
    bars = {label: BAR for label in both if label != OURS}
    return [
        Measurement("journey", name, "µs", {label: Cost.of_turns(turns) for label, turns in times.items()}, limits)
        for name, times, limits in (
            ("journey: build, write, read elsewhere, look at every field", both, bars),
            ("its first half: build and write", halves[0], {}),
            ("its second half: read and look at every field", halves[1], {}),
        )
    ]
