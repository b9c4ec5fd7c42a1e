"""Mumble's own Link plugin, loaded as Mumble 1.3 does it: a struct of function pointers, and strings of libstdc++."""

import ctypes
from pathlib import Path

# MumblePlugin of Mumble 1.3's mumble_plugin.h: magic; description and shortname by reference; about, config, trylock,
# unlock, longdesc, fetch
_MAGIC = 0xF4573570
_Vector = ctypes.c_float * 3


class _Plugin(ctypes.Structure):
    _fields_ = (
        ("magic", ctypes.c_uint32),
        ("description", ctypes.c_void_p),
        ("shortname", ctypes.c_void_p),
        ("about", ctypes.c_void_p),
        ("config", ctypes.c_void_p),
        ("trylock", ctypes.CFUNCTYPE(ctypes.c_int)),
        ("unlock", ctypes.CFUNCTYPE(None)),
        ("longdesc", ctypes.c_void_p),
        ("fetch", ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 8)),
    )


class _String(ctypes.Structure):
    """A std::string or std::wstring; one that is empty points into itself."""

    _fields_ = (("text", ctypes.c_void_p), ("length", ctypes.c_size_t), ("short", ctypes.c_char * 16))

    def __init__(self) -> None:
        super().__init__()
        self.text = ctypes.addressof(self) + type(self).short.offset


class MumblePlugin:
    """The plugin: it makes the region as soon as it is loaded."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.getMumblePlugin.restype = ctypes.POINTER(_Plugin)
        self._plugin = self._library.getMumblePlugin().contents
        assert self._plugin.magic == _MAGIC, f"{self._plugin.magic:#x}"

    def trylock(self) -> bool:
        """True if a game writes: version 1 or 2, and a tick that is not the one of the last call."""
        return bool(self._plugin.trylock())

    def unlock(self) -> None:
        """Let go of the game."""
        self._plugin.unlock()

    def fetch(self) -> tuple[list[list[float]], bytes, str] | None:
        """The six vectors, the context and the identity; None once the tick has stood still for 5 s."""
        vectors = [_Vector() for _ in range(6)]
        context, identity = _String(), _String()
        if not self._plugin.fetch(*(ctypes.addressof(each) for each in (*vectors, context, identity))):
            return None
        return (
            [list(vector) for vector in vectors],
            ctypes.string_at(context.text, context.length),
            ctypes.wstring_at(identity.text, identity.length),
        )
