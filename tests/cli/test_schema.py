"""``typedshm schema``: the documents that come with typedshm, and the check of any."""

import json
import sys
from pathlib import Path

import pytest

import typedshm as ts
from helpers import layouts
from helpers.terminal import WITH_HELPERS, typedshm


def test_shipped_documents_are_listed_a_line_each() -> None:
    done = typedshm("schema", "list")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "document             bytes  fields  what",
        "camera-frame     6,220,832       6  One picture of a Full HD camera.",
        "camera-motion           40       7  What moved between one camera frame and the one before.",
        "consumer-report     16,448       8  How one consumer fares.",
    ]
    entries = json.loads(typedshm("schema", "list", "--json").stdout)
    assert [entry["name"] for entry in entries] == ts.documents()
    assert entries[0]["fields"] == 6


def test_documents_are_checked_each_for_itself(tmp_path: Path) -> None:
    good, bad, other = (tmp_path / name for name in ("good.json", "bad.json", "other.json"))
    text = layouts.Record.layout.to_document()
    good.write_bytes(text)
    content = json.loads(text)
    content["layout"]["fields"][2]["offset"] = -1
    bad.write_text(json.dumps(content))
    other.write_bytes(b"\xff\xfe")
    done = typedshm("schema", "validate", str(good), str(bad), str(other))
    first, second, third = done.stdout.splitlines()
    assert done.returncode == 1
    assert first == f"{good}: ok: Record, 72 bytes, 10 fields"
    assert second.startswith(f"{bad}: invalid: layout.fields[2].offset: ")
    assert third.startswith(f"{other}: invalid: ")
    assert typedshm("schema", "validate", str(good)).returncode == 0


def test_a_file_that_is_not_there_exits_with_3(tmp_path: Path) -> None:
    done = typedshm("schema", "validate", str(tmp_path / "none.json"), str(tmp_path))
    assert done.returncode == 3
    assert "none.json: No such file or directory" in done.stdout
    assert typedshm("schema", "validate").returncode == 2


def test_region_files_and_huge_files_are_no_documents(tmp_path: Path) -> None:
    region, huge = tmp_path / "a.region", tmp_path / "huge.json"
    ts.create(region, layouts.Vec).close()
    with huge.open("wb") as file:
        file.truncate(2**33)
    done = typedshm("schema", "validate", str(region), str(huge))
    assert done.returncode == 1
    assert all(": invalid: " in line and line.isprintable() for line in done.stdout.splitlines())


def test_a_document_is_shown_indented() -> None:
    with ts.create("vec", layouts.Vec), ts.create("table", layouts.Table):
        for name, layout in (
            ("camera-frame", ts.layout_of("camera-frame")),
            ("vec", layouts.Vec.layout),
            ("table", layouts.Table.layout),
            ("helpers.layouts:Arm", layouts.Arm.layout),
        ):
            done = typedshm("schema", "show", name, env=WITH_HELPERS)
            assert done.stdout.encode() == layout.to_document(indent=2) + b"\n"
    assert typedshm("schema", "show", "nothing").returncode == 3


@pytest.mark.parametrize("command", ["show", "validate"])
def test_escape_sequences_never_reach_the_terminal(tmp_path: Path, command: str) -> None:
    file = tmp_path / ("evil\u202e.json" if sys.platform == "win32" else "evil\x1b[2J\u202e.json")
    file.write_bytes(layouts.evil_document())
    done = typedshm("schema", command, str(file))
    assert done.returncode == 0, done.stderr
    assert all(line.isprintable() for line in done.stdout.splitlines())
    if command == "show":
        assert ts.layout_of(done.stdout.encode()) == ts.layout_of(file)


def test_ascii_only_output_is_still_the_document(tmp_path: Path) -> None:
    file = tmp_path / "greek.json"
    file.write_bytes(layouts.Vec.layout.changed(doc="λ\u202e").to_document())
    done = typedshm("schema", "show", str(file), env={"PYTHONIOENCODING": "ascii"})
    assert done.stdout.isascii()
    assert ts.layout_of(done.stdout.encode()) == ts.layout_of(file)
