"""``typedshm schema``: the layout documents that come with typedshm, and the check of any."""

import json
from pathlib import Path

import click

import typedshm
from typedshm.cli.columns import Column, aligned
from typedshm.cli.exits import Status
from typedshm.cli.layouts.schemas import SCHEMA_HELP, described, first_line, schema_argument
from typedshm.cli.targets import Scope, scope_option
from typedshm.cli.terminal import can_show, printable, say, width


@click.group("schema")
def command() -> None:
    """List, check and print layout documents: the JSON form of what a region holds."""


@command.command(
    "list",
    short_help="List the documents that come with typedshm.",
    epilog="--json prints a list of objects: name, layout, size, fields, doc.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON list.")
def list_(as_json: bool) -> None:
    """List the documents that come with typedshm, a line for each."""
    layouts = {name: typedshm.layout_of(name) for name in typedshm.documents()}
    if as_json:
        entries = [
            {"name": name, "layout": layout.name, "size": layout.size, "fields": len(layout.fields), "doc": layout.doc}
            for name, layout in layouts.items()
        ]
        say(json.dumps(entries))
        return
    columns = (
        Column("document", 3),
        Column("bytes", 1, right=True),
        Column("fields", 0, right=True),
        Column("what", 2, least=20),
    )
    rows = [
        (printable(name), f"{layout.size:,}", f"{len(layout.fields):,}", first_line(layout.doc))
        for name, layout in layouts.items()
    ]
    for line in aligned(columns, rows, width()):
        say(line)


@command.command(
    "validate", short_help="Check documents.", epilog="Exits with 1 if any is invalid, with 3 if any is not there."
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> int:
    """Check layout documents: a line for each FILE, with the place of the first fault in it."""
    status = Status.OK
    for file in files:
        try:
            layout = typedshm.layout_of(file)
        except typedshm.DocumentError as error:
            status = max(status, Status.FAILED)
            say(f"{printable(file)}: invalid: {printable(str(error).removeprefix(f'{file}: '))}")
        except OSError as error:
            status = max(status, Status.NOT_FOUND if isinstance(error, FileNotFoundError) else Status.FAILED)
            say(f"{printable(file)}: {printable(error.strerror or error)}")
        else:
            fields = f"{len(layout.fields):,} field{'s' if len(layout.fields) != 1 else ''}"
            say(f"{printable(file)}: ok: {printable(layout.name)}, {layout.size:,} bytes, {fields}")
    return status


@command.command("show", short_help="Print the document of a layout.", epilog=SCHEMA_HELP.format("NAME"))
@schema_argument("name")
@scope_option
def show(name: str, scope: Scope | None) -> None:
    """Print the document of a layout, indented: of one that comes with typedshm, of a region, a file or a class."""
    say(printable_json(described(name, scope).layout.to_document(indent=2)))


def printable_json(document: bytes) -> str:
    r"""Return a document with what cannot be printed in its texts written as JSON does: ``\u001b``."""
    text = document.decode()
    if text.replace("\n", "").isprintable() and can_show(text):
        return text
    return "".join(
        letter if letter == "\n" or (letter.isprintable() and can_show(letter)) else json.dumps(letter)[1:-1]
        for letter in text
    )
