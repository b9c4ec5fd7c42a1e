"""Other programs' memory on the command line, by the names of documents."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import typedshm as ts
from helpers import sensors
from helpers.terminal import Pipe, Terminal, run_here
from typedshm.cli.exits import Status
from typedshm.cli.foreign import memories
from typedshm.cli.foreign.naming import meant_by
from typedshm.foreign import Publisher

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other programs' files are sections there")


RECORDED = Path(__file__).parents[1] / "foreign" / "recorded" / "openjdk-17.0.15.hsperfdata"
"""Of a JVM."""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return sensors.document(tmp_path, "first", "second")


@pytest.fixture
def program(document: Path) -> Iterator[Publisher]:
    with sensors.publisher(document) as program:
        yield program


def test_show_prints_head_rows_and_texts(document: Path, program: Publisher) -> None:
    sensors.publish(program, [1.5, 2.5], "PC", "first")
    done = run_here("show", f"foreign:{document}/first")
    assert done.returncode == Status.OK
    heading, *tree = done.stdout.splitlines()
    assert re.fullmatch(rf".*/first  Head  live  {document.parent}/first, 8.0 KiB  \(no reader can .*\)", heading)
    assert re.search(r"^├─ count +2$", "\n".join(tree), re.MULTILINE)
    assert re.search(r"^├─ readings +2 of Reading\[:16\]$", "\n".join(tree), re.MULTILINE)
    assert re.search(r"^└─ title +'PC'$", "\n".join(tree), re.MULTILINE)


def test_show_takes_fields_and_items(document: Path, program: Publisher) -> None:
    sensors.publish(program, [1.5, 2.5], "PC", "first")
    done = run_here("show", f"foreign:{document}/first", "title", "readings[1].value", "--json")
    assert json.loads(done.stdout) == {"title": "PC", "readings[1].value": 2.5}
    done = run_here("show", f"foreign:{document}/first", "titel")
    assert done.returncode == Status.USAGE
    assert "did you mean title?" in done.stderr


def test_of_several_sources_those_that_have_values_are_shown(document: Path, program: Publisher) -> None:
    sensors.publish(program, [1.5], "PC", "first")
    done = run_here("show", f"foreign:{document}", "--json")
    shown = json.loads(done.stdout)
    assert shown["first"]["readings"] == [{"id": 0, "value": 1.5}]
    assert shown["second"] is None
    assert "found zeros only: its program has not begun" in done.stderr
    done = run_here("show", f"foreign:{document}/third")
    assert done.returncode == Status.USAGE
    assert "expected one of the sources first, second" in done.stderr


def test_memory_at_another_address_is_shown_as_a_document(document: Path, program: Publisher) -> None:
    sensors.publish(program, [1.5], "other", "second")
    done = run_here("show", str(document.parent / "second"), "title", "--as", f"{document}/first", "--json")
    assert json.loads(done.stdout) == "other"


def test_values_of_a_table_are_shown_by_name_and_pattern() -> None:
    done = run_here("show", "--as", "jvm", str(RECORDED), "java.ci.*", "--docs")
    assert re.search(r"^java\.ci\.totalTime +2985642705 +ticks +monotonic$", done.stdout, re.MULTILINE)
    assert "java.threads" not in done.stdout
    done = run_here("show", "--as", "jvm", str(RECORDED), "--json")
    assert json.loads(done.stdout)["table"]["java.ci.totalTime"] == 2985642705
    done = run_here("show", "--as", "jvm", str(RECORDED), "totalTim")
    assert done.returncode == Status.USAGE
    assert "did you mean java.ci.totalTime" in done.stderr


def test_memory_that_is_not_there_is_said_so_in_a_line(document: Path) -> None:
    done = run_here("show", f"foreign:{document}/first")
    assert done.returncode == Status.NOT_FOUND
    assert done.stderr.endswith(
        f"is absent: its program does not run, or publishes nothing ({document.parent}/first)\n"
    )
    done = run_here("show", f"foreign:{document}")
    assert done.returncode == Status.NOT_FOUND
    assert done.stderr.count(" is absent: ") == 2
    done = run_here("show", "foreign:mumble")
    assert done.returncode == Status.USAGE
    assert "did you mean mumble-link?" in done.stderr


def test_a_region_of_the_name_comes_first(document: Path, program: Publisher) -> None:
    with ts.create("mumble-link", sensors.Reading) as region:
        region.write(sensors.Reading(id=7, value=1.0))
        assert json.loads(run_here("show", "mumble-link", "--json").stdout) == {"id": 7, "value": 1.0}
        assert "id=7" in run_here("wait", "mumble-link", "--until", "id == 7").stdout


def test_names_say_document_source_and_field() -> None:
    meant = meant_by("acc/physics.velocity[0]")
    assert meant is not None
    assert (meant.document, meant.source, meant.path) == ("acc", "physics", "velocity[0]")
    assert meant_by("no-such-program") is None
    assert meant_by("./acc/physics") is None


def test_echo_and_wait_follow_the_program(document: Path, program: Publisher) -> None:
    name = f"foreign:{document}/first"
    sensors.publish(program, [1.5], "PC", "first")
    done = run_here("echo", name, "readings[0].value", "-n", "1", "--json")
    assert json.loads(done.stdout)["value"] == 1.5
    done = run_here("wait", name, "--until", "count == 1", "--timeout", "20")
    assert done.returncode == Status.OK
    assert "title='PC'" in done.stdout
    assert run_here("wait", name, "--until", "count == 9", "--timeout", "0.2").returncode == Status.TIMEOUT


@pytest.mark.parametrize(
    ("command", "options", "shown"),
    [
        ("echo", ("title", "-n", "1"), "'PC'"),
        ("wait", ("--until", "count == 1", "--timeout", "20"), "title='PC'"),
        ("hz", ("--interval", "0.05", "-n", "1"), "Hz"),
    ],
)
def test_an_address_a_process_and_a_number_say_whose_memory_is_meant(
    document: Path, program: Publisher, tmp_path: Path, command: str, options: tuple[str, ...], shown: str
) -> None:
    sensors.publish(program, [1.5], "PC", "first")
    memory = str(document.parent / "first")
    done = run_here(command, memory, *options, "--as", f"{document}/first", "--pid", str(os.getpid()))
    assert (done.returncode, done.stderr) == (Status.OK, "")
    assert shown in done.stdout
    text = document.read_text()
    (numbered := tmp_path / "numbered.json").write_text(text.replace(memory, f"{tmp_path}/{{pid}}-{{unit}}"))
    (tmp_path / f"{os.getpid()}-2").write_bytes(Path(memory).read_bytes())
    named = f"foreign:{numbered}/first"
    assert shown in run_here(command, named, *options, "--pid", str(os.getpid()), "--unit", "2").stdout
    assert run_here(command, named, *options, "--pid", str(os.getpid()), "--unit", "3").returncode in (
        Status.NOT_FOUND,
        Status.TIMEOUT,
    )


@pytest.mark.parametrize("command", ["show", "echo", "wait", "hz"])
def test_a_process_or_number_without_a_meaning_is_refused(document: Path, program: Publisher, command: str) -> None:
    sensors.publish(program, [1.5], "PC", "first")
    done = run_here(command, f"foreign:{document}/first", "--unit", "3")
    assert done.returncode == Status.USAGE
    assert "--unit: expected 0, as there is one such memory" in done.stderr
    done = run_here(command, str(document.parent / "first"), "--as", f"{document}/first", "--unit", "3")
    assert done.returncode == Status.USAGE
    assert "is the address of one memory" in done.stderr
    with ts.create("mine", sensors.Head) as region:
        region.write(sensors.Head.zero())
        for option in (("--unit", "3"), ("--pid", "7")):
            done = run_here(command, "mine", *option)
            assert done.returncode == Status.USAGE
            assert "--pid and --unit are for other programs' memory, and mine is a region or table" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("set", "x=1"), ("save", "x.region"), ("cp", "x"), ("rm",), ("lock",)],
    ids=lambda given: given[0],
)
def test_commands_for_regions_say_that_memory_is_another_programs(
    document: Path, program: Publisher, arguments: tuple[str, ...]
) -> None:
    for name in ("mumble-link", f"foreign:{document}/first", "foreign:acc/physics"):
        done = run_here(arguments[0], name, *arguments[1:])
        assert done.returncode == Status.NOT_FOUND, done.stderr
        told = done.stdout + done.stderr
        assert f"{name.removeprefix('foreign:')} is memory of another program, which show, watch, echo" in told
        assert "directory" not in told


def test_watch_has_state_and_age_in_its_head_line(document: Path, program: Publisher) -> None:
    with Terminal("watch", f"foreign:{document}/first") as terminal:
        terminal.until(lambda shown: "first  Head  stub of zeros" in shown)
        sensors.publish(program, [1.5], "PC", "first")
        terminal.until(lambda shown: re.search(r"first  Head  live  [\d.]+ Hz  age ", shown) and "'PC'" in shown)
        sensors.publish(program, [1.5, 8.5], "Mac", "first")
        terminal.until(lambda shown: "'Mac'" in shown and "8.5" in shown)


def test_watch_takes_an_address(document: Path, program: Publisher) -> None:
    with Terminal("watch", "--as", f"{document}/first", str(document.parent / "second")) as terminal:
        sensors.publish(program, [1.5], "other", "second")
        terminal.until(lambda shown: "live" in shown and "'other'" in shown)


def test_ls_lists_the_memory_that_there_is(document: Path, program: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    sensors.publish(program, [1.5], "PC", "first")
    monkeypatch.setattr(ts.foreign, "documents", lambda: [str(document)])
    first, second = json.loads(run_here("ls", "--foreign", "--json").stdout)
    assert (first["name"], first["state"], first["size"]) == (f"{document}/first", "live", 8192)
    assert first["where"] == str(document.parent / "first")
    assert (second["state"], second["problem"]) == ("stub of zeros", None)
    (line,) = run_here("ls", "--foreign", "*/second").stdout.splitlines()[1:]
    assert line.split()[3:6] == ["stub", "of", "zeros"]
    program.close()
    assert memories.found() == []
    assert run_here("ls", "--foreign", "*/second").returncode == Status.NOT_FOUND
    assert run_here("ls", "--foreign", "--watch").returncode == Status.USAGE


@pytest.mark.parametrize(
    ("size", "first", "also"),
    [
        (580, "assetto-corsa", []),  # too small for the other
        (800, "acc", []),  # as many bytes as its layout has
        (4096, "acc", ["assetto-corsa"]),
        (0, "acc", ["assetto-corsa"]),  # zeros
    ],
)
def test_ls_lists_memory_once_that_several_documents_describe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, first: str, also: list[str]
) -> None:
    files = [tmp_path / f"{name}.json" for name in ("acc", "assetto-corsa")]
    for file in files:
        file.write_text(ts.foreign.Document.text(file.stem).decode().replace("/dev/shm/", f"{tmp_path}/"))
    monkeypatch.setattr(ts.foreign, "documents", lambda: list(map(str, files)))
    (tmp_path / "acpmf_physics").write_bytes(b"\1" * size or bytes(4096))
    named = [f"{tmp_path / name}.json/physics" for name in (first, *also)]
    (listed,) = json.loads(run_here("ls", "--foreign", "--json").stdout)
    assert [listed["name"], *listed["also"]] == named
    (line,) = run_here("ls", "--foreign").stdout.splitlines()[1:]
    assert line.startswith(f"{' or '.join(named)} ")
    other = next(str(file) for file in files if file.stem != first)
    (listed,) = json.loads(run_here("ls", "--foreign", "--json", f"{other}*").stdout)  # which asks for that one
    assert (listed["document"], listed["also"]) == (other, [])


def test_ls_takes_the_document_whose_signs_are_there(
    document: Path, program: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors.publish(program, [1.5], "PC", "first")
    content = json.loads(document.read_text())
    documents = []
    for sign in (1, 2):
        content["sources"][0]["layouts"][0]["when"] = [{"field": "count", "is": sign}]
        documents.append(tmp_path / f"sign{sign}.json")
        documents[-1].write_text(json.dumps(content))
    for order in ([document, *documents], [*documents[::-1], document]):
        monkeypatch.setattr(ts.foreign, "documents", lambda order=order: list(map(str, order)))
        (listed,) = json.loads(run_here("ls", "--foreign", "--json", "*/first").stdout)
        assert (listed["document"], listed["also"]) == (str(documents[0]), [])


def test_layout_takes_a_source_of_a_document() -> None:
    done = run_here("layout", "acc/graphics", "--json")
    assert json.loads(done.stdout)["name"] == "AccGraphics"
    assert json.loads(run_here("layout", "foreign:acc/graphics", "--json").stdout)["label"] == "document acc/graphics"


def test_bridge_makes_regions_until_it_is_interrupted(document: Path) -> None:
    with Pipe("bridge", f"foreign:{document}", "bridged-sensors", "--hz", "200") as pipe:
        assert "waiting until it is there" in pipe.complaint()
        with sensors.publisher(document) as program:
            sensors.publish(program, [1.5], "PC", "first")
            sensors.publish(program, [2.5], "PC", "second")
            assert "is region bridged-sensors-first: " in pipe.line()
            with ts.attach("bridged-sensors-second", timeout=20) as region:
                assert region.wait(timeout=20).readings[0].value == 2.5
            pipe.interrupt()
            assert pipe.end() == Status.OK
    assert not [entry for entry in ts.entries() if str(entry.name).startswith("bridged-sensors")]


def test_bridge_needs_a_document() -> None:
    done = run_here("bridge", "no-such-program", "physics")
    assert done.returncode == Status.USAGE
    assert "no document has the name no-such-program" in done.stderr
