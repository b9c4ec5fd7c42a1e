"""Frozen: the base class of immutable value objects."""

from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C")
S = TypeVar("S", bound="Frozen")


class Frozen:
    """Base of immutable objects that compare, hash, print and pickle by their attributes.

    It does what frozen dataclasses and named tuples do, but defining one of those would cost every ``import typedshm``
    0.3 to 1 ms. A subclass lists its attributes in ``__match_args__``; a value in the class is an attribute's default.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def __init__(self, *values: object, **named: object) -> None:
        names = self.__match_args__
        if len(values) == len(names) and not named:
            for name, value in zip(names, values, strict=True):
                object.__setattr__(self, name, value)
            return
        given = dict(zip(names, values, strict=False)) | named
        if len(given) < len(values) + len(named) or (named and not given.keys() <= set(names)):
            raise TypeError(f"{type(self).__name__}: expected {', '.join(names)}, found {values!r} and {named!r}")
        for name in names:  # in their order, which vars() shows
            if name in given:
                object.__setattr__(self, name, given[name])
        for name in names if len(given) < len(names) else ():
            if not hasattr(self, name):
                raise TypeError(f"{type(self).__name__}: {name} is missing")

    @property
    def _values(self) -> tuple[Any, ...]:
        return tuple(map(self.__getattribute__, self.__match_args__))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and type(self) is type(other) and self._values == other._values

    def __hash__(self) -> int:
        return hash((type(self), self._values))

    def __repr__(self) -> str:
        """Return ``Name(value, …)``, with the attributes' names if there are more than three."""
        shown = [repr(value) for value in self._values]
        if len(shown) > 3:
            shown = [f"{name}={text}" for name, text in zip(self.__match_args__, shown, strict=True)]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values

    def changed(self: S, **changes: object) -> S:
        """Return a copy with some attributes changed."""
        return type(self)(**{**dict(zip(self.__match_args__, self._values, strict=True)), **changes})


@dataclass_transform(frozen_default=True)
def frozen(cls: type[C]) -> type[C]:
    """Make type checkers derive the constructor of a :class:`Frozen` subclass from its attributes."""
    return cls
