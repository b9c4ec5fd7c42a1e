"""replay(): the versions of a recording, published once more."""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Never

import numpy as np

from typedshm.arguments import flag, refuse_positional, seconds
from typedshm.errors import found, quoted
from typedshm.memory.names import Name, Scope, check_scope
from typedshm.recording.replay.excerpt import Excerpt
from typedshm.recording.replay.player import Player, check_speed
from typedshm.recording.replay.targets.options import Options
from typedshm.recording.replay.targets.targets import Targets
from typedshm.recording.replay.timeline import cues


def replay(
    path: Any,
    *_: Never,
    speed: float = 1.0,
    loop: bool = False,
    start: "float | datetime | np.datetime64 | None" = None,
    end: "float | datetime | np.datetime64 | None" = None,
    state: bool = False,
    names: Mapping[str, Name] | None = None,
    topics: Iterable[str] | None = None,
    keep_times: bool = False,
    keep_versions: bool = False,
    take_over: bool = False,
    paused: bool = False,
    timeout: float | None = None,
    scope: Scope = "user",
) -> Player:
    """Publish the versions of a recording once more, with the recorded spacing.

    Each topic becomes a region or table again, with its layout, number of slots and keys; a recording of another
    program's memory becomes a region, too. They are there when this returns. Where one of the same layout exists, to
    which no other process publishes, it is used as it is. Regions are published exclusively while the player is open.

    Where a region was replaced while it was recorded, perhaps by one of another layout, it is made anew at that point:
    ``follow(reattach=True)`` goes on with it.

    Parameters
    ----------
    path
        Of the recording, as for :func:`typedshm.recording.open`.
    speed
        Recorded seconds per second: 0.5 takes twice the time. Infinity publishes everything as fast as it can be.
    loop
        Begin again after the last version, for ever. Versions and times that are kept go on rising: those of a further
        round follow those of the one before.
    start, end
        Replay what was published from and before: seconds from the start of the recording, or a time.
    state
        With `start`: first publish the last version of each topic before it, and of each row of a table, so that its
        regions have the state of that moment. Otherwise each is empty until its next version, which for one that is
        seldom published, such as settings, may be never.
    names
        Other names to publish topics under, by the recorded ones: ``{"car": "car-replay"}``. A ``pathlib.Path`` makes a
        region in a file.
    topics
        The names of the topics to replay; None: all of them.
    keep_times
        Publish with the recorded times, for ``time_of()`` and ``Region.at()``; otherwise with those of the replay.
    keep_versions
        Publish with the recorded numbers, gaps included, which followers then count as dropped; otherwise the numbers
        go on from what is there.
    take_over
        Publish also where another process does: a region's other publishers get PublisherExists meanwhile; if one of
        them publishes exclusively, or there are newer versions than the numbers to be kept, the region is made anew
        under its name. The rows of a table are written by both.
    paused
        Publish nothing until :meth:`Player.play` or :meth:`Player.step`.
    timeout
        Seconds to wait for another writer's lock, or for a follower of a lossless region that is behind; None waits for
        ever, and what comes after is late.
    scope
        Of the regions, as for :func:`typedshm.create`.

    Returns
    -------
    Player
        A context manager. It publishes in a thread of its own, until it is closed.

    Raises
    ------
    PublisherExists
        Another living process has published to a region of that name, and has it open.
    LayoutMismatch
        A region of that name has another layout; the message shows the difference.
    RecordingError, OSError
        The recording cannot be read, or has no such topic.
    RegionFull, RegionRefused, NameRefused
        A region cannot be made.

    Warns
    -----
    RegionWarning
        A region exists with another number of slots than was recorded; it is used as it is.
    RecordingWarning
        The recording is damaged, or was not finished; what can be read is replayed.

    Examples
    --------
    >>> with typedshm.recording.replay("run.mcap", speed=0.5) as player:  # doctest: +SKIP
    ...     player.wait()
    ...     print(player.lateness)
    """
    refuse_positional(_, "replay", "replay(path, speed={}) for so many recorded seconds per second")
    options = Options(
        flag(keep_times, "keep_times"),
        flag(keep_versions, "keep_versions"),
        flag(take_over, "take_over"),
        seconds(timeout),
        check_scope(scope),
    )
    speed, loop, paused = check_speed(speed), flag(loop, "loop"), flag(paused, "paused")
    excerpt = Excerpt(path, topics=_topics(topics), start=start, end=end, state=flag(state, "state"))
    try:
        targets = Targets(excerpt.channels, _names(names, excerpt), options)
        try:
            return Player(
                excerpt, cues(excerpt.read, loop=loop, state=excerpt.state), targets, speed=speed, paused=paused
            )
        except BaseException:
            targets.close()
            raise
    except BaseException:
        excerpt.close()
        raise


def _topics(topics: object) -> tuple[str, ...] | None:
    if topics is None:
        return None
    given: Any = topics
    several = isinstance(topics, Iterable) and not isinstance(topics, str | np.ndarray)
    names: list[Any] = list(given) if several else [given]
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"topics: expected names of topics, found {found(name)}")
    return tuple(names)


def _names(names: object, excerpt: Excerpt) -> dict[str, Name]:
    """Return the names to publish under, by topic."""
    if names is None:
        return {}
    mapping: Any = names
    if not isinstance(names, Mapping):
        raise TypeError(f'names: expected {{"recorded": "new"}}, found {found(mapping)}')
    given: dict[Any, Any] = dict(mapping)
    for topic, name in given.items():
        excerpt.check_topic(topic, "names")
        if not isinstance(name, str | os.PathLike):
            shown: Any = name
            raise TypeError(f"names[{quoted(topic)}]: expected a str or a pathlib.Path, found {found(shown)}")
    used: dict[str, str] = {}
    for channel in excerpt.channels:
        name = str(given.get(channel.topic, channel.topic))
        if name in used:
            raise ValueError(
                f"names: expected a name of its own for each topic, found {quoted(name)} for {quoted(used[name])} and "
                f"{quoted(channel.topic)}"
            )
        used[name] = channel.topic
    return given
