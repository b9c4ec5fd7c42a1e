"""Replaying: recordings as the input of programs under test.

A fixture that gives a test what was recorded, version by version::

    @pytest.fixture
    def player():
        with typedshm.testing.replayed("tests/drive.mcap") as player:
            yield player

    def test_the_brake_is_noticed(player):
        with typedshm.attach("car", Car) as car:
            player.step(10)
            assert brakes(car.read())
"""

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from typedshm.testing.isolation import isolated

if TYPE_CHECKING:
    from typedshm.recording.replay.player import Player


@contextlib.contextmanager
def replayed(path: Any, *, paused: bool = True, **options: Any) -> "Generator[Player, None, None]":
    """Run a block beside a replay of a recording, in a private namespace of regions.

    The regions are there, under their recorded names, and nobody else sees them. They are empty until the block calls
    :meth:`~typedshm.recording.Player.step` or :meth:`~typedshm.recording.Player.play`.

    Parameters
    ----------
    path
        Of the recording, as for :func:`typedshm.recording.open`.
    paused
        False: begin to publish at once.
    **options
        The others of :func:`typedshm.recording.replay`.

    Yields
    ------
    Player
        What plays it; it is closed at the end of the block.

    Raises
    ------
    AssertionError
        At the end of the block, if a region is still open, as of :func:`isolated`.
    Exception
        At the end of the block, what has ended the replay too early.
    ImportError
        The libraries of recordings are not installed: ``pip install 'typedshm[record]'``.
    """
    from typedshm.recording.replay.replaying import replay  # is heavy, and an extra

    with isolated(), replay(path, paused=paused, **options) as player:
        yield player
