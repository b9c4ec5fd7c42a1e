"""path_of(): where a region's file is, for ls, C programs and containers."""

import os
import pathlib

import numpy as np
import pytest

import typedshm
from helpers import marks
from typedshm import path_of

BYTE = typedshm.array("u1", 1)


@marks.region_files
@pytest.mark.parametrize("scope", ["user", "machine"])
@pytest.mark.parametrize("name", ["camera", "robot/arm 1", "Größe", ".", "a+b%c", "\0"])
def test_the_file_of_a_region_is_there(name, scope):
    path = path_of(name, scope=scope)
    assert isinstance(path, pathlib.Path)
    assert not path.exists()
    with typedshm.create(name, BYTE, scope=scope) as region:
        assert os.stat(path).st_size == region.info().size
        assert path.read_bytes()[:8] == b"TYPEDSHM"
        assert path == path_of(name, scope=scope)
    assert not path.exists()


@marks.region_files
def test_a_region_can_be_read_by_its_path():
    with typedshm.create("camera", BYTE) as region:
        region.write(np.array([7], np.uint8))
        with typedshm.RawSection(path_of("camera")) as section:
            assert section.size == region.info().size
        with typedshm.RawSection(path_of("camera").name) as section:
            assert bytes(section.view[:8]) == b"TYPEDSHM"


def test_the_path_of_a_file_is_its_own_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert path_of(tmp_path / "camera") == tmp_path / "camera"
    assert path_of(pathlib.Path("camera")) == pathlib.Path.cwd() / "camera"
    with typedshm.create(path_of(pathlib.Path("camera")), BYTE):
        assert (tmp_path / "camera").exists()


def test_the_namespace_is_part_of_it(namespace):
    if not marks.WINDOWS:
        assert namespace in path_of("camera").name


@pytest.mark.skipif(not marks.WINDOWS, reason="elsewhere named regions are files")
def test_a_named_region_of_windows_has_no_file():
    with pytest.raises(typedshm.NameRefused, match=r"expected a pathlib.Path.*it is the section 'Local"):
        path_of("camera")


@pytest.mark.parametrize("bad", [None, 5, b"camera", ["camera"]])
def test_what_is_no_name_is_a_type_error(bad):
    with pytest.raises(TypeError, match=r"name: expected a str or a pathlib.Path, found"):
        path_of(bad)


@pytest.mark.parametrize("bad", ["", "x" * 300, "\ud800"])
def test_what_can_be_no_name_is_refused(bad):
    with pytest.raises(typedshm.NameRefused):
        path_of(bad)


def test_an_unknown_scope_is_named():
    with pytest.raises(ValueError, match="scope: expected 'user' or 'machine', found 'all'"):
        path_of("camera", scope="all")
