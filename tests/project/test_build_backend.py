"""Which compiler builds the core, and what the build backend makes of it. The builds themselves: tests/platform."""

import importlib
import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BACKEND = Path(__file__).parents[2] / "src" / "build_backend"


class Builder(types.ModuleType):
    """What scikit-build-core is to the backend: it notes how it was called instead of building."""

    def __init__(self) -> None:
        super().__init__("scikit_build_core.build")
        self.settings: dict[str, Any] = {}
        self.environment: dict[str, str] = {}
        self.toolchain = ""

    def _note(self, settings: dict[str, Any] | None) -> None:
        self.settings, self.environment = dict(settings or {}), dict(os.environ)
        if file := os.environ.get("CMAKE_TOOLCHAIN_FILE"):
            self.toolchain = Path(file).read_text(encoding="utf-8")

    def get_requires_for_build_wheel(self, settings: dict[str, Any] | None) -> list[str]:
        self._note(settings)
        return ["cmake"]

    def build_wheel(self, directory: str, settings: dict[str, Any] | None, metadata: str | None) -> str:
        self._note(settings)
        return "typedshm.whl"

    def prepare_metadata_for_build_wheel(self, directory: str, settings: dict[str, Any] | None) -> str:
        self._note(settings)
        return "typedshm.dist-info"


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Builder]:
    """A machine with CPython's headers and zig, and without a compiler."""
    builder, package = Builder(), types.ModuleType("scikit_build_core")
    package.build = builder  # type: ignore[attr-defined]
    ziglang = types.ModuleType("ziglang")
    ziglang.__file__ = "/zig/__init__.py"
    monkeypatch.syspath_prepend(BACKEND)
    for module in (package, builder, ziglang):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("CC", "CMAKE_GENERATOR", "CMAKE_TOOLCHAIN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    zig, backend = (importlib.import_module(name) for name in ("typedshm_zig", "typedshm_backend"))
    monkeypatch.setattr(zig.sys, "platform", "linux")
    monkeypatch.setattr(zig.sysconfig, "get_platform", lambda: "linux-x86_64")
    config = {"CC": "gcc -pthread", "SOABI": "cpython-311-x86_64-linux-gnu"}
    monkeypatch.setattr(zig.sysconfig, "get_config_var", config.get)
    monkeypatch.setattr(zig.shutil, "which", lambda name: None)
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(backend.sysconfig, "get_path", lambda name: str(tmp_path))
    yield builder
    for name in ("typedshm_zig", "typedshm_backend"):
        sys.modules.pop(name, None)


@pytest.fixture
def zig(builder: Builder) -> Any:
    return sys.modules["typedshm_zig"]


@pytest.fixture
def backend(builder: Builder) -> Any:
    return sys.modules["typedshm_backend"]


@pytest.fixture
def installed(zig: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put compilers on the machine."""
    return lambda *names: monkeypatch.setattr(zig.shutil, "which", lambda name: name if name in names else None)


def test_a_compiler_that_is_there_is_used(zig: Any, installed: Callable[..., None]) -> None:
    installed("cc", "gcc")
    assert zig.compiler() == "gcc", "the one Python was built with comes first"
    installed("clang")
    assert zig.compiler() == "clang"


def test_cc_decides(zig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "ccache tcc")
    assert zig.compiler() == "ccache tcc"
    monkeypatch.setattr(zig.sys, "platform", "win32")
    assert zig.compiler() == "ccache tcc"
    monkeypatch.setenv("CC", "zig")
    assert zig.compiler() is None


def test_windows_has_zig_whatever_else_is_there(
    zig: Any, installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("gcc", "clang")
    monkeypatch.setattr(zig.sys, "platform", "win32")
    assert zig.compiler() is None


def test_a_mac_has_a_compiler_if_it_has_the_developer_tools(
    zig: Any, installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("cc")
    monkeypatch.setattr(zig.sys, "platform", "darwin")
    for code, found in ((0, "cc"), (2, None)):
        monkeypatch.setattr(zig.subprocess, "run", lambda *a, code=code, **k: types.SimpleNamespace(returncode=code))
        assert zig.compiler() == found


def test_zig_is_a_requirement_only_without_a_compiler(backend: Any, zig: Any, installed: Callable[..., None]) -> None:
    for requires in (backend.get_requires_for_build_wheel, backend.get_requires_for_build_editable):
        installed()
        assert requires() == ["cmake", zig.REQUIREMENT]
        installed("cc")
        assert requires() == ["cmake"]
        assert requires({"target": "win32"}) == ["cmake", zig.REQUIREMENT]


def test_the_compiler_that_was_found_builds(backend: Any, builder: Builder, installed: Callable[..., None]) -> None:
    installed("clang")
    backend.build_wheel("dist", {"cmake.define.TYPEDSHM_WERROR": "ON"})
    assert builder.environment["CC"] == "clang", "not Python's own, which is not there"
    assert builder.settings == {"cmake.define.TYPEDSHM_WERROR": "ON"}
    assert not builder.toolchain
    assert "CC" not in os.environ


def test_zig_builds_without_one(backend: Any, builder: Builder) -> None:
    assert backend.build_wheel("dist") == "typedshm.whl"
    assert '"/zig/zig" cc -target x86_64-linux-gnu.2.17)' in builder.toolchain
    assert "CMAKE_SYSTEM_NAME" not in builder.toolchain, "that would be for another system"
    assert builder.environment["CMAKE_GENERATOR"] == "Ninja"
    assert "wheel.tags" not in builder.settings
    assert not {"CMAKE_TOOLCHAIN_FILE", "CMAKE_GENERATOR"} & set(os.environ)


def test_a_wheel_for_another_system(backend: Any, builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "windows").mkdir()
    (tmp_path / "windows" / "Python.h").touch()
    settings = {"target": "win_arm64", "python-headers": str(tmp_path / "windows"), "python-library": "python3.lib"}
    backend.build_wheel("dist", settings)
    assert "cc -target aarch64-windows-gnu)" in builder.toolchain
    assert "set(CMAKE_SYSTEM_NAME Windows)" in builder.toolchain
    assert f'set(TYPEDSHM_PYTHON_HEADERS "{(tmp_path / "windows").as_posix()}")' in builder.toolchain
    assert 'set(TYPEDSHM_PYTHON_LIBRARY "python3.lib")' in builder.toolchain
    assert builder.settings["wheel.tags"] == "cp311-abi3-win_arm64"
    # pip compares what the metadata said with what was built
    backend.prepare_metadata_for_build_wheel("dist", settings)
    assert builder.settings["wheel.tags"] == "cp311-abi3-win_arm64"
    assert not set(settings) & set(builder.settings)


@pytest.mark.parametrize(
    ("platform", "target"),
    [
        ("manylinux_2_17_x86_64", "x86_64-linux-gnu.2.17"),
        ("manylinux_2_28_aarch64", "aarch64-linux-gnu.2.28"),
        ("musllinux_1_2_aarch64", "aarch64-linux-musl"),
        ("macosx_11_0_arm64", "aarch64-macos.11.0"),
        ("win_amd64", "x86_64-windows-gnu"),
        ("win32", "x86-windows-gnu"),
    ],
)
def test_targets(zig: Any, platform: str, target: str) -> None:
    assert zig.target(platform) == target


@pytest.mark.parametrize(
    ("platform", "soabi", "named"),
    [
        ("linux-aarch64", "cpython-313-aarch64-linux-gnu", "manylinux_2_17_aarch64"),
        ("linux-x86_64", "cpython-312-x86_64-linux-musl", "musllinux_1_2_x86_64"),
        ("win-amd64", None, "win_amd64"),
        ("win32", None, "win32"),
        ("macosx-11.0-arm64", "cpython-312-darwin", "macosx_11_0_arm64"),
    ],
)
def test_this_platform(zig: Any, monkeypatch: pytest.MonkeyPatch, platform: str, soabi: str, named: str) -> None:
    monkeypatch.setattr(zig.sysconfig, "get_platform", lambda: platform)
    monkeypatch.setattr(zig.sysconfig, "get_config_var", {"SOABI": soabi}.get)
    assert zig.this_platform() == named
    assert zig.target(named)


def sentence(call: Callable[[], object]) -> str:
    """What is said when nothing can be built: one sentence."""
    with pytest.raises(SystemExit) as error:
        call()
    text = str(error.value)
    assert re.fullmatch(r"typedshm: [^\n]+\.", text)
    return text


def test_missing_headers_are_named_at_once(backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backend.sysconfig, "get_path", lambda name: str(tmp_path / "include"))
    for call in (backend.get_requires_for_build_wheel, lambda: backend.build_wheel("dist")):
        text = sentence(call)
        assert str(tmp_path / "include") in text
        assert "apt install python3-dev" in text


@pytest.mark.parametrize("settings", [{}, {"target": "musllinux_1_2_aarch64"}])
def test_headers_that_debian_has_spread_are_put_together(
    builder: Builder, backend: Any, zig: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str]
) -> None:
    """zig looks into no folder of the system's, and so finds nothing that pyconfig.h includes from there."""
    include, apart = tmp_path / "include" / "python3.11", tmp_path / "include" / "x86_64-linux-gnu" / "python3.11"
    for folder, config in ((include, "#include <x86_64-linux-gnu/python3.11/pyconfig.h>"), (apart, "the machine's")):
        folder.mkdir(parents=True)
        (folder / "pyconfig.h").write_text(config)
    (include / "Python.h").write_text("Python's")
    monkeypatch.setattr(backend.sysconfig, "get_path", lambda name: str(include))
    monkeypatch.setattr(zig.sysconfig, "get_config_var", {"MULTIARCH": "x86_64-linux-gnu"}.get)
    seen: list[list[str]] = []

    def build_wheel(*args: object) -> str:
        (first,) = re.findall(r'-I\\"(.*?)\\"', Path(os.environ["CMAKE_TOOLCHAIN_FILE"]).read_text(encoding="utf-8"))
        seen.append([Path(first, name).read_text() for name in ("Python.h", "pyconfig.h")])
        return "typedshm.whl"

    monkeypatch.setattr(builder, "build_wheel", build_wheel)
    backend.build_wheel("dist", settings)
    assert seen == [["Python's", "the machine's"]]


def test_headers_in_one_place_are_used_where_they_are(builder: Builder, backend: Any) -> None:
    backend.build_wheel("dist")
    assert '"-fno-sanitize=all")' in builder.toolchain


def test_missing_zig_is_named(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ziglang", None)
    assert "pip install ziglang" in sentence(lambda: backend.build_wheel("dist"))


def test_a_machine_zig_is_not_tried_on(backend: Any, zig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zig.sysconfig, "get_platform", lambda: "linux-s390x")
    assert "install gcc or clang" in sentence(backend.get_requires_for_build_wheel)
