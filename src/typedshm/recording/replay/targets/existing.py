"""Existing: what has the name already under which recorded versions are to be published."""

import os
from typing import Any, TypeAlias

import typedshm
from typedshm.errors import LayoutMismatch, PublisherExists, RegionNotFound, quoted
from typedshm.memory.names import Name
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.replay.targets.options import Options

Opened: TypeAlias = "typedshm.Region[Any] | typedshm.Table[Any]"


def find(name: Name, channel: RecordedChannel, options: Options) -> "Opened | None":
    """Open what has a name, to be looked at; None if there is nothing.

    Raises
    ------
    LayoutMismatch
        It cannot hold what was recorded.
    """
    try:
        opened = typedshm.attach(name, scope=options.scope, check=False)
    except RegionNotFound:
        return None
    words = _difference(opened, channel)
    if words:
        opened.close()
        raise LayoutMismatch(f"{words}\nIt can be replayed under another name: {_another(name, channel)}")
    return opened


def _difference(opened: Opened, channel: RecordedChannel) -> str:
    """Say why something cannot hold what was recorded; empty if it can."""
    is_table = isinstance(opened, typedshm.Table)
    title = f"{'table' if is_table else 'region'} {quoted(str(opened.name))}"
    topic = f"the recorded {quoted(channel.topic)}"
    if is_table != channel.is_table:
        return f"{title} is {'a' if is_table else 'no'} table, other than {topic}"
    assert channel.layout is not None  # or it would not be replayed
    if opened.layout.id != channel.layout.id:
        difference = channel.layout.diff(opened.layout)
        return f"{title} has another layout than {topic} (recorded | found):\n{difference}"
    if isinstance(opened, typedshm.Table):
        if tuple(opened.keys) != channel.keys:
            return (
                f"{title} has other keys than {topic}: expected {_listed(channel.keys)}, found {_listed(opened.keys)}"
            )
        if not channel.keys and len(opened) != channel.rows:
            return f"{title} has {len(opened):,} rows, {topic} has {channel.rows:,}"
    return ""


def _listed(keys: Any) -> str:
    return quoted(list(keys), 200) if keys else "none"


def _another(name: Name, channel: RecordedChannel) -> str:
    other = f"{channel.topic}-replay"
    return f"names={{{channel.topic!r}: {other!r}}}, or on the command line --as {channel.topic}={other}"


def check_publishers(opened: Opened, channel: RecordedChannel) -> None:
    """Refuse what a living process publishes to, other than this one.

    Raises
    ------
    PublisherExists
        There is one.
    """
    info: Any = opened.info()
    processes = [process for process in (*info.writers, publisher_of(opened)) if process not in (None, os.getpid())]
    if not processes:
        return
    noun = "table" if isinstance(opened, typedshm.Table) else "region"
    error = PublisherExists(
        f"{noun} {quoted(str(opened.name))}: expected nobody else to publish what is replayed, found {processes[0]}. "
        f"It can be replayed under another name: {_another(opened.name, channel)}. take_over=True, or --take-over, "
        "publishes here all the same, and keeps that process from publishing to a region meanwhile"
    )
    error.pid, error.command, error.since = processes[0], processes[0].command, processes[0].since
    raise error


def publisher_of(opened: Opened) -> "typedshm.Participant | None":
    """Return the other process that publishes to a region exclusively."""
    if isinstance(opened, typedshm.Table):
        return None
    publisher = opened.info().publisher
    return None if publisher == os.getpid() else publisher
