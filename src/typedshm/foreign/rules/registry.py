"""The closed set of rules, by their words in documents."""

from typing import Any

from typedshm.errors import DocumentError, SchemaError, quoted
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

RULES: dict[str, type[Rule]] = {
    rule.kind: rule
    for rule in (
        Still,
        Counters,
        Parity,
        Busy,
        Generation,
        NewestBuffer,
        RotatingBuffer,
        Mutex,
        BusyWord,
        ReaderCount,
        Consumed,
    )
}


def rule_from(kind: str, parameters: dict[str, Any]) -> Rule:
    """Return the rule that a document names.

    Parameters
    ----------
    kind : str
        Its word.
    parameters : dict
        By the names that its constructor has.

    Raises
    ------
    DocumentError
        There is no such rule, or it has other parameters.
    """
    if kind not in RULES:
        raise DocumentError(f"rule: expected one of {', '.join(RULES)}, found {quoted(kind)}")
    try:
        return RULES[kind](**parameters)
    except (TypeError, SchemaError) as error:
        raise DocumentError(f"rule {kind}: {error}") from error
