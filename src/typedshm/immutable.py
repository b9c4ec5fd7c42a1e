"""Immutable: objects that are what was said of them once."""

from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C")


class Immutable:
    """Base of what is equal to all that say the same, and keeps saying it.

    As frozen dataclasses are, but those take a millisecond each to make, which every ``import typedshm`` would pay. A
    subclass names its attributes in ``__match_args__``, and its ``__init__`` gives their values in that order.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def __init__(self, *said: object) -> None:
        for name, value in zip(self.__match_args__, said, strict=True):
            object.__setattr__(self, name, value)

    @property
    def _said(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self!r} is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self!r} is immutable: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Immutable) and type(self) is type(other) and self._said == other._said

    def __hash__(self) -> int:
        return hash((type(self), self._said))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._said))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._said


@dataclass_transform(frozen_default=True)
def frozen(cls: type[C]) -> type[C]:
    """Have type checkers refuse what :class:`Immutable` refuses when it runs: to set an attribute."""
    return cls
