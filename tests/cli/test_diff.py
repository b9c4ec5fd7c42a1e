"""``typedshm diff``: what changed between two layouts, and what programs may do."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

import typedshm as ts
from helpers import layouts
from helpers.terminal import WITH_HELPERS, Terminal, typedshm
from typedshm import Struct, Unit, f64

RECORD, ARM, VEC, MANY = (f"helpers.layouts:{name}" for name in ("Record", "Arm", "Vec", "Many"))


class Vec3(Struct):
    """In space."""

    x: Annotated[f64, Unit("m")]
    y: Annotated[f64, Unit("m")]
    z: f64


def diff(*arguments: str, **options: Any) -> Any:
    done = typedshm("diff", *arguments, env={**WITH_HELPERS, **options.pop("env", {})}, **options)
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    return done


@pytest.fixture
def vec3(tmp_path: Path) -> str:
    file = tmp_path / "vec3.json"
    file.write_bytes(Vec3.layout.to_document())
    return str(file)


def test_what_changed_and_what_programs_may_do(vec3: str) -> None:
    done = diff(VEC, vec3)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "A: Vec, helpers.layouts:Vec",
        f"B: Vec3, document {vec3}",
        "",
        "field  change  A         B",
        "z      added             f64 at 16",
        "(all)  name    Vec       Vec3",
        "(all)  doc               In space.",
        "(all)  size    16 bytes  24 bytes",
        "",
        "The bytes mean something else.",
        "A program with layout A may read, not write regions of B:",
        "  · all its fields are there, unchanged and at the same offsets",
        "  · only the region's own layout may write: this one knows nothing of z",
        "A program with layout B may not attach regions of A:",
        "  · z is not in the region",
    ]


def test_the_same_bytes_exit_with_0() -> None:
    with ts.create("arm", layouts.Arm):
        done = diff("arm", ARM)
    assert done.returncode == 0
    assert "The bytes mean the same.\n" in done.stdout
    assert "A program with layout A may read and write regions of B:" in done.stdout
    assert diff("camera-frame", "camera-frame").returncode == 0


def test_json_has_it_all(vec3: str) -> None:
    content = json.loads(diff(VEC, vec3, "--json").stdout)
    assert content["a"] == {
        "label": "helpers.layouts:Vec",
        "name": "Vec",
        "id": layouts.Vec.layout.id.hex(),
        "size": 16,
    }
    assert content["same"] is False
    assert content["changes"][0] == {"kind": "added", "field": "z", "a": "", "b": "f64 at 16", "counts": True}
    assert content["a_on_b"]["read"] is True
    assert content["b_on_a"] == {"read": False, "write": False, "why": ["z is not in the region"]}


def test_what_differs_in_words_only_is_told_and_exits_with_0(tmp_path: Path) -> None:
    file = tmp_path / "vec.json"
    file.write_bytes(layouts.Vec.layout.changed(doc="another").to_document())
    done = diff(VEC, str(file))
    assert done.returncode == 0
    assert "The bytes mean the same. They differ in names and descriptions only." in done.stdout


def test_200_fields_have_a_row_each_and_few_reasons() -> None:
    lines = diff(MANY, RECORD).stdout.splitlines()
    assert sum(bool(re.match(r"channel_\d+ +(removed|renamed) ", line)) for line in lines) == 200
    assert sum(line.startswith("  · ") for line in lines) < 20


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_escape_sequences_never_reach_the_terminal(tmp_path: Path, option: list[str]) -> None:
    file = tmp_path / "evil.json"
    file.write_bytes(layouts.evil_document())
    done = diff(str(file), VEC, *option)
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert r"\x1b" in done.stdout or r"\u001b" in done.stdout


def test_a_name_that_is_not_there_exits_with_3() -> None:
    for names in (("nothing", RECORD), (RECORD, "nothing")):
        done = typedshm("diff", *names, env=WITH_HELPERS)
        assert done.returncode == 3
        assert "region 'nothing' does not exist" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect has no pseudo-terminals there")
def test_a_narrow_terminal_has_a_line_for_each_change() -> None:
    with Terminal("diff", RECORD, ARM, columns=40, lines=60, env=WITH_HELPERS) as terminal:
        assert terminal.end() == 1
        rows = [line for line in terminal.shown.splitlines() if re.search(r"\b(added|removed)\b", line)]
        words = terminal.shown.split()
    assert len(rows) == len(layouts.Record.layout.fields) + len(layouts.Arm.layout.fields)
    assert "attach" in words
    assert "regions" in words  # sentences are broken between words


def test_ascii_only_output_has_ascii_only_lines() -> None:
    text = diff(RECORD, ARM, env={"PYTHONIOENCODING": "ascii"}).stdout
    assert text.isascii()
    assert "\\u" not in text
