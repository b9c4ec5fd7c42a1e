"""Pictures: arrays that are images, drawn with half-blocks or saved."""

import os
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np

import typedshm
from typedshm.cli.terminal import can_show
from typedshm.cli.values.parts import Uncounted

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Pixels: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"
Colours: TypeAlias = Literal["24 bits", "256", "none"]

_LEAST = 8  # pixels along each side; smaller arrays are tables of numbers
_SAMPLES = 4  # looked at along each side of a dot, however large the picture is
_RAMP = " ░▒▓█"
_PLAIN_RAMP = " .:-=+*#%@"
_CUBE = np.array([0, 95, 135, 175, 215, 255])  # the levels of the 256 colours' cube


def is_picture(field: "typedshm.LayoutField", value: Any) -> bool:
    """Return True if an array can be looked at: u8 or u16, of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)."""
    if field.kind not in ("u8", "u16") or field.enum is not None or isinstance(value, Uncounted):
        return False
    shape = np.shape(value)
    height, width, *channels = (*shape, 0, 0)[: max(len(shape), 2)]
    return min(height, width) >= _LEAST and channels in ([], [1], [3], [4])


def is_bgr(field: "typedshm.LayoutField") -> bool:
    """Return True if the description of a picture says that blue comes first, as OpenCV has it."""
    words = f"{field.name} {field.doc}".lower().replace(",", " ").split()
    return any(word in ("bgr", "bgra", "bgr24", "bgr8") for word in words) or words[-3:] == ["blue", "green", "red"]


def colours_of_terminal() -> Colours:
    """Return what colours the terminal has."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb", "linux", "vt100"):
        return "24 bits" if os.name == "nt" and not os.environ.get("NO_COLOR") else "none"
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "24 bits"
    return "256"


def draw(value: Any, columns: int, lines: int, *, colours: Colours | None = None, bgr: bool = False) -> list[str]:
    """Return a picture as lines for the terminal, with its proportions, in at most so many columns and lines.

    Parameters
    ----------
    value : ndarray
        The picture.
    columns, lines : int
        The room there is.
    colours
        Those of the terminal, if not given. With colours each letter is two dots, one above the other; without, a grey
        one.
    bgr
        Blue comes first.
    """
    colours = colours or colours_of_terminal()
    if colours != "none" and not can_show("▀"):
        colours = "none"
    array: Array = np.asarray(value)
    height, width = array.shape[:2]
    scale = min(columns / width, 2 * lines / height, 1)
    dots = scaled(array, max(round(width * scale), 1), max(round(height * scale / 2), 1) * 2, bgr=bgr)
    if colours == "none":
        return _grey(dots)
    upper, lower = dots[0::2], dots[1::2]
    if colours == "256":
        return _half_blocks(_palette(upper)[..., None], _palette(lower)[..., None], "5")
    return _half_blocks(upper, lower, "2")


def scaled(array: Array, columns: int, lines: int, *, bgr: bool = False) -> Pixels:
    """Return a picture as so many dots of red, green and blue.

    A dot is the mean of a few pixels spread over its area. 16 bits are stretched from the least to the largest value,
    as depths and raw sensors seldom use all of them.
    """
    height, width = array.shape[:2]
    down = ((np.arange(lines * _SAMPLES) + 0.5) * height / (lines * _SAMPLES)).astype(np.intp)
    across = ((np.arange(columns * _SAMPLES) + 0.5) * width / (columns * _SAMPLES)).astype(np.intp)
    picked = array[down[:, None], across].reshape(lines, _SAMPLES, columns, _SAMPLES, -1).mean(axis=(1, 3))
    if array.dtype.itemsize == 2:
        low, high = float(picked.min()), float(picked.max())
        picked = (picked - low) * (255 / (high - low)) if high > low else picked * 0
    if picked.shape[2] < 3:
        picked = np.repeat(picked[..., :1], 3, axis=2)
    dots: Pixels = picked[..., :3].round().astype(np.uint8)
    return cast("Pixels", dots[..., ::-1]) if bgr else dots


def _grey(dots: Pixels) -> list[str]:
    ramp = _RAMP if can_show(_RAMP) else _PLAIN_RAMP
    light = dots.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    light = (light[0::2] + light[1::2]) / 2
    levels = (light * (len(ramp) / 256)).astype(np.intp)
    return ["".join(ramp[level] for level in row) for row in levels.tolist()]


def _palette(dots: Pixels) -> Array:
    """Return the nearest of the 256 colours: of the cube, or of the greys for what has no colour."""
    cube: Array = np.abs(dots[..., None].astype(np.int16) - _CUBE).argmin(axis=-1)
    found: Array = 16 + cube @ np.array([36, 6, 1])
    spread: Array = dots.max(axis=2).astype(np.int16) - dots.min(axis=2)
    grey: Array = dots.mean(axis=2)
    greys: Array = 232 + ((grey - 3) / 10).round().clip(0, 23).astype(np.intp)
    is_grey: Array = (spread < 10) & (grey > 3) & (grey < 243)
    return cast("Array", np.where(is_grey, greys, found))


def _half_blocks(upper: Array, lower: Array, mode: str) -> list[str]:
    """Return half-blocks, the upper half in the foreground's colour; a colour is written where it changes."""
    made: list[str] = []
    for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
        line, before = "", None
        for pair in zip(above, below, strict=True):
            if pair != before:
                front, back = (";".join(map(str, colour)) for colour in pair)
                line += f"\x1b[38;{mode};{front};48;{mode};{back}m"
                before = pair
            line += "▀"
        made.append(line + "\x1b[0m")
    return made


def save(value: Any, file: Path, *, bgr: bool = False) -> str:
    """Save a picture as PNG, and return what it was saved as. 16 bits stay 16 bits if it is grey.

    Raises
    ------
    ModuleNotFoundError
        Pillow is not installed.
    """
    from PIL import Image  # is heavy

    array: Array = np.asarray(value)
    array = array[..., 0] if array.shape[2:] == (1,) else array
    words = f"{array.shape[1]} x {array.shape[0]}, {array.dtype.itemsize * 8} bits"
    if array.ndim == 3 and array.dtype.itemsize == 2:
        array = (array >> 8).astype(np.uint8)
        words = f"{array.shape[1]} x {array.shape[0]}, the upper 8 of 16 bits"
    if bgr and array.ndim == 3:
        array = array[..., [2, 1, 0, *range(3, array.shape[2])]]
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    Image.fromarray(native).save(file, "PNG")
    return words
