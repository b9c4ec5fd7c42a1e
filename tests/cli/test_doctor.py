"""``typedshm doctor``: each of its findings, provoked for real where a test can do that, otherwise by what it reads."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import typedshm as ts
from helpers import marks
from helpers.peers import Child, run_script
from helpers.seccomp import FUTEX_WAITV, run_without
from helpers.terminal import PATIENCE, Terminal, typedshm
from typedshm.cli.commands import doctor
from typedshm.cli.findings import (
    huge_pages,
    lacks,
    leftovers,
    limits,
    logout,
    room,
    surroundings,
    versions,
    windows,
)
from typedshm.cli.findings.finding import Finding, Level

Found: TypeAlias = "list[dict[str, str]]"

linux = pytest.mark.skipif(sys.platform != "linux", reason="what Linux has of its own")


def parsed(done: "subprocess.CompletedProcess[str]") -> Found:
    """The findings of a run; its status agrees with them."""
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert done.returncode == (document["worst"] in ("warning", "problem"))
    found: Found = document["findings"]
    return found


def examined(**env: str) -> Found:
    return parsed(typedshm("doctor", "--json", env=env))


def about(kind: str, found: Found, level: "str | None" = None) -> "dict[str, str]":
    """The only finding of that kind, and level."""
    (one,) = (each for each in found if each["kind"] == kind and level in (None, each["level"]))
    return one


def by_level(found: Iterable[Finding]) -> "list[Level]":
    return [each.level for each in found]


# ---- the command ---------------------------------------------------------------------------------------------------


def test_every_finding_says_what_and_why_and_what_to_do() -> None:
    found = examined(TYPEDSHM_DEBUG="1")
    assert {each["level"] for each in found} <= {"ok", "note", "warning", "problem"}
    for each in found:
        assert each.keys() == {"level", "kind", "what", "why", "do"}
        assert each["what"]
        assert each["level"] == "ok" or each["why"]
        assert each["level"] in ("ok", "note") or each["do"]


def test_the_last_line_is_a_summary() -> None:
    done = typedshm("doctor", env={"TYPEDSHM_DEBUG": "1"})
    assert done.returncode == 1
    assert re.search(r"\d warnings?, ", done.stdout.splitlines()[-1])
    assert "\x1b" not in done.stdout
    assert any(line.startswith("warning  debugging: TYPEDSHM_DEBUG is '1'") for line in done.stdout.splitlines())


def test_what_cannot_be_looked_at_does_not_hide_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: Any) -> Any:
        raise ts.RegionRefused(13, "/dev/shm cannot be listed")

    monkeypatch.setattr(ts, "entries", fail)
    first, second, *others = doctor.examine()
    assert (first.level, first.kind, first.what) == (Level.NOTE, "regions", "could not be looked at")
    assert first.why == "/dev/shm cannot be listed."
    assert second.kind == "versions"
    assert not [finding for finding in others if finding.kind == "leftovers"], "nobody knows whether there are any"


def test_a_summary_counts_from_the_worst() -> None:
    levels = [Level.OK, Level.NOTE, Level.PROBLEM, Level.NOTE, Level.WARNING]
    assert doctor.summary([Finding(level, "x", "y") for level in levels]) == "1 problem, 1 warning, 2 notes"
    assert doctor.summary([Finding(Level.OK, "x", "y")]) == "all is well"


@marks.signals
def test_a_narrow_terminal_cuts_nothing() -> None:
    with Terminal(
        "doctor", columns=40, lines=200, env={"TYPEDSHM_DEBUG": "1", "PYTHONIOENCODING": "ascii"}
    ) as terminal:
        shown = terminal.until(lambda text: "warning" in text.splitlines()[-1] if text else False)
        terminal.end()
    assert "unset TYPEDSHM_DEBUG" in shown
    assert "-> unset" in shown
    assert "\\u" not in shown
    assert all(len(line) <= 40 for line in shown.splitlines())
    assert b"\x1b[33;1mwarning" in terminal.output


# ---- leftovers -----------------------------------------------------------------------------------------------------


def leave(pipe: Any, name: str) -> None:
    region = ts.share(name, np.zeros(1000))
    mutex = ts.NamedMutex(name)
    pipe.send("open")
    pipe.recv()
    region.close()
    mutex.close()


@marks.left_behind
def test_what_killed_processes_left_behind_is_a_warning_and_stays() -> None:
    with Child(leave, "a\x1b[31mb\u202e") as child:
        child.expect("open")
        assert not ours(examined())
        child.kill()
    (left,) = ours(examined())
    assert left["what"].startswith("1 region and 1 mutex ('a\\x1b[31mb\\u202e', 'a\\x1b[31mb\\u202e'; ")
    assert "typedshm.regions()" in left["do"]
    assert ours(examined()) == [left]  # a look removes nothing
    shown = typedshm("doctor").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    run_script(left["do"].removeprefix('python -c "').partition('"')[0])  # the remedy
    assert not ours(examined())


def ours(found: Found) -> Found:
    """What is said of this test's own leftovers; there may be some of other tests."""
    return [each for each in found if each["kind"] == "leftovers" and each["level"] == "warning"]


def entry(**values: Any) -> "ts.Entry":
    known = {"kind": "region", "name": "x", "scope": "user", "path": "/dev/shm/x", "in_use": True, "is_ours": True}
    return ts.Entry(**(known | values))


def test_leftovers_of_other_namespaces_and_users_are_notes() -> None:
    tests = entry(in_use=False, path="/dev/shm/typedshm-u1-region-t+x", namespace="t", size=2048)
    other = entry(in_use=False, path="/dev/shm/typedshm-u7-region-x", is_ours=False, user="7", size=4096)
    one, two = leftovers.check_leftovers([tests, other], "")
    assert (one.level, two.level) == (Level.NOTE, Level.NOTE)
    assert one.remedy == "rm /dev/shm/typedshm-u1-region-t+x"
    assert "of other users (7)" in two.what


# ---- room ----------------------------------------------------------------------------------------------------------


def in_mounts(setup: str, command: str = "-m typedshm doctor --json") -> "subprocess.CompletedProcess[str]":
    """Run a command with mounts of its own."""
    script = f'{setup}\nexec "$0" {command}'
    return subprocess.run(
        ["unshare", "-m", "sh", "-ec", script, sys.executable],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def with_memory(setup: str) -> "dict[str, str]":
    found = parsed(in_mounts(setup))
    worst = max(("ok", "note", "warning", "problem").index(each["level"]) for each in found if each["kind"] == "memory")
    return about("memory", found, ("ok", "note", "warning", "problem")[worst])


@linux
@marks.root
def test_a_small_dev_shm_as_containers_have_it() -> None:
    found = with_memory("mount -t tmpfs -o size=64m tmpfs /dev/shm")
    assert found["level"] == "warning"
    assert found["what"] == "/dev/shm has 64.0 MiB free of 64.0 MiB"
    assert "--shm-size" in found["do"]


@linux
@marks.root
def test_a_large_dev_shm() -> None:
    assert with_memory("mount -t tmpfs -o size=1g tmpfs /dev/shm")["level"] == "ok"


_FILL = """
import numpy, subprocess, sys, typedshm
with typedshm.share("big", numpy.zeros(20_000_000)), typedshm.share("small", numpy.zeros(1000)):
    sys.exit(subprocess.run([sys.executable, "-m", "typedshm", "doctor", "--json"]).returncode)
"""


@linux
@marks.root
def test_a_dev_shm_that_is_nearly_full_and_by_whose_regions(tmp_path: Path) -> None:
    (tmp_path / "fill.py").write_text(_FILL)
    mount = "mount -t tmpfs -o size=500m tmpfs /dev/shm; head -c 1000000 /dev/zero > /dev/shm/mine"
    found = about("memory", parsed(in_mounts(mount, str(tmp_path / "fill.py"))))
    assert found["level"] == "warning"
    assert "nearly full" in found["what"]
    assert "region 'big' of root 458 MiB, file mine 980 KiB, region 'small' of root" in found["why"]


@linux
@marks.root
def test_a_full_dev_shm_is_a_problem() -> None:
    mount = "mount -t tmpfs -o size=100m tmpfs /dev/shm; head -c 104000000 /dev/zero > /dev/shm/mine"
    assert with_memory(mount)["level"] == "problem"


@linux
@marks.root
def test_a_dev_shm_without_more_files() -> None:
    found = with_memory("mount -t tmpfs -o size=1g,nr_inodes=1 tmpfs /dev/shm")
    assert found["level"] == "problem"
    assert "no more files" in found["what"]


@linux
@marks.root
def test_a_missing_dev_shm() -> None:
    found = with_memory("mount -t tmpfs tmpfs /dev")
    assert found["level"] == "problem"
    assert found["what"] == "/dev/shm is missing"


@linux
@marks.root
def test_a_dev_shm_that_is_read_only() -> None:
    found = with_memory("mount -t tmpfs -o ro tmpfs /dev/shm")
    assert found["level"] == "problem"
    assert found["what"].startswith("/dev/shm cannot be written to")


@linux
@marks.root
def test_a_dev_shm_that_is_on_a_disk(tmp_path: Path) -> None:
    if room.kind_of(str(tmp_path)) == "tmpfs":
        pytest.skip("the folder for temporary files is in memory")
    found = with_memory(f"mount --bind '{tmp_path}' /dev/shm")
    assert "not in memory" in found["what"]


@linux
@marks.root
def test_a_dev_shm_in_which_everybody_may_remove_everything() -> None:
    found = with_memory("mount -t tmpfs -o size=1g,mode=777 tmpfs /dev/shm")
    assert found["level"] == "warning"
    assert found["do"] == "chmod +t /dev/shm"


def test_the_last_of_several_mounts_is_the_one_that_is_seen() -> None:
    mounts = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /dev/shm tmpfs rw,size=64k 0 0
none /dev/shm\\040two ext4 rw 0 0
shm /dev/shm tmpfs rw,huge=advise 0 0
"""
    assert room.mount_of("/dev/shm", mounts) == ("tmpfs", ("rw", "huge=advise"))
    assert room.mount_of("/dev/shm two", mounts) == ("ext4", ("rw",))
    assert room.mount_of("/home", mounts) == ("ext4", ("rw",))
    assert room.mount_of("/home", "") == ("", ())


def test_a_folder_without_a_limit() -> None:
    (found,) = room.check_room(room.Room("/dev/shm", kind="tmpfs"), [], [])
    assert (found.level, found.what) == (Level.OK, "/dev/shm has room as long as there is memory")


def test_a_folder_on_a_system_that_does_not_tell_its_kind() -> None:
    found = list(room.check_room(room.Room("/var", size=1 << 40, free=1 << 39), [], []))
    assert [each.what for each in found] == ["/var has 512 GiB free of 1.0 TiB"]


# ---- limits --------------------------------------------------------------------------------------------------------

_LIMITED = """
import resource
from typedshm.cli.program import run
run(["doctor", "--json"])
print("----", flush=True)
resource.setrlimit(resource.RLIMIT_{name}, ({soft}, {hard}))
raise SystemExit(run(["doctor", "--json"]))
"""


@marks.full_device
@pytest.mark.parametrize(
    ("name", "soft", "level", "words"),
    [
        ("NOFILE", 100, "warning", "may have 100 files open"),
        ("FSIZE", 1 << 20, "warning", "no file larger than 1.0 MiB"),
        ("FSIZE", 1 << 40, "note", "no file larger than 1.0 TiB"),
        ("AS", 3 << 30, "warning", "3.0 GiB of addresses"),
        ("AS", 1 << 40, "note", "1.0 TiB of addresses"),
    ],
)
def test_low_limits_of_a_process(name: str, soft: int, level: str, words: str) -> None:
    done = run_script(_LIMITED.format(name=name, soft=soft, hard=soft))
    assert done.stderr == ""
    findings: Found = json.loads(done.stdout.partition("----")[2])["findings"]
    (found,) = (each for each in findings if each["kind"] == "limits" and words in each["what"])
    assert found["level"] == level
    assert "as root: " in found["do"]


@marks.full_device
def test_the_limit_of_locked_memory_is_a_note_for_those_who_have_one() -> None:
    few: limits.Limits = {"MEMLOCK": (65536, 65536)}
    (found,) = limits.check_limits(few, may_lock=False)
    assert found.level is Level.NOTE
    assert "lock 64.0 KiB" in found.what
    assert by_level(limits.check_limits(few, may_lock=True)) == [Level.OK]
    assert limits.capabilities("Name: x\nCapEff:\t0000000000004000\n") == 1 << 14
    assert limits.capabilities("") == 0


def test_limits_that_anybody_may_raise_are_raised_without_root() -> None:
    (found,) = limits.check_limits({"NOFILE": (256, 1 << 20)}, may_lock=True)
    assert found.remedy.startswith("ulimit -n 4096; for good, as root")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("1186\t0\t2466174\n", []),
        ("850000 0 1000000", [Level.WARNING]),
        ("999000\t0\t1000000", [Level.PROBLEM]),
        ("999000\t900000\t1000000", []),
        ("", []),
        ("nonsense", []),
    ],
)
def test_the_systems_table_of_files(text: str, levels: "list[Level]") -> None:
    assert by_level(limits.check_file_table(text)) == levels


def test_little_memory_of_a_control_group_is_a_note() -> None:
    assert by_level(limits.check_group(256 << 20)) == [Level.NOTE]
    assert by_level(limits.check_group(64 << 30)) == []
    assert by_level(limits.check_group(None)) == []


# ---- logout --------------------------------------------------------------------------------------------------------

_AS_A_USER = """
import os, sys
from typedshm.cli.program import run
run(["doctor", "--json"])  # which imports everything
print("----", flush=True)
os.seteuid({user})
raise SystemExit(run(["doctor", "--json"]))
"""


def after_logout(tmp_path: Path, configuration: str, user: int, *, lingers: bool = False) -> "dict[str, str]":
    """What the doctor says of a logout, on a system that systemd has started with this configuration."""
    (tmp_path / "user.py").write_text(_AS_A_USER.format(user=user))
    tmp_path.chmod(0o755)
    (tmp_path / "system").mkdir()
    (tmp_path / "etc/logind.conf.d").mkdir(parents=True)
    (tmp_path / "etc/logind.conf").write_text("[Login]\n#RemoveIPC=yes\n")
    (tmp_path / "etc/logind.conf.d/50-local.conf").write_text(configuration)
    (tmp_path / "linger").mkdir()
    if lingers:
        (tmp_path / "linger" / str(user)).touch()
    setup = f"""
        mkdir -p /run/systemd /etc/systemd /var/lib/systemd/linger
        mount --bind '{tmp_path}' /run/systemd
        mount --bind '{tmp_path}/etc' /etc/systemd
        mount --bind '{tmp_path}/linger' /var/lib/systemd/linger
    """
    done = in_mounts(setup, str(tmp_path / "user.py"))
    assert done.stderr == ""
    return about("logout", json.loads(done.stdout.partition("----")[2])["findings"])


@linux
@marks.root
@pytest.mark.parametrize(
    ("configuration", "user", "lingers", "level"),
    [
        ("", 61234, False, "warning"),
        ("[Login]\nRemoveIPC=no\n", 61234, False, "ok"),
        ("", 61234, True, "ok"),
        ("", 61, False, "ok"),
    ],
)
def test_a_logout_removes_regions_of_users(
    tmp_path: Path, configuration: str, user: int, lingers: bool, level: str
) -> None:
    found = after_logout(tmp_path, configuration, user, lingers=lingers)
    assert found["level"] == level
    if level == "warning":
        assert "systemd removes the regions of 61234" in found["what"]
        assert "loginctl enable-linger 61234" in found["do"]


@pytest.mark.parametrize(
    ("texts", "removes"),
    [
        ([], True),
        (["[Login]\n#RemoveIPC=yes\n"], True),
        (["[Login]\n#RemoveIPC=no\n"], False),  # what the system was built with
        (["[Login]\n#RemoveIPC=no\nRemoveIPC = TRUE\n"], True),
        (["[Login]\nRemoveIPC=yes\n", "[Login]\nRemoveIPC=off\n"], False),
        (["[Login]\nRemoveIPC=no\n", "[Login]\nRemoveIPC=1\n"], True),
        (["[Login]\nRemoveIPC=no\n[Other]\nRemoveIPC=yes\n"], False),
        (["RemoveIPC=no\n"], True),
        (["[Login]\nRemoveIPC=perhaps\n"], True),
    ],
)
def test_settings_of_logind(texts: "list[str]", removes: bool) -> None:
    assert logout.removes(texts) is removes


def test_settings_take_precedence_by_folder_and_name(tmp_path: Path) -> None:
    for file in (
        *("etc/logind.conf.d/20-b.conf", "usr/logind.conf", "usr/logind.conf.d/20-b.conf"),
        *("usr/logind.conf.d/10-a.conf", "usr/logind.conf.d/90-c.conf", "etc/logind.conf.d/ignored.txt"),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = logout.configuration([str(tmp_path / "etc"), str(tmp_path / "run"), str(tmp_path / "usr")])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        *("usr/logind.conf", "usr/logind.conf.d/10-a.conf", "etc/logind.conf.d/20-b.conf"),
        "usr/logind.conf.d/90-c.conf",
    ]


def test_without_systemd_nothing_is_said_of_logouts() -> None:
    assert list(logout.check_logout([], has_systemd=False, user="ada", is_system=False, lingers=False)) == []


def test_the_numbers_of_system_users_are_those_of_the_machine() -> None:
    assert logout.system_users("# SYS_UID_MAX 100\nUID_MIN 1000\nSYS_UID_MAX\t\t499\n") == 499
    assert logout.system_users("#SYS_UID_MAX 100\n") == 999


# ---- huge pages ----------------------------------------------------------------------------------------------------


@linux
@marks.root
@pytest.mark.parametrize(("huge", "level"), [("advise", "ok"), ("never", "note")])
def test_huge_pages_of_a_mount(huge: str, level: str) -> None:
    done = in_mounts(f"mount -t tmpfs -o huge={huge} tmpfs /dev/shm")
    if "mount:" in done.stderr:
        pytest.skip("this kernel has no huge pages")
    found = about("huge pages", parsed(done))
    assert found["level"] == level
    assert ("remount,huge=advise" in found["do"]) == (level == "note")


_NEVER = "always within_size advise [never] deny force\n"


@pytest.mark.parametrize(
    ("enabled", "options", "level", "words"),
    [
        (_NEVER, ("rw",), Level.NOTE, "mounted with huge=never"),
        (_NEVER, ("rw", "huge=always"), Level.OK, "huge=always"),
        ("always within_size advise never [deny] force", ("huge=advise",), Level.NOTE, "no huge pages"),
        ("always within_size advise never deny [force]", (), Level.OK, "all shared memory"),
        ("", (), Level.NOTE, "this kernel has no"),
    ],
)
def test_settings_of_huge_pages(enabled: str, options: "tuple[str, ...]", level: Level, words: str) -> None:
    (found,) = huge_pages.check_transparent(enabled, "/dev/shm", options)
    assert found.level is level
    assert words in found.what


@pytest.mark.parametrize(
    ("total", "free", "levels"), [(0, 0, []), (8, 3, [Level.OK]), (8, 0, [Level.NOTE])], ids=["none", "some", "no more"]
)
def test_pages_that_are_set_aside(total: int, free: int, levels: "list[Level]") -> None:
    meminfo = f"MemTotal: 1 kB\nHugePages_Total:  {total}\nHugePages_Free: {free}\nHugepagesize:    2048 kB\n"
    mounts = "tmpfs /dev/shm tmpfs rw 0 0\nhugetlbfs /dev/hugepages hugetlbfs rw 0 0\n"
    found = list(huge_pages.check_reserved(meminfo, mounts))
    assert by_level(found) == levels
    assert all(f"/dev/hugepages has {free} of 8 pages of 2.0 MiB free" in each.what for each in found)
    assert list(huge_pages.check_reserved(meminfo, "")) == []


def test_large_pages_of_windows() -> None:
    (found,) = huge_pages.check_large("")
    assert found.level is Level.OK
    (found,) = huge_pages.check_large("region 'x' gets no huge pages: this process may not. An administrator helps")
    assert (found.level, found.what) == (Level.NOTE, "regions get no huge pages: this process may not")
    assert found.remedy == "An administrator helps"


# ---- surroundings --------------------------------------------------------------------------------------------------


def test_a_namespace_of_names_is_a_note(namespace: str) -> None:
    found = about("namespace", examined())
    assert found["level"] == "note"
    assert found["what"].startswith(f"TYPEDSHM_NAMESPACE is '{namespace}'")


def test_regions_of_other_namespaces_are_counted() -> None:
    entries = [entry(namespace="a"), entry(namespace="b"), entry(namespace="b", in_use=False), entry()]
    (found,) = surroundings.check_namespaces("", entries)
    assert found.what == "2 regions and mutexes out of sight, in 2 other namespaces ('a', 'b')"
    (found,) = surroundings.check_namespaces("b", entries)
    assert found.what == "TYPEDSHM_NAMESPACE is 'b', with 2 regions and mutexes out of sight"
    assert list(surroundings.check_namespaces("", [entry()])) == []


@pytest.mark.parametrize("value", ["", "0"])
def test_debugging_is_a_warning_only_where_it_is_on(value: str) -> None:
    assert not [each for each in examined(TYPEDSHM_DEBUG=value) if each["kind"] == "debugging"]


@linux
@marks.root
def test_a_pid_namespace_of_its_own_is_a_note() -> None:
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-m", "typedshm", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    found = about("container", parsed(done))
    assert found["level"] == "note"
    assert "of its own" in found["what"]


def test_containers_are_notes() -> None:
    (found,) = surroundings.check_container("Docker", "pid:[4026532000]")
    assert found.what == "this is a container (Docker), with process ids of its own"
    assert list(surroundings.check_container("", "pid:[4026531836]")) == []
    assert list(surroundings.check_container("", "")) == []


@pytest.mark.parametrize(
    ("group", "environment", "kind"),
    [
        ("0::/\n", "PATH=/bin\0HOME=/\0", ""),
        ("", "container=lxc\0PATH=/bin\0", "lxc"),
        ("", "PATH=/bin\0container=systemd-nspawn\0", "systemd-nspawn"),
        ("12:pids:/kubepods/besteffort/pod1\n", "", "kubepods"),
        ("0::/system.slice/docker-1234.scope", "", "docker"),
    ],
)
def test_kinds_of_containers(group: str, environment: str, kind: str) -> None:
    assert surroundings.container_in(group, environment) == kind


def test_process_ids_that_mean_nothing_here_are_a_note() -> None:
    entries = [entry(name="far", writers=(4711,)), entry(name="near", readers=(os.getpid(),))]
    (found,) = surroundings.check_pids(entries, lambda pid: pid == os.getpid())
    assert found.what == "1 region ('far') name processes that are not seen from here"


@linux
def test_living_processes_mean_something() -> None:
    with ts.share("x", np.zeros(3)):
        assert not [each for each in examined() if "not seen from here" in each["what"]]


# ---- versions ------------------------------------------------------------------------------------------------------


def test_versions_are_listed() -> None:
    found = about("versions", examined())
    assert found["level"] == "ok"
    assert f"typedshm {ts.__version__}, Python {sys.version.split()[0]}" in found["what"]
    assert f"NumPy {np.__version__}" in found["what"]


@pytest.mark.parametrize(
    ("python", "numpy", "release", "problems"),
    [
        ("3.11.0", "1.24.0", "6.1.0", []),
        ("3.15.0b1", "2.4.6", "5.4.0-generic", []),
        ("3.10.9", "2.0.0", "", ["Python 3.10.9 is too old"]),
        ("3.11.2", "1.23.5", "", ["NumPy 1.23.5 is too old"]),
        ("3.12.0", "2.0", "3.10.0-1160.el7", ["Linux 3.10.0-1160.el7 is too old"]),
    ],
)
def test_versions_that_are_too_old_are_problems(python: str, numpy: str, release: str, problems: "list[str]") -> None:
    first, *others = versions.check_versions("0.1", python=python, numpy=numpy, system="Linux", release=release)
    assert first.level is Level.OK
    assert [each.what for each in others] == problems
    assert by_level(others) == [Level.PROBLEM] * len(problems)


def test_the_name_of_a_distribution() -> None:
    assert versions.distribution('NAME="x"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n') == (
        "Debian GNU/Linux 12 (bookworm)"
    )
    assert versions.distribution("") == "Linux"


# ---- lacks ---------------------------------------------------------------------------------------------------------


@linux
def test_a_forbidden_futex_waitv_is_a_note() -> None:
    script = "from typedshm.cli.program import run\nrun(['doctor', '--json'])"
    done = run_without(FUTEX_WAITV, "EPERM", script)
    assert done.stderr == ""
    found = [each for each in json.loads(done.stdout)["findings"] if each["kind"] == "fall-backs"]
    (one,) = (each for each in found if "sleeping on several regions at once" in each["what"])
    assert one["level"] == "note"
    assert "every 2 ms" in one["why"]
    assert "Linux 5.16 or newer" in one["do"]


def test_what_no_system_of_a_kind_has_needs_no_remedy() -> None:
    (found,) = lacks.check_fallbacks(
        [ts.Fallback("mapping all pages of a region in one call", "macOS has no such call", "e")]
    )
    assert (found.level, found.remedy) == (Level.NOTE, "")


def test_waiting_that_polls_everywhere_is_a_warning() -> None:
    slow = ts.Fallback("sleeping until another process writes", "macOS has … since 14.4", "wait() looks every 2 ms")
    (found,) = lacks.check_fallbacks([slow])
    assert (found.level, found.remedy) == (Level.WARNING, "macOS 14.4 or newer")
    assert found.why == "Wait() looks every 2 ms."


@linux
@marks.root
def test_regions_that_may_only_be_read_have_to_be_polled(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(_AS_A_USER.format(user=61234))
    with ts.share("public", np.zeros(3), scope="machine"), ts.share("private", np.zeros(3)):
        done = run_script((tmp_path / "user.py").read_text())
    assert done.stderr == ""
    found = [
        each for each in json.loads(done.stdout.partition("----")[2])["findings"] if "only be read" in each["what"]
    ]
    assert [each["what"] for each in found] == ["1 region can only be read by this user ('public')"]
    assert "mode=0o666" in found[0]["do"]


# ---- Windows -------------------------------------------------------------------------------------------------------


def test_sessions_of_windows() -> None:
    service, user = windows.check_session(0, may_make_global=True), windows.check_session(1, may_make_global=False)
    assert [each.what for each in service] == ["this process runs in session 0, that of services"]
    assert by_level(user) == [Level.OK, Level.NOTE]


def test_memory_of_windows_that_is_nearly_used_up() -> None:
    assert by_level(windows.check_commit(100 << 20, 16 << 30)) == [Level.WARNING]
    assert by_level(windows.check_commit(8 << 30, 16 << 30)) == []
    assert by_level(windows.check_commit(0, 0)) == []


def test_wine_is_a_note() -> None:
    assert by_level(windows.check_wine("8.0")) == [Level.NOTE]
    assert by_level(windows.check_wine("")) == []


@pytest.mark.skipif(sys.platform != "win32", reason="what Windows has of its own")
def test_windows_is_looked_at() -> None:
    assert "session" in about("Windows", examined(), "ok")["what"]
