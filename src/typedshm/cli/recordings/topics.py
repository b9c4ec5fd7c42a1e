"""Topics: what of a recording arguments name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

import typedshm
from typedshm.cli.terminal import printable
from typedshm.cli.values.parts import Part, part_of, steps_of, unknown, whole

if TYPE_CHECKING:
    from typedshm.recording import RecordedTopic, Recording


def check_topics(opened: "Recording", names: Sequence[str]) -> None:
    """Check that a recording has topics of these names.

    Raises
    ------
    click.UsageError
        There is none, or another program wrote it.
    """
    topics = {topic.name: topic for topic in opened.topics}
    for name in names:
        if name not in topics:
            raise unknown(name, sorted(topics), "a topic of this recording")
        _check_own(topics[name])


def chosen_parts(opened: "Recording", names: Sequence[str]) -> dict[str, list[Part]]:
    """Return the topics that are wanted, each with the parts of its values; by default all that typedshm recorded.

    Raises
    ------
    click.UsageError
        There is no such topic, or no such field or item in its values; or another program wrote them all.
    """
    topics = {topic.name: topic for topic in opened.topics}
    if not names:
        own = {name: [whole(topic.layout)] for name, topic in topics.items() if topic.layout is not None}
        if topics and not own:
            raise click.UsageError("The recording has messages of other programs alone; other tools read them")
        return own
    chosen: dict[str, list[Part]] = {}
    for text in names:
        topic, path = _topic(topics, text)
        chosen.setdefault(topic.name, []).append(part_of(_check_own(topic), steps_of(path)))
    return chosen


def _check_own(topic: "RecordedTopic") -> "typedshm.Layout":
    """Return the layout of a topic that typedshm recorded."""
    if topic.layout is None:
        words = f"{printable(topic.encoding)} messages of another program, and no layout"
        raise click.UsageError(f"{printable(topic.name)} has {words}; other tools read it")
    return topic.layout


def _topic(topics: "dict[str, RecordedTopic]", text: str) -> "tuple[RecordedTopic, str]":
    """Return the topic that an argument such as ``car.pose.x`` means, by the longest beginning, and the rest of it."""
    ends = [len(text), *(at for at in range(len(text) - 1, 0, -1) if text[at] in ".[")]
    for at in ends:
        if text[:at] in topics:
            return topics[text[:at]], text[at:].removeprefix(".")
    raise unknown(text[: ends[-1]], sorted(topics), "a topic of this recording")
