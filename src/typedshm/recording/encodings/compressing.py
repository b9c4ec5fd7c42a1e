"""Compressing: JPEG and PNG of arrays, by simplejpeg where it is installed, or Pillow."""

import importlib
import io
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from typedshm.recording.errors import RecordingCorrupt

FORMATS = ("jpeg", "png")

QUALITY = 90
"""Of JPEG, from 1 to 100."""

_SPEED = 1
"""Of PNG: zlib's level, as higher ones take much longer for little."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def compress(format: str, array: NDArray[Any], *, bgr: bool = False) -> bytes:
    """Return a picture in a format.

    Parameters
    ----------
    format
        ``"jpeg"``, of 8 bits, or ``"png"``.
    array
        Of shape (height, width), (height, width, 3) or (height, width, 4).
    bgr
        Blue comes first.

    Raises
    ------
    ImportError
        No library is installed that can do it.
    """
    jpeg = _simplejpeg() if format == "jpeg" else None
    if jpeg is not None:
        channels = array.shape[2] if array.ndim > 2 else 1
        data: bytes = jpeg.encode_jpeg(
            np.ascontiguousarray(array.reshape(*array.shape[:2], channels)),
            QUALITY,
            colorspace=_space(channels, bgr=bgr),
            colorsubsampling="420" if channels > 1 else "Gray",
        )
        return data
    found: Any = _pillow().fromarray(_swapped(array) if bgr else array)
    if format == "jpeg" and found.mode == "RGBA":
        found = found.convert("RGB")
    file = io.BytesIO()
    options = {"quality": QUALITY} if format == "jpeg" else {"compress_level": _SPEED}
    found.save(file, format.upper(), **options)
    return file.getvalue()


def decompress(
    format: str, data: bytes, shape: tuple[int, int, int], dtype: "np.dtype[Any]", *, bgr: bool = False
) -> NDArray[Any]:
    """Return the pixels of a picture.

    Parameters
    ----------
    format
        ``"jpeg"`` or ``"png"``.
    data
        The file.
    shape
        Its height, width and channels; nothing is decoded of a picture with another size.
    dtype
        The type of its pixels' channels.
    bgr
        Blue is to come first.

    Raises
    ------
    RecordingCorrupt
        It is damaged, or another picture.
    ImportError
        No library is installed that can do it.
    """
    jpeg = _simplejpeg() if format == "jpeg" else None
    try:
        found = _by_pillow(format, data, shape) if jpeg is None else _by_simplejpeg(jpeg, data, shape, bgr=bgr)
    except ImportError:
        raise
    except Exception as error:  # the libraries raise many types
        raise RecordingCorrupt(f"a picture in {format}: {error}") from error
    if found.shape[:2] != shape[:2] or found.size != np.prod(shape) or found.dtype.itemsize != dtype.itemsize:
        raise RecordingCorrupt(f"a picture in {format}: expected {shape} of {dtype}, found {found.shape} {found.dtype}")
    swap = bgr and jpeg is None
    return np.ascontiguousarray(_swapped(found) if swap else found, dtype)


def _by_simplejpeg(jpeg: Any, data: bytes, shape: tuple[int, int, int], *, bgr: bool) -> NDArray[Any]:
    height, width, *_ = jpeg.decode_jpeg_header(data)
    _check(shape, height, width)
    found: NDArray[Any] = jpeg.decode_jpeg(data, colorspace=_space(shape[2], bgr=bgr))
    return found


def _by_pillow(format: str, data: bytes, shape: tuple[int, int, int]) -> NDArray[Any]:
    with _pillow().open(io.BytesIO(data), formats=[format.upper()]) as found:
        _check(shape, found.height, found.width)
        wanted = _MODES[shape[2]]
        exact = found.mode == wanted or found.mode.startswith("I;16") or format == "png"
        return np.array(found if exact else found.convert(wanted))


def _check(shape: tuple[int, int, int], height: int, width: int) -> None:
    if (height, width) != shape[:2]:
        raise ValueError(f"expected {shape[1]} x {shape[0]} pixels, found {width} x {height}")


def _space(channels: int, *, bgr: bool) -> str:
    return "GRAY" if channels == 1 else ("BGR" if bgr else "RGB") + "A" * (channels - 3)


def _swapped(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array with red and blue changed for each other."""
    return np.ascontiguousarray(array[..., [2, 1, 0, *range(3, array.shape[2])]])


def _simplejpeg() -> ModuleType | None:
    try:
        return importlib.import_module("simplejpeg")
    except ImportError:
        return None


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise ImportError("compressing pictures needs Pillow: pip install 'typedshm[record]'") from error
