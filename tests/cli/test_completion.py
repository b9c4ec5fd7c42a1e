"""``typedshm completion``: the scripts, in the shells they are for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm as ts
from helpers.terminal import PATIENCE, typedshm

HERE = Path(sys.executable).parent
PATH = f"{HERE}{os.pathsep}{os.environ['PATH']}"
SHELLS = ("bash", "zsh", "fish")

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows: it has none of these shells"),
    pytest.mark.skipif(shutil.which("typedshm", path=str(HERE)) is None, reason="no program typedshm beside Python"),
]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"no {name} on this machine")
    return name


_ASK = {
    "bash": """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _typedshm_completion typedshm 2>/dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "fish": """
        source $argv[1]
        complete --do-complete (string join ' ' -- $argv[2..])
    """,
    # its completion works in an interactive shell only; what would be offered is shown instead
    "zsh": """
        compdef() { }; compadd() { shift 4; print -rl -- ${(P)1} }; _path_files() { print files }
        _describe() { print -rl -- ${${(P)3}%%:*} }
        file=$1; shift
        source $file
        words=("$@"); CURRENT=$#
        _typedshm_completion
    """,
}


def offered(shell: str, folder: Path, *words: str) -> "list[str]":
    """What a shell offers for the last of the words, which may be empty."""
    script = folder / shell
    script.write_text(typedshm("completion", shell).stdout)
    start = {"bash": ["bash", "--norc", "-c", _ASK[shell], "-"], "zsh": ["zsh", "-f", "-c", _ASK[shell], "-"]}
    command = start.get(shell, ["fish", "--no-config", "-c", _ASK[shell]])
    done = subprocess.run(
        [*command, str(script), "typedshm", *words],
        env={**os.environ, "PATH": PATH, "HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


def test_commands_are_completed(shell: str, tmp_path: Path) -> None:
    assert offered(shell, tmp_path, "do") == ["doctor"]
    assert set(offered(shell, tmp_path, "")) >= {"hz", "cp", "save", "restore", "doctor", "completion"}
    assert sorted(offered(shell, tmp_path, "completion", "")) == sorted(SHELLS)


def test_options_are_completed(shell: str, tmp_path: Path) -> None:
    assert offered(shell, tmp_path, "cp", "--fo") == ["--force"]
    assert sorted(offered(shell, tmp_path, "cp", "--scope", "")) == ["machine", "user"]


def test_names_of_regions_are_completed(shell: str, tmp_path: Path) -> None:
    with ts.share("car.left", np.zeros(3)), ts.share("car.right", np.zeros(3)), ts.share("lut", np.zeros(3)):
        assert offered(shell, tmp_path, "hz", "car") == ["car.left", "car.right"]
        assert offered(shell, tmp_path, "cp", "lut", "lu") == ["lut"]
        assert offered(shell, tmp_path, "hz", "--scope", "machine", "car") == []


def test_keys_of_rows_are_completed(shell: str, tmp_path: Path) -> None:
    rows = ts.rows(ts.array(np.float32, 1), keys=["left", "lower", "x y", "right"])
    with ts.create("arms", rows), ts.create("replay", ts.rows(ts.array(np.float32, 1), 10)):
        assert offered(shell, tmp_path, "show", "arms", "l") == ["left", "lower"]
        assert offered(shell, tmp_path, "show", "arms", "left", "") == ["left", "lower", "right"]
        assert offered(shell, tmp_path, "set", "arms", "r") == ["right"]
        assert offered(shell, tmp_path, "lock", "replay", "") == []
        assert offered(shell, tmp_path, "wait", "nobody", "") == []


def test_topics_of_recordings_are_completed(shell: str, tmp_path: Path) -> None:
    for library in ("mcap", "lz4", "zstandard"):
        pytest.importorskip(library, reason="recordings need the extra 'record'")
    from typedshm import recording

    with ts.share("pose.left", np.zeros(3)) as left, ts.share("lut", np.zeros(3)) as lut:
        recording.record([left, lut], tmp_path / "run.mcap").close()
    assert offered(shell, tmp_path, "cat", "run.mcap", "po") == ["pose.left"]
    assert offered(shell, tmp_path, "convert", "run.mcap", "x.npz", "") == ["lut", "pose.left"]
    assert offered(shell, tmp_path, "cat", "no.mcap", "") == []


def test_names_that_a_shell_would_take_apart_are_not_offered(shell: str, tmp_path: Path) -> None:
    hostile = ["x$(touch made)", "x`touch made`", "x;touch made", "x y", "x\x1b[31m", "x*", "-x", "x'"]
    regions = [ts.share(name, np.zeros(3)) for name in [*hostile, "x_größe"]]
    found = offered(shell, tmp_path, "hz", "")
    for region in regions:
        region.close()
    assert found == ["x_größe"]
    assert not (tmp_path / "made").exists()


def test_files_are_left_to_the_shell(tmp_path: Path) -> None:
    (tmp_path / "car.region").touch()
    if shutil.which("fish"):
        assert offered("fish", tmp_path, "hz", "./ca") == ["./car.region"]
    if shutil.which("zsh"):
        assert offered("zsh", tmp_path, "hz", "./ca") == ["files"]
    assert offered("bash", tmp_path, "hz", "./ca") == []  # and readline's own completion goes on


@pytest.mark.parametrize("interactive", ["bash", "zsh"])
def test_the_tabulator_completes_in_an_interactive_shell(interactive: str, tmp_path: Path) -> None:
    import pexpect  # not on Windows

    if shutil.which(interactive) is None:
        pytest.skip(f"no {interactive} on this machine")
    (tmp_path / "script").write_text(typedshm("completion", interactive).stdout)
    (tmp_path / "car.region").touch()
    options = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"]}[interactive]
    environment: Any = {**os.environ, "PATH": PATH, "HOME": str(tmp_path), "TERM": "dumb", "PS1": "> "}
    with ts.share("camera.left", np.zeros(3)):
        process = pexpect.spawn(
            interactive, [*options, "-i"], env=environment, cwd=str(tmp_path), timeout=PATIENCE, encoding="utf-8"
        )
        try:
            if interactive == "zsh":
                process.sendline("autoload -U compinit; compinit -u -D")
            process.sendline("source ./script; echo rea''dy")
            process.expect("ready")
            process.send("echo typed; typedshm rest\t")
            process.expect("restore ")
            process.send("./ca\t")
            process.expect("r.region")
            process.send("\x15typedshm hz cam\t")  # Ctrl-U: the line anew
            process.expect("era.left")
        finally:
            process.close(force=True)


def test_an_unknown_shell_is_wrong_usage() -> None:
    done = typedshm("completion", "tcsh")
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr


def test_the_help_says_where_the_script_goes() -> None:
    text = typedshm("completion", "--help").stdout
    assert "typedshm completion fish > ~/.config/fish/completions/typedshm.fish" in text
    assert "~/.zshrc" in text
    assert "~/.bashrc" in text
