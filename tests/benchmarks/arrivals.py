"""To come anew: the import, to attach, and the first read, each in a process that has not done it before."""

import contextlib
import subprocess
import sys
import time
from typing import Any

import schemas
from adapters.base import Records, create
from measurement import BLACKBOARD, Measurement, Plan
from remote import Remote
from rounds import Cost

NUMPY = "numpy's own import"

CLOCKED = "import time{}; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


class Newcomer:
    """In the other process: attaches, and reads once."""

    def __init__(self, kind: type[Records], name: str, address: Any) -> None:
        start = time.perf_counter()
        self.peer = kind(name)
        self.peer.attach(address)
        attached = time.perf_counter()
        record = self.peer.read()
        self.times = 1e6 * (attached - start), 1e6 * (time.perf_counter() - start)
        assert schemas.is_whole(record)

    def took(self) -> tuple[float, float]:
        """Microseconds to attach, and until the first record was there."""
        return self.times

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def measure(plan: Plan) -> list[Measurement]:
    """Everything; fresh processes take turns."""
    times: dict[str, list[tuple[float, float]]] = {}
    imports: dict[str, list[float]] = {}
    modules = {peer.__name__.rpartition(".")[2]: peer for peer in plan.peers}
    with contextlib.ExitStack() as stack:
        peers: list[tuple[type[Records], str, Any]] = []
        for kind in plan.kinds("RECORDS"):
            peer, address = create(stack, kind)
            peers.append((kind, peer.name, address))
        for _ in range(max(2, plan.rounds)):
            for arguments in peers:
                with Remote(Newcomer, *arguments) as newcomer:
                    newcomer.end()
                    times.setdefault(arguments[0].label, []).append(newcomer.call("took"))
            for label, words in [(NUMPY, ("", "numpy")), *((module, (", numpy", module)) for module in modules)]:
                command = [sys.executable, "-c", CLOCKED.format(*words)]
                found = subprocess.run(command, check=True, capture_output=True, text=True)
                imports.setdefault(label, []).append(1000 * float(found.stdout))
    attached = {label: Cost.of([[attach] for attach, _ in both]) for label, both in times.items()}
    read = {label: Cost.of([[read] for _, read in both]) for label, both in times.items()}
    imported = {label: Cost.of([[time] for time in taken]) for label, taken in imports.items()}
    return [
        Measurement("arrivals", "attach", "µs", attached, {BLACKBOARD: 1 / 50}),
        Measurement("arrivals", "attach and read", "µs", read),
        Measurement("arrivals", "import, numpy being there", "ms", imported, {NUMPY: 0.25}),
    ]
