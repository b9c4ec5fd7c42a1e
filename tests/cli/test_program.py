"""The program as such: its help, its version, its exit statuses, and what it does where something is missing."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import typedshm as ts
from helpers.terminal import run_here, typedshm
from typedshm.cli.exits import MEANINGS, Status
from typedshm.cli.program import COMMANDS
from typedshm.cli.terminal import printable

ROOT = Path(__file__).parents[2]


def test_help_lists_every_command_and_every_exit_status() -> None:
    done = typedshm("--help")
    assert done.returncode == 0
    shown = done.stdout.partition("Commands:")[2]
    for name, text in COMMANDS.items():
        assert f"  {name} " in shown
        assert text.split()[0] in shown
    for status in MEANINGS:
        assert f"\n  {status.value} " in shown


def test_every_exit_status_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Status)


def test_the_guide_has_the_exit_statuses_and_the_front_page_every_command() -> None:
    guide = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for status, meaning in MEANINGS.items():
        assert f"| {status.value} | {meaning}".replace("`", "") in guide.replace("`", "")
    front_page = (ROOT / "README.md").read_text(encoding="utf-8").partition("## On the command line")[2]
    assert not [name for name in COMMANDS if f"`{name}" not in front_page and f"typedshm {name}" not in front_page]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_called_as_the_table_says(name: str) -> None:
    command = import_module(f"typedshm.cli.commands.{name}").command
    assert command.name == name
    done = typedshm(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: typedshm {name}")


def test_the_version_is_that_of_the_package() -> None:
    assert typedshm("--version").stdout.split()[-1] == ts.__version__


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["show"], ["hz", "car", "--interval", "nothing"], ["hz", "--what"]]
)
def test_wrong_usage_exits_with_2_and_says_where_the_help_is(arguments: list[str]) -> None:
    done = typedshm(*arguments)
    assert done.returncode == 2
    assert "--help" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(("module", "library"), [("click", "click"), ("PIL", "Pillow")])
def test_where_a_library_is_not_installed_the_command_says_how_to_install_it(
    module: str, library: str, tmp_path: Path
) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; from typedshm.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "show", "view", "--png", str(tmp_path / "view.png")]
    with ts.share("view", np.zeros((9, 9), np.uint8)):
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert f" needs {library}, which is not installed: pip install 'typedshm[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="click asks the console there")
@pytest.mark.parametrize("arguments", [["ls"], ["show", "car"], ["watch", "car"], ["layout", "car", "--json"]])
def test_a_command_whose_output_was_closed_from_the_start_tells_by_its_status(arguments: list[str]) -> None:
    program = "import sys; sys.stdout = None; from typedshm.__main__ import main; sys.exit(main())"
    with ts.share("car", np.zeros(3)):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if arguments[0] == "watch" else 0)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is there on Linux")
@pytest.mark.parametrize(("arguments", "status"), [(["show", "nobody"], 3), (["show"], 2), (["nonsense"], 2)])
def test_messages_that_find_no_room_change_no_status(arguments: list[str], status: int) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "typedshm", *arguments]
        assert subprocess.run(command, stdout=subprocess.PIPE, stderr=full, check=False).returncode == status


@pytest.mark.parametrize("name", ["", "x" * 300, "\udcff"])
@pytest.mark.parametrize("command", ["show", "echo", "wait", "lock", "rm", "save"])
def test_a_name_that_no_region_can_have_is_wrong_usage(command: str, name: str) -> None:
    assert run_here(command, name).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["hz", "car", "--interval"],
        ["echo", "car", "--timeout"],
        ["wait", "car", "--timeout"],
        ["set", "car", "x=1", "--timeout"],
    ],
)
def test_no_option_takes_nan_for_a_number_of_seconds(arguments: list[str]) -> None:
    done = run_here(*arguments, "nan")
    assert done.returncode == 2
    assert "'nan' is no number of seconds" in done.stderr


@pytest.mark.parametrize("name", ["\x1b[2Jcar", "car\x9b31m", "ca\u202er", "car\r\nls", "\udcff"])
def test_names_that_control_terminals_are_written_out(name: str) -> None:
    assert printable(name).isprintable()
    done = typedshm("hz", name)
    assert done.returncode != 0
    assert all(letter.isprintable() or letter == "\n" for letter in done.stderr)


def test_printable_text_stays_as_it_is() -> None:
    assert printable("Zürich 速度 🚗") == "Zürich 速度 🚗"
    assert printable("a\tb\x1b") == "a\\tb\\x1b"
