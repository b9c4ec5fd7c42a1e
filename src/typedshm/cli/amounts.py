"""Amounts: seconds and bytes in as few letters as tell them apart."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def age_of(seconds: float) -> str:
    """Return a span of time in one unit: ``1.5 ms``, ``12 s``, ``3.5 h``."""
    for limit, unit, scale in ((1, "ms", 1e-3), (120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if abs(seconds) < limit:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 86_400:.3g} d"


def size_of(count: int) -> str:
    """Return bytes in the unit that suits them: ``6.1 MiB``."""
    number, unit = float(count), 0
    while number >= 1023.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit and number < 99.95 else f"{number:.0f} {_UNITS[unit]}"
