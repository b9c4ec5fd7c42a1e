"""Summary: a recording as lines and as JSON."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typedshm.cli.amounts import age_of
from typedshm.cli.columns import Column, aligned
from typedshm.cli.terminal import printable, width
from typedshm.cli.values.parts import type_of, whole

if TYPE_CHECKING:
    from typedshm.recording import RecordedTopic, Recording

_COLUMNS = (
    Column("topic", rank=9, least=8),
    Column("kind", rank=3),
    Column("values", rank=5, least=8),
    Column("encoding", rank=2),
    Column("count", rank=8, right=True),
    Column("dropped", rank=7, right=True),
    Column("rate", rank=6, right=True),
    Column("from", rank=4, right=True),
    Column("to", rank=4, right=True),
)


def heading(file: Path, opened: "Recording") -> str:
    """Return what a recording is, in a line: its name, topics, versions, how long it is and when it began."""
    topics = opened.topics
    count = sum(topic.count for topic in topics)
    parts = f" ({len(opened.paths)} files)" if len(opened.paths) > 1 else ""
    words = [
        printable(file) + parts,
        f"{len(topics)} topic{'' if len(topics) == 1 else 's'}",
        f"{count:,} version{'' if count == 1 else 's'}",
    ]
    if opened.start is not None:
        words.append(f"{age_of(opened.duration)} from {_time(opened.start)}")
    return "  ".join(words)


def topic_lines(opened: "Recording") -> list[str]:
    """Return a line for each topic, under titles; of a recording without topics none."""
    rows = [_row(topic, opened.start or 0) for topic in opened.topics]
    return aligned(_COLUMNS, rows, width()) if rows else []


def summary_object(opened: "Recording") -> dict[str, Any]:
    """Return a recording as an object for JSON."""
    return {
        "files": list(map(str, opened.paths)),
        "start": None if opened.start is None else _time(opened.start),
        "end": None if opened.end is None else _time(opened.end),
        "duration": opened.duration,
        "damage": opened.damage,
        "topics": [
            {
                "name": topic.name,
                "kind": topic.kind,
                "layout": topic.type_name if topic.layout is None else topic.layout.name,
                "id": None if topic.layout is None else topic.layout.id.hex(),
                "size": None if topic.layout is None else topic.layout.size,
                "layouts": topic.layouts,
                "encoding": topic.encoding,
                "type": topic.type_name,
                "count": topic.count,
                "dropped": topic.dropped,
                "rate": topic.rate,
                "first": None if topic.first is None else _time(topic.first),
                "last": None if topic.last is None else _time(topic.last),
            }
            for topic in opened.topics
        ],
    }


def _row(topic: "RecordedTopic", start: int) -> tuple[str, ...]:
    first, last = ("" if moment is None else f"{(moment - start) / 1e9:.3f} s" for moment in (topic.first, topic.last))
    values = printable(topic.type_name) if topic.layout is None else type_of(whole(topic.layout).field)
    if topic.kind == "table":
        values = f"{topic.rows:,} x {values}"
    if topic.layouts > 1:
        values += f" (the last of {topic.layouts})"
    return (
        printable(topic.name),
        topic.kind,
        values,
        _encoding(topic),
        f"{topic.count:,}",
        f"{topic.dropped:,}",
        f"{topic.rate:,.1f} Hz" if topic.rate else "",
        first,
        last,
    )


def _encoding(topic: "RecordedTopic") -> str:
    """Return how values are written; of pictures also as what other tools show them."""
    namespace, _, picture = topic.type_name.rpartition("/")
    return printable(f"{topic.encoding} {picture}" if namespace.startswith("foxglove_msgs") else topic.encoding)


def _time(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 1000 % 1_000_000:06}Z"
