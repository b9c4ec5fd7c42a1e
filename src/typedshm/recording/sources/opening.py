"""Opening: what the names of a recording mean: regions, tables, topics, handles, memory of other programs."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import typedshm
from typedshm import foreign
from typedshm.errors import found, quoted
from typedshm.recording.sources.foreign import ForeignSource
from typedshm.recording.sources.named import NamedSource, Scope
from typedshm.recording.sources.source import Mode, Source

EXPECTED = (
    "the name of a region, table or document, a pathlib.Path, a Region, a Table, a Topic, or what foreign.attach() "
    "returns"
)

_PREFIX = "foreign:"
"""What forces a name to be that of a document, even if a region has it; as on the command line."""

_DOCUMENT = re.compile(r"(?P<document>[\w-]+)(?:/(?P<source>\w+))?")

# of whatever values: a type checker makes of isinstance() one of unknown values
_HANDLES: Any = (typedshm.Region, typedshm.Table)
_TOPIC: Any = typedshm.Topic
_FOREIGN: Any = foreign.ForeignRegion
_SINGLE: Any = (str, Path, *_HANDLES, _TOPIC, _FOREIGN)
_ITERABLE: Any = Iterable


class Opening:
    """How the sources of one recording are opened.

    Parameters
    ----------
    mode
        Which versions are taken.
    rate
        Of foreign memory: the most values a second.
    wait
        Seconds to wait for what is not there; None for ever, 0: it has to be there.
    scope
        Of names.
    """

    def __init__(self, *, mode: Mode, rate: float | None, wait: float | None, scope: Scope) -> None:
        self._mode: Mode = mode
        self._rate = rate
        self._wait = wait
        self._scope: Scope = scope

    def sources(self, names: Any) -> list[Source]:
        """Open all that is named.

        Raises
        ------
        TypeError
            Something can name nothing.
        ValueError
            There are none, or two have the same name in the recording.
        RegionNotFound, NameRefused, RegionRefused, RegionCorrupt
            As of :func:`typedshm.attach`; those that are open already are closed.
        """
        opened: list[Source] = []
        try:
            for given in several(names):
                for source in self._opened(given):
                    opened.append(source)
                    if source.name in [other.name for other in opened[:-1]]:
                        raise ValueError(f"names: expected each once, found {quoted(source.name)} twice")
        except BaseException:
            for source in opened:
                source.close()
            raise
        return opened

    def _opened(self, given: Any) -> Iterator[Source]:
        if isinstance(given, _FOREIGN):
            handles: dict[str, foreign.ForeignRegion[Any]] = given.again()
            for each, handle in handles.items():
                topic = given.name if len(handles) == 1 else f"{given.name}/{each}"
                yield self._foreign(topic, partial(_same, handle))
        elif isinstance(given, _HANDLES):
            yield self._named(given.name, given.info().scope)
        elif isinstance(given, _TOPIC):
            yield self._named(given.name, given.scope)
        elif isinstance(given, str) and given.startswith(_PREFIX):
            yield from self._of_document(given.removeprefix(_PREFIX))
        else:
            yield from self._of_name(given)

    def _of_name(self, name: str | Path) -> Iterator[Source]:
        """Yield what a name means: a region or table if there is one, else the document of that name, if there is."""
        if not isinstance(name, str) or not _is_document(name) or _exists(name, self._scope):
            yield self._named(name, self._scope)
        else:
            yield from self._of_document(name)

    def _named(self, name: Any, scope: Scope) -> Source:
        return NamedSource(str(name), name, scope, self._mode, self._wait)

    def _of_document(self, text: str) -> Iterator[Source]:
        name, _, within = text.partition("/")
        if text.endswith(".json"):
            name, within = text, ""
        document = foreign.Document.load(name)
        sources = [document.source(within)] if within else list(document.sources)
        for source in sources:
            topic = text if len(sources) == 1 else f"{text}/{source.name}"
            attach: Callable[[], foreign.ForeignRegion[Any]] = partial(foreign.attach, f"{name}/{source.name}")
            if self._wait == 0:
                with attach() as handle:
                    yield self._foreign(topic, partial(_same, handle.again()[source.name]))
            else:
                yield self._foreign(topic, attach)

    def _foreign(self, topic: str, open_it: Callable[[], "foreign.ForeignRegion[Any]"]) -> Source:
        if self._mode == "lossless":
            raise typedshm.RegionRefused(
                f"lossless: expected regions, found {quoted(topic)}, memory of a program that waits for no reader"
            )
        return ForeignSource(topic, open_it, self._wait, self._rate)


def several(names: Any) -> list[Any]:
    """Return what was named as a list, also if it is one.

    Raises
    ------
    TypeError, ValueError
        It is none, or there are none.
    """
    if isinstance(names, _SINGLE):
        return [names]
    if not isinstance(names, _ITERABLE) or isinstance(names, bytes | bytearray) or getattr(names, "ndim", 1) == 0:
        raise TypeError(f"names: expected {EXPECTED}, or several of them, found {found(names)}")
    items: list[Any] = list(names)
    for item in items:
        if not isinstance(item, _SINGLE):
            raise TypeError(f"names: expected each to be {EXPECTED}, found {found(item)}")
    if not items:
        raise ValueError("names: expected something to record, found none")
    return items


def _same(handle: "foreign.ForeignRegion[Any]") -> "foreign.ForeignRegion[Any]":
    return handle


def _is_document(name: str) -> bool:
    parts = _DOCUMENT.fullmatch(name)
    return parts is not None and parts["document"] in foreign.documents()


def _exists(name: str, scope: Scope) -> bool:
    try:
        typedshm.look(name, scope=scope)
    except typedshm.RegionNotFound:
        return False
    return True
