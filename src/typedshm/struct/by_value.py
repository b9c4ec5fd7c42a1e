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
    """Return True if a frame is executing a call of the class itself, or of what cannot be told."""
    code = [one for one in dis.get_instructions(frame.f_code) if one.offset <= frame.f_lasti]
    call = code.pop()
    if call.offset != frame.f_lasti or not call.opname.startswith("CALL"):
        return False
    spread = call.opname == "CALL_FUNCTION_EX"  # f(*some, **more), which may be none
    if call.arg and not spread:
        return False
    loads = _loads_of_callee(code, call, spread)
    found = _loaded(frame, loads)
    while isinstance(found, functools.partial):
        found = cast("Any", found).func
    return found is None or found is cls


def _loads_of_callee(code: list[dis.Instruction], call: dis.Instruction, spread: bool) -> list[dis.Instruction]:
    """Return the instructions up to the one that has put what is called onto the stack."""
    height = -_effect(call) - 1 if spread else 0  # of the arguments above it; above it is also NULL, or it is above
    if code and code[-1].opname == "PRECALL":  # of CPython 3.11
        code = code[:-1]
    while code and height > 0:
        height -= _effect(code.pop())
    while code and code[-1].opname == "PUSH_NULL":
        code = code[:-1]
    return code


def _effect(one: dis.Instruction) -> int:
    return dis.stack_effect(one.opcode, one.arg, jump=False)


def _loaded(frame: FrameType, loads: list[dis.Instruction]) -> Any:
    """Return what the last instructions have loaded: a variable, or an attribute of one. None if that is no answer."""
    if not loads:
        return None
    last, value = loads[-1].opname, loads[-1].argval
    if last.startswith(("LOAD_ATTR", "LOAD_METHOD")):
        return getattr(_loaded(frame, loads[:-1]), str(value), None)
    if last.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_NAME", "LOAD_GLOBAL", "STORE_FAST_LOAD")):
        name = str(cast("Any", value)[-1] if isinstance(value, tuple) else value)
        return frame.f_locals.get(name, frame.f_globals.get(name, frame.f_builtins.get(name)))
    return None
