"""``typedshm schema``: the documents that come with typedshm, and the check of any."""

import json
import sys
from pathlib import Path

import pytest

import typedshm as ts
from helpers import layouts
from helpers.terminal import WITH_HELPERS, run_here, typedshm


def test_shipped_documents_are_listed_a_line_each() -> None:
    done = typedshm("schema", "list")
    assert done.returncode == 0
    titles, *lines = done.stdout.splitlines()
    assert titles.split() == ["document", "bytes", "rule", "checked", "what"]
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert shown["camera-motion"] == "40 What moved between one camera frame and the one before."
    assert shown["lmu"].startswith("324,824 busy-word third-party Le Mans Ultimate: ")
    assert shown["acc/static"] == "784 still third-party"
    assert {name.partition("/")[0] for name in shown} == {*ts.documents()}
    entries = json.loads(typedshm("schema", "list", "--json").stdout)
    assert [entry["name"] for entry in entries] == ts.documents()
    by_name = {entry["name"]: entry for entry in entries}
    assert by_name["camera-frame"]["fields"] == 6
    assert by_name["rfactor2"]["sources"][1] == {"name": "scoring", "size": 75312, "rule": "counters"}
    assert by_name["rfactor2"]["provenance"][0]["checked"] == "compiled"


def test_documents_of_other_programs_are_shown_and_checked(tmp_path: Path) -> None:
    whole, source = typedshm("schema", "show", "acc"), typedshm("schema", "show", "acc/graphics")
    assert whole.stdout.encode() == ts.foreign.Document.text("acc")
    assert ts.layout_of(source.stdout.encode()) == ts.load("acc/graphics").layout
    file = tmp_path / "acc.json"
    file.write_text(whole.stdout)
    bad = tmp_path / "bad.json"
    bad.write_text(whole.stdout.replace('"packet_id"}', '"packet"}'))
    done = typedshm("schema", "validate", str(file), str(bad))
    assert done.returncode == 1
    good, refused = done.stdout.splitlines()
    assert good == f"{file}: ok: Assetto Corsa Competizione: three pages; physics 800 bytes, graphics 1,588 bytes, " + (
        "static 784 bytes"
    )
    assert refused.startswith(f"{bad}: invalid: sources[0]: rule.tick: expected a field of AccPhysics")
    assert typedshm("layout", "acc/physics", "--json").returncode == 0
    assert typedshm("schema", "show", "acc/nothing").returncode != 0


def test_what_is_invalid_is_refused_by_all_commands_for_the_same_reason(tmp_path: Path) -> None:
    text = ts.foreign.Document.text("rfactor2").decode()
    (good := tmp_path / "good.json").write_text(text)
    (bad := tmp_path / "bad.json").write_text(text.replace('"end": "update_end"', '"end": "update_begin"', 1))
    assert good.read_text() != bad.read_text()
    inside = ts.foreign.Document.load("rfactor2").sources[0].name
    for arguments in (
        ("schema", "validate", str(bad)),
        ("schema", "show", str(bad)),
        ("layout", str(bad)),
        ("layout", f"foreign:{bad}"),
        ("layout", f"{bad}/{inside}"),
        ("diff", str(good), str(bad)),
        ("diff", str(bad), "mumble-link"),
    ):
        done = run_here(*arguments)
        assert done.returncode != 0
        assert "sources[0]: rule: Counters: expected different fields" in done.stdout + done.stderr, arguments
    for arguments in (("layout", f"{good}/{inside}"), ("layout", f"foreign:{good}"), ("diff", str(good), "rfactor2")):
        assert run_here(*arguments).returncode == 0


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
