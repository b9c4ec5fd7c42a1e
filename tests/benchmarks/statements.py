"""Statements that take some nanoseconds each: many in a row, so that nothing else is timed with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rounds
from measurement import Plan
from rounds import Cost, Work

COPIES = 100
"""How many, unless each takes so long that some are enough."""
TURN = 0.002
"""Seconds of a turn; there are many of them, so that small differences are to be seen."""


@dataclass
class Statement:
    """A line of Python, and the variables it uses."""

    source: str
    names: Mapping[str, Any]

    def execute(self) -> None:
        """Do it once."""
        exec(self.source, dict(self.names))

    def evaluate(self) -> Any:
        """Return its value, where it is an expression."""
        return eval(self.source, dict(self.names))

    def repeated(self, copies: int = COPIES) -> Work:
        """Return a function that does it so many times; the names are variables of its own, as in a user's code."""
        used = [name for name in compile(self.source, "", "exec").co_names if name in self.names]
        parameters = ", ".join(f"{name}={name}" for name in used)
        lines = f"    {self.source}\n" * copies
        found: dict[str, Any] = {}
        exec(f"def run({parameters}):\n{lines}", dict(self.names), found)
        work: Work = found["run"]
        return work


def costs(statements: Mapping[str, Statement], plan: Plan, copies: int = COPIES) -> dict[str, Cost]:
    """Nanoseconds for one statement each."""
    works = {key: statement.repeated(copies) for key, statement in statements.items()}
    times = rounds.turns(works, 3 * plan.rounds, TURN, rounds.processor_time)
    return {key: Cost.of_turns([1e9 / copies * seconds for seconds in taken]) for key, taken in times.items()}
