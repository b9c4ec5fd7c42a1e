"""Tells instances that ctypes makes from those that a program makes.

Where C passes a Structure by value to a Python callback, or ``paramflags`` declare an "out" parameter, ctypes calls the
class without arguments and copies the bytes in. For a class with required fields the same call in a program is a
TypeError. So when a call without arguments has failed, :func:`is_for_ctypes` looks at what the program is doing: at the
call of the class itself, or at something else, which has led to it.
"""

import ctypes
import dis
import functools
from types import FrameType
from typing import Any, cast


def is_for_ctypes(cls: type, frame: FrameType | None) -> bool:
    """Return True if ctypes has called a Struct class, without arguments and so in vain.

    Parameters
    ----------
    cls : type
        A class whose constructor has just raised a TypeError.
    frame : frame or None
        The innermost frame of Python code; None in a thread that C has started.
    """
    return _is_in_a_prototype(cls) and (frame is None or not _is_calling(frame, cls))


def _is_in_a_prototype(cls: type) -> bool:
    """Return True if C may pass the class: by value to a callback, or by an out parameter."""
    prototypes: list[type] = [cast("Any", ctypes)._CFuncPtr]
    for prototype in prototypes:  # grows meanwhile
        if cls in (getattr(prototype, "_argtypes_", None) or ()):
            return True
        prototypes += type.__subclasses__(prototype)
    cache: Any = getattr(ctypes, "_pointer_type_cache", {})
    try:
        return cls in cache or getattr(cls, "__pointer_type__", None) is not None
    except AttributeError:  # of CPython 3.14, as long as there is no pointer type
        return False


def _is_calling(frame: FrameType, cls: type) -> bool:
    """Return True if a frame is executing a call of the class itself."""
    code = list(dis.get_instructions(frame.f_code))
    call = next((one for one in code if one.offset == frame.f_lasti), None)
    if call is None or not call.opname.startswith("CALL"):
        return False
    positions: Any = call.positions
    if positions is None or positions.lineno is None:  # python -X no_debug_ranges
        return True
    start = (positions.lineno, positions.col_offset)
    found: Any = None
    for one in code:  # what makes up the thing that is called: it begins where the call begins, and ends before it
        where: Any = one.positions
        if one.offset >= call.offset or where is None or (where.lineno, where.col_offset) != start:
            continue
        name: Any = one.argval
        if one.opname.startswith(("LOAD_NAME", "LOAD_GLOBAL")):
            found = frame.f_locals.get(name, frame.f_globals.get(name, frame.f_builtins.get(name)))
        elif one.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF")):
            found = frame.f_locals.get(name)
        elif one.opname.startswith(("LOAD_ATTR", "LOAD_METHOD")):
            found = getattr(found, name, None)
        elif one.opname.startswith(("CALL", "BINARY")):  # type(pose)(), classes[0]()
            found = None
    while isinstance(found, functools.partial):
        found = cast("Any", found).func
    # otherwise a function of ctypes is called, or something else that runs C code, which has called back
    return found is None or found is cls
