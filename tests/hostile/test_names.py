"""Names: any text is one region's own, and none leads to another or out of the folder; what cannot be is refused."""

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import typedshm
from helpers import marks
from helpers.shared_types import Byte
from typedshm.memory import lifecycle
from typedshm.memory.attachment import apart
from typedshm.memory.names import directory, locate, locations
from typedshm.testing.inspection import attach_apart

LONG = 160 if marks.WINDOWS else 180  # the names of kernel objects are shorter than those of files

NAMES = {
    "one letter": "a",
    "with space": "with space",
    "only a space": " ",
    "slashes": "a/b/../c",
    "absolute": "/abs",
    "up": "..",
    "far up": "../../../../etc/passwd",
    "here": ".",
    "backslashes": "..\\..\\car",
    "a drive": "C:\\car",
    "another session": "Global\\car",
    "a stream": "car:stream",
    "not ASCII": "ümläut №1 日本",
    "outside the basic plane": "🚗",
    "NUL inside": "nul\0inside",
    "only NUL": "\0",
    "control characters": "\x01\n\r\t\x1b\x7f",
    "turned around": "\u202erac",
    "percent": "%",
    "written percent": "%2F",
    "half written percent": "%2",
    "plus": "a+b",
    "exclamation marks": "a!b!birth",
    "a dash": "-",
    "like a file of ours": "typedshm-u0-region-car",
    "wildcards": "*?[a]{b}$HOME~",
    "device of Windows": "CON",
    "device of Windows with a suffix": "nul.txt",
    "dot at the end": "car.",
    "space at the end": "car ",
    "long": "x" * LONG,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_text_names_a_region(name):
    with typedshm.create(name, Byte) as region, attach_apart(name, Byte) as other:
        region.write(Byte(n=1))
        assert other.read().n == 1
        assert other.name == name
        assert [entry.name for entry in typedshm.regions()] == [name]
        if not marks.WINDOWS:
            where = Path(locate(name).address)
            assert where.parent == Path(directory("user"))
            assert where.stat().st_ino == os.fstat(region.fileno()).st_ino


def test_any_text_names_a_mutex():
    for name in NAMES.values():
        with apart():
            other = typedshm.NamedMutex(name)
        with typedshm.NamedMutex(name) as mutex:
            assert mutex.name == name
            assert not other.acquire(timeout=0), "the same"
        other.close()
        mutex.close()


ALIKE = [
    ["a/b", "a%2Fb", "a%2fb", "a\\b", "a b", "a+b", "ab", "A/b", "a//b", "a/./b", "a/b/"],
    ["car", "Car", "CAR", "car.", "car ", " car", "car\0", "car\n", "./car", "car/../car"],
    [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")] + ["e", "É", "%C3%A9"],
    ["ﬁ", "fi", "ß", "ss", "İ", "i", "I", "ı"],  # noqa: RUF001
    ["0", "00", "٠", "𝟎"],  # noqa: RUF001
]


@pytest.mark.parametrize("names", ALIKE, ids=lambda names: names[0])
def test_names_that_differ_are_different_regions(names):
    regions = [typedshm.create(name, Byte) for name in names]
    for n, region in enumerate(regions):
        region.write(Byte(n=n))
    for n, name in enumerate(names):
        with attach_apart(name, Byte) as region:
            assert region.read().n == n
    assert sorted(str(entry.name) for entry in typedshm.regions()) == sorted(names)
    for region in regions:
        region.close()


def verbs(name: Any) -> list[Any]:
    return [
        lambda: typedshm.create(name, Byte),
        lambda: typedshm.open(name, Byte),
        lambda: typedshm.attach(name),
        lambda: typedshm.attach(name, readonly=True),
        lambda: typedshm.unlink(name),
    ]


REFUSED = {"empty": "", "300 letters": "x" * 300, "100 ideographs": "日" * 100, "a book": "x" * 10_000_000}


@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED)
def test_names_that_cannot_be_are_refused(name):
    for verb in (*verbs(name), lambda: typedshm.NamedMutex(name)):
        with pytest.raises(
            typedshm.NameRefused,
            match=r"expected at (most \d+ bytes .*, found \d+; choose|least one character, found none)",
        ) as caught:
            verb()
        assert isinstance(caught.value, ValueError)
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", ["\ud800", "car\udcff", "\udc00\ud800"], ids=ascii)
def test_names_that_are_no_unicode_are_refused(name):
    for verb in (*verbs(name), lambda: typedshm.NamedMutex(name)):
        with pytest.raises(typedshm.NameRefused, match="expected Unicode, found a lone surrogate"):
            verb()


@pytest.mark.parametrize("name", [None, b"car", 7])
def test_what_is_no_name_is_a_type_error(name):
    with pytest.raises(TypeError, match=f"str or a pathlib.Path, found {type(name).__name__}"):
        typedshm.create(name, Byte)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=[])))
@example("\0")
@example("%00")
def test_no_name_leads_elsewhere(name):
    """Whatever it is, it stands under one name in one folder, from which it is read back."""
    try:
        where = locate(name)
    except typedshm.NameRefused:
        assert not 0 < len(name) <= 10 or not name.isprintable()
        return
    folder = locate("x").address[:-1]
    written = where.address.removeprefix(folder)
    assert where.address == folder + written
    assert written.isascii()
    assert written.isprintable()
    assert not set(written) & set("/\\\0:+! ")
    file = where.address[len(directory("user")) :] if not marks.WINDOWS else where.address.split("\\")[1]
    assert [found.name for found in locations([file], "user", "region")] == ([name] if "+" not in written else [])


@marks.region_files
def test_what_is_written_in_another_way_is_not_ours():
    """A file called as nobody of us would write it must not pass for the region that it reads like."""
    with typedshm.create("a/b", Byte) as region:
        real = Path(locate("a/b").address)
        for written in ("a%2fb", b"a/b".hex(), "%61%2Fb"):
            (real.with_name(real.name.replace("a%2Fb", written))).touch(0o600)
        try:
            assert [found.name for found in lifecycle.existing("user")] == [b"a/b".hex(), "a/b"]
            assert [entry.name for entry in typedshm.regions()] == ["a/b"]
        finally:
            for written in ("a%2fb", b"a/b".hex(), "%61%2Fb"):
                (real.with_name(real.name.replace("a%2Fb", written))).unlink(missing_ok=True)
        assert region.version == 0


# ---- paths ---------------------------------------------------------------------------------------------------------

PATHS = ["a b", "ümläut №1 日本", "%2F", "a+b", "-", "x" * 200, ".hidden", "car.region", "CAR"]
if not marks.WINDOWS:
    PATHS += ["car.", "car ", "CON", "a:b", "a\\b", "\x01\n\r", "*?", os.fsdecode(b"\xff\xfe")]


@pytest.mark.parametrize("name", PATHS, ids=ascii)
def test_any_file_name_is_a_path(tmp_path, name):
    path = tmp_path / name
    with typedshm.create(path, Byte) as region:
        region.write(Byte(n=1))
        assert os.listdir(tmp_path) == [name]
    with typedshm.attach(path) as region:
        assert region.read().n == 1
    del region  # and with it the mapping, which on Windows keeps the bytes under another name
    typedshm.unlink(path)
    assert not path.exists()
    assert marks.WINDOWS or os.listdir(tmp_path) == []


NO_PATHS = {"NUL inside": "car\0", "only NUL": "\0", "NUL in a folder": "a\0b/car"}
if not marks.WINDOWS:
    NO_PATHS |= {"half a character": "\ud800"}
else:
    NO_PATHS |= {"dot at the end": "car.", "space at the end": "car ", "a stream": "car:stream", "dots": "car. ."}
    # in every folder, whether the machine has such a port or not: waiting for one would wait for ever
    NO_PATHS |= {name: name for name in ("NUL", "nul.txt", "CON", "COM1", "LPT9", r"\\.\NUL", r"\\.\pipe\car")}


@pytest.mark.parametrize("name", NO_PATHS.values(), ids=NO_PATHS)
def test_paths_that_cannot_be_are_refused(tmp_path, name):
    with typedshm.create(tmp_path / "car", Byte) as region:
        region.write(Byte(n=1))
    for verb in verbs(tmp_path / name):
        with pytest.raises(typedshm.NameRefused, match="expected a path that a file can have") as caught:
            verb()
        assert "\0" not in str(caught.value)
    assert os.listdir(tmp_path) == ["car"]


@pytest.mark.parametrize("name", ["x" * 300, "日" * 100, "y/" * 3000 + "car"], ids=["wide", "bytes", "deep"])
def test_paths_that_are_too_long_are_refused(tmp_path, name):
    if marks.WINDOWS and name.startswith("日"):
        pytest.skip("Windows: file names have 255 code units, whatever their bytes")
    for verb in verbs(tmp_path / name):
        with pytest.raises((typedshm.RegionRefused, typedshm.RegionNotFound, typedshm.NameRefused)):
            verb()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [Path(), Path("."), Path(".."), Path("/")], ids=["empty", "here", "up", "root"])
def test_a_path_to_a_folder_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    for verb in verbs(path):
        with pytest.raises((typedshm.RegionRefused, typedshm.NameRefused)):
            verb()
    assert os.listdir(tmp_path) == []
