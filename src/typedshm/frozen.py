"""Immutable: objects that are what was said of them once."""

from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C")
S = TypeVar("S", bound="Frozen")


class Frozen:
    """Base of what is equal to all that say the same, and keeps saying it.

    As frozen dataclasses and named tuples are, but every ``import typedshm`` would pay for each of those, a millisecond
    or a third of one. A subclass names its attributes in ``__match_args__``; a value in the class is the default.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def __init__(self, *said: object, **named: object) -> None:
        names = self.__match_args__
        given = dict(zip(names, said, strict=False)) | named
        if len(given) < len(said) + len(named) or not given.keys() <= set(names):
            raise TypeError(f"{type(self).__name__}: expected {', '.join(names)}, found {said!r} and {named!r}")
        for name, value in given.items():
            object.__setattr__(self, name, value)
        for name in names:
            if not hasattr(self, name):
                raise TypeError(f"{type(self).__name__}: {name} is missing")

    @property
    def _said(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self!r} is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self!r} is immutable: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and type(self) is type(other) and self._said == other._said

    def __hash__(self) -> int:
        return hash((type(self), self._said))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._said))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._said

    def replaced(self: S, **named: object) -> S:
        """Return one that says the same, but for what is given."""
        return type(self)(**{**dict(zip(self.__match_args__, self._said, strict=True)), **named})


@dataclass_transform(frozen_default=True)
def frozen(cls: type[C]) -> type[C]:
    """Have type checkers know an :class:`Frozen` by its attributes: how it is made, and that they cannot be set."""
    return cls
