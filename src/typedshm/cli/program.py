"""The program: its commands, and what happens to their errors."""

import contextlib
import os
import sys
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

import click

import typedshm
from typedshm.cli import terminal
from typedshm.cli.exits import MEANINGS, Status, status_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, str] = {
    "ls": "regions, tables and mutexes, and the processes that use them",
    "show": "the newest version of a region or row, as a tree; the rows of a table",
    "echo": "a line for each version, or for each row that changes, for pipes",
    "watch": "regions and tables live on the screen: values, rates, ages, pictures",
    "wait": "until a region or row is there, is written, or holds what is expected",
    "set": "fields of a region or row to new values, as one version",
    "hz": "how often a region, table or row is written",
    "cp": "copy the newest version of a region, or the rows of a table, into another",
    "save": "save regions and tables to files",
    "restore": "bring a saved region or table back into memory",
    "bridge": "other programs' memory, once more as a region",
    "record": "what regions and tables get, with its times, into a file",
    "replay": "publish what was recorded once more, at its pace or step by step",
    "info": "what a recording holds: topics, layouts, counts, rates, damage",
    "cat": "a line for each recorded version",
    "head": "the first lines of that",
    "convert": "a recording to npz, parquet or csv",
    "rm": "remove regions, tables, mutexes and what killed processes left behind",
    "lock": "which process holds the lock of a region or row, or a mutex",
    "layout": "the map of a value's bytes: offsets, padding, cache lines, a better order",
    "diff": "what changed between two layouts, and what readers and writers may do",
    "schema": "the layout documents: list, validate, show",
    "doctor": "look for what is in the way of shared memory here",
    "completion": "the script for bash, zsh or fish that completes names",
}
"""Each command with its help in a line. ``commands`` has a module of its name, with the :class:`click.Command`."""


class _ClosedPipe(Exception):
    """Nobody reads the output any more."""


class Program(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"typedshm.cli.commands.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Of a closed pipe click must not hear: it would end the program with a status of its own."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ClosedPipe from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete the names of commands, without importing any."""
        from click.shell_completion import CompletionItem  # is heavy, and for shells only

        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, without importing any, and the exit statuses."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        with formatter.section("Exit status"):
            formatter.write_dl([(str(status.value), text) for status, text in MEANINGS.items()])


@click.command(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(typedshm.__version__, prog_name="typedshm")
def program() -> None:
    """Look into shared memory: list, show, watch and change what typed regions hold.

    NAME is the name of a region or table. What contains a slash is the path of one in a file: ./state.region. ROW is a
    row of a table: its key, or its number, below zero from the end. Names of documents mean other programs' memory:
    mumble-link, acc/physics; foreign:NAME if a region has the name.
    """


def run(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    terminal.prepare()
    try:
        return _run(arguments)
    finally:
        try:
            sys.stderr.flush()
        except OSError:  # Python would fail as well when it ends, and change the status
            _drop(sys.stderr)


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = program.main(arguments, prog_name="typedshm", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else Status.OK
    except click.ClickException as error:
        with contextlib.suppress(OSError):  # no room on standard error, or nobody who reads it
            error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return Status.INTERRUPTED
    except (_ClosedPipe, BrokenPipeError):
        _drop(sys.stdout)
        return Status.CLOSED_PIPE
    except ImportError as error:  # of an extra that is not installed, whose message says how to get it
        if "pip install" not in str(error):
            raise
        terminal.warn(terminal.printable(error))
        return Status.FAILED
    except (typedshm.TypedshmError, OSError) as error:
        terminal.warn("\n".join(map(terminal.printable, _words(error).splitlines())))
        return status_of(error)


def _words(error: BaseException) -> str:
    words = str(getattr(error, "strerror", None) or error)
    file = getattr(error, "filename", None)
    return words if file is None or str(file) in words else f"{file}: {words}"


def _drop(stream: IO[str]) -> None:
    """Let nothing more be written to what takes it no more, neither by us nor when Python ends."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
