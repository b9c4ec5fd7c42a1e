"""Participants: the processes that have a region open, as info() lists them and messages name them."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import typedshm._native as _native
from typedshm.memory.processes import command_of, is_mapped_by, started_at

_MOST = 4
_TIME, _DAY = "%H:%M:%S", "%Y-%m-%d %H:%M:%S"


def utc(ns: int) -> datetime:
    """Return the time so many nanoseconds after 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)


class Participant(int):
    """A process that takes part in a region: its process id, with its command line and since when it has it open.

    It is an int, equal to any of that number, and so what ``os.kill()`` takes. It prints as
    ``4711 (python robot.py, since 12:00:03)``, in the time zone of whoever prints it; in an f-string and in JSON it is
    the number alone.
    """

    _command: str | None
    _since: int
    _started: int

    def __new__(cls, pid: int, since: int = 0, started: int = 0, command: str | None = None) -> "Participant":
        """Make one of what it has written down of itself.

        Parameters
        ----------
        pid
            Its process id, as it sees it.
        since
            When it opened the region, in ns since 1970; 0: not known.
        started
            When the process began, in the system's own unit; 0: not known.
        command
            Its command line. Default: as the system tells it when it is first asked for.
        """
        made = super().__new__(cls, pid)
        made._since, made._started, made._command = since, started, command
        return made

    @property
    def command(self) -> str:
        """Its command line, shortened to 60 characters; empty where it cannot be read.

        It is read once: by ``info()``, and else when it is first asked for. A process that has ended has none. Nor has
        one in another namespace of pids, as in a container, whose number means another process here.
        """
        if self._command is None:
            self._command = _command_line(self, self._started)
        return self._command

    @property
    def since(self) -> datetime | None:
        """When it opened the region, in UTC; None where that is not known."""
        return utc(self._since) if self._since else None

    @property
    def since_words(self) -> str:
        """Since when, for people: ``since 12:00:03``; empty where that is not known."""
        if self.since is None:
            return ""
        here = self.since.astimezone()
        today = here.date() == datetime.now(here.tzinfo).date()
        return f"since {here:{_TIME if today else _DAY}}"

    def shown(self, room: int | None = None) -> str:
        """Return it as it prints, with the command line cut so that all of it fits into a number of letters."""
        number, since = str(int(self)), self.since_words
        left = None if room is None else room - len(number) - len(since) - len(" (, )")
        command = self.command if left is None or len(self.command) <= left else f"{self.command[: max(left - 1, 0)]}…"
        facts = ", ".join(filter(None, (command, since)))
        return f"{number} ({facts})" if facts else number

    def __repr__(self) -> str:
        return self.shown()

    def __str__(self) -> str:
        return self.shown()

    def __format__(self, form: str) -> str:
        return format(int(self), form)  # of paths, commands, ...: int's own would be str() where there is no form

    def __reduce__(self) -> "tuple[type[Participant], tuple[int, int, int, str]]":
        return Participant, (int(self), self._since, self._started, self.command)


def _command_line(pid: int, started: int) -> str:
    """Return the command line of the process with a number that began then; empty if another one has the number."""
    here = started_at(pid) if started else 0
    return "" if here and here != started else command_of(int(pid))


def participant(presence: "_native.Presence", *, now: bool = False) -> Participant:
    """Return the participant of a presence entry; `now`: with the command line that it has now."""
    _, pid, _, since, started = presence
    return Participant(pid, since, started, _command_line(pid, started) if now else None)


def participants(
    presences: "Iterable[_native.Presence]", *, have_written: bool, now: bool = False
) -> tuple[Participant, ...]:
    """Return those that have written, or the others."""
    return tuple(participant(presence, now=now) for presence in presences if presence[2] == have_written)


def describe_process(pid: int, *, inode: int | None = None, this: bool | None = None, since: bool = False) -> str:
    """Say which process it is: ``process 4711 (python camera.py)``, or ``this process``.

    Parameters
    ----------
    pid
        The number that the process has written down, or the participant. In another pid namespace (of a container) a
        number means another process; of a participant that is noticed.
    inode
        Of the file by which the number was found: a process that does not map it is another of the same number, whose
        command line is not shown.
    this
        Whether it is this process, if that is known better than by number.
    since
        Whether to say since when a participant has the region open: ``(python camera.py, since 12:00:03)``.
    """
    number = int(pid)
    if number == os.getpid() if this is None else this:
        return "this process"
    command = ""
    if number != os.getpid() and (inode is None or is_mapped_by(number, inode) is not False):
        command = pid.command if isinstance(pid, Participant) else command_of(number)
    facts = [command, pid.since_words if since and isinstance(pid, Participant) else ""]
    known = ", ".join(filter(None, facts))
    return f"process {number} ({known})" if known else f"process {number}"


def describe_processes(pids: Iterable[int], *, inode: int | None = None) -> str:
    """Say which processes they are, as far as they fit into a message: ``this process, process 4711 and 2 more``."""
    known = sorted(set(pids), key=lambda pid: (pid != os.getpid(), pid))
    names = [describe_process(pid, inode=inode) for pid in known[:_MOST]]
    if len(known) > _MOST:
        return f"{', '.join(names)} and {len(known) - _MOST} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
