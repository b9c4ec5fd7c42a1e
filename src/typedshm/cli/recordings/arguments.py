"""Arguments: recordings, their topics, spans of time and amounts on the command line."""

import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import typedshm
from typedshm.cli.targets import TYPED

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

_SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|min|m|h|d)?", re.ASCII)
_SCALES = {"ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kKMGT]i?)?B", re.ASCII)
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def seconds_of(text: str) -> float | None:
    """Return a span of time such as ``10``, ``500ms``, ``1.5min`` in seconds; None if it is none."""
    found = _SPAN.fullmatch(text.strip())
    return float(found[1]) * _SCALES[found[2] or ""] if found else None


def bytes_of(text: str) -> int | None:
    """Return an amount such as ``1GB`` or ``64MiB`` in bytes; None if it is none."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    prefix = found[2] or ""
    return int(float(found[1]) * (1024 if prefix.endswith("i") else 1000) ** _POWERS[prefix[:1]])


class Span(click.ParamType[float]):
    """A span of time: ``10``, ``10s``, ``500ms``, ``1.5min``, ``2h``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it in seconds."""
        seconds = seconds_of(value) if isinstance(value, str) else float(value)
        if seconds is None or not seconds > 0:
            self.fail(f"{value!r} is no span of time: expected one such as 10s, 500ms, 1.5min or 2h.", param, ctx)
        return seconds


class Moment(click.ParamType["float | datetime"]):
    """A moment of a recording: seconds from its start, or a date and time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the seconds, or the datetime; one without a zone is of this machine's."""
        if not isinstance(value, str):
            return value
        seconds = seconds_of(value)
        if seconds is not None:
            return seconds
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{value!r} is no moment of a recording: expected the time since its start, such as 10s or 1.5min, "
                "or a date and time, such as 2026-12-01T12:00:00Z.",
                param,
                ctx,
            )


class Rotation(NamedTuple):
    """When a recording goes on in the next file."""

    size: int | None = None
    seconds: float | None = None


class _Limit(click.ParamType[Rotation]):
    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a limit of bytes or seconds."""
        if isinstance(value, Rotation):
            return value
        size, seconds = bytes_of(value), seconds_of(value)
        if not (size or seconds) or value.strip().replace(".", "").isdigit():
            self.fail(f"{value!r} is no size and no time: expected one such as 1GB, 64MiB, 60s or 10min.", param, ctx)
        return Rotation(size, seconds)


def _rotation(ctx: click.Context, param: click.Parameter, values: tuple[Rotation, ...]) -> Rotation:
    """Join a size and a time."""
    sizes = [value.size for value in values if value.size is not None]
    times = [value.seconds for value in values if value.seconds is not None]
    if len(sizes) > 1 or len(times) > 1:
        raise click.BadParameter("expected one size and one time at most.", ctx, param)
    return Rotation(sizes[0] if sizes else None, times[0] if times else None)


def rotate_option(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """Add the option that rotates files."""
    return click.option(
        "--rotate",
        type=_Limit(),
        multiple=True,
        callback=_rotation,
        help="Go on in the next file after a size, such as 1GB, or a time, such as 60s; given twice, after either.",
    )(function)


class _Topic(click.ParamType[str]):
    name = "topic"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """Complete the topics of the recording that was named."""
        from click.shell_completion import CompletionItem  # is heavy, and for shells only

        file: Any = ctx.params.get("file")
        names: list[str] = []
        with contextlib.suppress(typedshm.TypedshmError, OSError, ImportError):  # no message in the user's line
            from typedshm import recording  # is heavy, and an extra

            with recording.open(Path(file)) as opened:
                names = [topic.name for topic in opened.topics]
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete) and TYPED.fullmatch(name)]


def file_argument(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """Add the argument that names a recording: a file, or the folder of its parts."""
    return click.argument("file", type=click.Path(path_type=Path))(function)


def topics_argument(metavar: str = "TOPIC...") -> "Callable[[Any], Any]":
    """Make the argument that names topics of a recording."""
    return click.argument("topic", type=_Topic(), nargs=-1, metavar=f"[{metavar}]")


def topic_type() -> click.ParamType[str]:
    """Return the type of options that name a topic of the recording."""
    return _Topic()


def span_options(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """Add the options that choose a part of a recording, ``start`` and ``end``."""
    words = "a time since its start, such as 10s or 1.5min, or a date and time"
    for name, to, text in (("end", "--to", f"Stop there: {words}."), ("start", "--from", f"Begin there: {words}.")):
        function = click.option(to, name, type=Moment(), help=text)(function)
    return function
