"""``typedshm schema``: the layout documents that come with typedshm, and the check of any."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import typedshm
from typedshm.cli.columns import Column, aligned
from typedshm.cli.exits import Status
from typedshm.cli.layouts.schemas import SCHEMA_HELP, described, first_line, is_foreign, schema_argument
from typedshm.cli.targets import Scope, scope_option
from typedshm.cli.terminal import can_show, printable, say, width


@click.group("schema")
def command() -> None:
    """List, check and print layout documents: the JSON form of what a region holds."""


@command.command(
    "list",
    short_help="List the documents that come with typedshm.",
    epilog="""--json prints a list of objects: name, layout, size, fields, doc; of other programs' memory also program,
    sources (name, size, rule), provenance (origin, checked, on), sizes, licence.""",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON list.")
def list_(as_json: bool) -> None:
    """List the documents that come with typedshm: layouts, and what is known of other programs' memory.

    Of the latter there is a line for each memory, with its size in this system's layout, the rule by which it is read,
    and how the facts were checked: by a compiler, with the running program, or by third parties only.
    """
    foreign = {name: typedshm.foreign.Document.load(name) for name in typedshm.foreign.documents()}
    if as_json:
        entries = [_as_json(name) | _foreign_as_json(foreign.get(name)) for name in typedshm.documents()]
        say(json.dumps(entries))
        return
    columns = (
        Column("document", 3),
        Column("bytes", 2, right=True),
        Column("rule", 0),
        Column("checked", 1),
        Column("what", 2, least=20),
    )
    rows: list[tuple[str, ...]] = []
    for name in typedshm.documents():
        rows += _lines_of(name, foreign[name]) if name in foreign else [_line_of(name)]
    for line in aligned(columns, rows, width()):
        say(line)


def _line_of(name: str) -> tuple[str, ...]:
    layout = typedshm.layout_of(name)
    return printable(name), f"{layout.size:,}", "", "", first_line(layout.doc)


def _lines_of(name: str, document: "typedshm.foreign.Document") -> Iterator[tuple[str, ...]]:
    how = {origin.checked for origin in document.provenance}
    checked = ", ".join(word for word in ("compiled", "live") if word in how) or "third-party"
    what = printable(document.program)
    for source in document.sources:
        label = f"{name}/{source.name}" if document.sources[1:] else name
        yield printable(label), f"{document.layout(source.name).size:,}", source.rule.kind, checked, what
        what = ""


def _as_json(name: str) -> dict[str, Any]:
    layout = typedshm.layout_of(name)
    return {"name": name, "layout": layout.name, "size": layout.size, "fields": len(layout.fields), "doc": layout.doc}


def _foreign_as_json(document: "typedshm.foreign.Document | None") -> dict[str, Any]:
    if document is None:
        return {}
    return {
        "doc": document.doc,
        "program": document.program,
        "sources": [
            {"name": source.name, "size": document.layout(source.name).size, "rule": source.rule.kind}
            for source in document.sources
        ],
        "provenance": [
            {"origin": origin.origin, "checked": origin.checked, "on": origin.on} for origin in document.provenance
        ],
        "sizes": dict(document.sizes),
        "licence": document.licence,
    }


@command.command(
    "validate", short_help="Check documents.", epilog="Exits with 1 if any is invalid, with 3 if any is not there."
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> int:
    """Check layout documents: a line for each FILE, with the place of the first fault in it."""
    status = Status.OK
    for file in files:
        try:
            found = _checked(file)
        except typedshm.DocumentError as error:
            status = max(status, Status.FAILED)
            say(f"{printable(file)}: invalid: {printable(str(error).removeprefix(f'{file}: '))}")
        except OSError as error:
            status = max(status, Status.NOT_FOUND if isinstance(error, FileNotFoundError) else Status.FAILED)
            say(f"{printable(file)}: {printable(error.strerror or error)}")
        else:
            say(f"{printable(file)}: ok: {found}")
    return status


def _checked(file: Path) -> str:
    """Return what is in a valid document, safe to print."""
    with file.open("rb") as opened:
        text = opened.read(2**20 + 1)
    if is_foreign(text):
        document = typedshm.foreign.Document.load(file)
        sources = ", ".join(f"{source.name} {document.layout(source.name).size:,} bytes" for source in document.sources)
        return f"{printable(document.program)}; {sources}"
    layout = typedshm.layout_of(file)
    fields = f"{len(layout.fields):,} field{'s' if len(layout.fields) != 1 else ''}"
    return f"{printable(layout.name)}, {layout.size:,} bytes, {fields}"


@command.command("show", short_help="Print the document of a layout.", epilog=SCHEMA_HELP.format("NAME"))
@schema_argument("name")
@scope_option
def show(name: str, scope: Scope | None) -> None:
    """Print the document of a layout, indented: of one that comes with typedshm, of a region, a file or a class.

    Of another program's memory all that is known of it is printed; with a source, as in acc/physics, its layout.
    """
    if name in typedshm.foreign.documents():
        say(printable_json(typedshm.foreign.Document.text(name).rstrip()))
        return
    if name.endswith(".json") and is_foreign(typedshm.foreign.Document.text(name)):
        typedshm.foreign.Document.load(name)  # which refuses what is no document
        say(printable_json(typedshm.foreign.Document.text(name).rstrip()))
        return
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
