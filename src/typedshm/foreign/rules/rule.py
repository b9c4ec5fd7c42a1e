"""Rule: how a program keeps what it publishes consistent, as a reader and as the publisher."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from typedshm.errors import SchemaError, found
from typedshm.foreign.access import Access, Gather, Image, Put, word_of
from typedshm.foreign.head import Head
from typedshm.frozen import Frozen, frozen
from typedshm.layout.layout import Layout


@frozen
class Rule(Frozen, ABC):
    """A rule of consistency.

    Each subclass has two sides, which keep to the same words: :meth:`attempt` is the reader's, :meth:`publish` the
    publisher's. They are looked at one after the other, so a reader finds a copy whole, or tries again.

    Attributes
    ----------
    kind : str
        Its word in documents.
    """

    __match_args__ = ()
    __signature__: ClassVar[inspect.Signature]
    kind: ClassVar[str]
    summary: ClassVar[str]
    """What the rule is, in a sentence for people."""

    def __init_subclass__(cls) -> None:
        """Have help() and editors show the parameters."""
        one = inspect.Parameter
        given = [
            one(name, one.POSITIONAL_OR_KEYWORD, default=getattr(cls, name, one.empty), annotation=annotation)
            for name, annotation in cls.__annotations__.items()
            if name in cls.__match_args__
        ]
        cls.__signature__ = inspect.Signature(given)

    def __init__(self, *values: object, **named: object) -> None:
        super().__init__(*values, **named)
        names: tuple[str, ...] = self.__match_args__
        for name in names:
            value: object = getattr(self, name)
            if not isinstance(value, str) and not _are_texts(value):
                raise SchemaError(f"{name}: expected text, the name of a field or of an object, found {found(value)}")

    @property
    def certain(self) -> bool:
        """Whether a reader can be sure that its copy is one version; else it is the best that can be had."""
        return True

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the head that are the rule's words, in the order in which they are stored."""
        return tuple(value for value in self._values if isinstance(value, str))

    def words(self, layout: Layout) -> tuple[str, ...]:
        """Return all numbers of a layout that the rule stores, and that a value is stored around."""
        del layout
        return self.fields

    @property
    def public(self) -> tuple[str, ...]:
        """Those of them that are values as well, and that publishers may set themselves: none but a tick."""
        return ()

    def check(self, layout: Layout) -> None:
        """Refuse a layout that does not have the rule's words.

        Raises
        ------
        SchemaError
            One of them is missing or no whole number, or two are the same.
        """
        self.check_words(layout, self.fields)

    def check_words(self, layout: Layout, fields: Sequence[str]) -> None:
        """Refuse a layout that lacks one of these words, or in which two are one, which always agrees with itself.

        Raises
        ------
        SchemaError
            The message has the names.
        """
        words = [word_of(layout, field) for field in fields]
        for number, word in enumerate(words):
            for before, other in zip(fields[:number], words, strict=False):
                if word.offset < other.offset + other.size and other.offset < word.offset + word.size:
                    raise SchemaError(
                        f"{type(self).__name__}: expected different fields, found {before} and {fields[number]}"
                    )

    def latest(self, access: Access) -> int | None:
        """Return a number that changes with each update; None where the rule has none."""
        del access
        return None

    def standing(self, access: Access) -> bool:
        """Return True while somebody is writing, or has died doing so."""
        del access
        return False

    @abstractmethod
    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Make one copy; None if it may not be whole."""

    @abstractmethod
    def publish(self, access: Access, put: Put) -> None:
        """Store one version."""

    def room(self, access: Access, head: Head) -> int | None:
        """Return the bytes of the buffer that the next update stores into; None where the rule has no buffers.

        Parameters
        ----------
        access
            Of the memory, whose head tells where the buffers are.
        head
            That is about to be stored.
        """
        del access, head
        return None

    def is_set_up(self, access: Access) -> bool:
        """Return False while a word says that its program has not begun."""
        del access
        return True

    def prepare(self, access: Access) -> None:
        """Set up the words of new memory, before anything is published."""
        del access

    def describe(self) -> dict[str, Any]:
        """Return the rule as it stands in documents."""
        told: dict[str, Any] = dict(zip(self.__match_args__, self._values, strict=True))
        return {"kind": self.kind} | {
            key: _listed(value) if isinstance(value, tuple) else value
            for key, value in told.items()
            if value not in (None, "", ())
        }


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in cast("tuple[object, ...]", value))


def _listed(values: Any) -> list[str]:
    return list(values)


def check_rule(consistent: object) -> Rule:
    """Return what was given as ``consistent=``.

    Raises
    ------
    TypeError
        It is no rule.
    """
    if not isinstance(consistent, Rule):
        raise SchemaError(
            f"consistent: expected a rule of typedshm.foreign, such as Still() or Counters('begin', 'end'), found "
            f"{found(consistent)}"
        )
    return consistent
