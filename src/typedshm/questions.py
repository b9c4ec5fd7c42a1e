"""Questions to rooms that lie above those who ask.

pydantic asks an annotation, or a Struct, how it is validated, and users ask a Struct for its model. The rooms that
know need pydantic, which takes longer to import than everything else, and stand on the ones that are asked. So they
are announced here by whoever may import them, and imported when the first question comes.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

Question: TypeAlias = Literal["annotation_schema", "struct_schema", "model"]

_answers: dict[Question, Callable[..., Any]] = {}


def answer(question: Question, function: Callable[..., Any]) -> None:
    """Announce who answers a question."""
    _answers[question] = function


def ask(question: Question, *arguments: object) -> Any:
    """Pass a question on."""
    return _answers[question](*arguments)
