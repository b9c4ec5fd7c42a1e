"""How Structs and their classes travel in pickles.

A value travels as its bytes, its class and its *meaning*: the identity and the document of its layout. Where it arrives
the class is looked up by name, and a class that has changed since is refused, with the difference. Where no class has
that name (it stands in a notebook, inside a function, or in a module that cannot be imported there) the document makes
one, the same for all values of the same class.

A class itself travels in the same way, but for picklers that carry classes by value (cloudpickle, and so joblib; dill):
these take the class's namespace apart and set it again on a new class, methods included. Of what the class's compiler
has put there they get only a :class:`~typedshm.struct.struct.Arriving`, from which the new class is completed.
"""

import copyreg
import functools
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any, cast

import typedshm._native as _native
from typedshm import hooks
from typedshm.errors import LayoutMismatch
from typedshm.layout.constraints import Rules
from typedshm.layout.document import parse
from typedshm.layout.layout import Layout
from typedshm.struct.loading import DESCRIBED, struct_of
from typedshm.struct.struct import (
    Arriving,
    Plan,
    Struct,
    StructMeta,
    from_buffer_copy,
    install,
    plan_of,
    set_state,
)

_MAIN = ("__main__", "__mp_main__")  # the script in a process, and in those that multiprocessing starts
_ID = 16  # bytes of a layout's identity

# Classes that no module has under their names, by a random token that travels with them: what comes back to a process
# is of the class that it was sent with.
_classes: "weakref.WeakValueDictionary[bytes, type[Struct]]" = weakref.WeakValueDictionary()
_tokens: "weakref.WeakKeyDictionary[type[Struct], bytes]" = weakref.WeakKeyDictionary()


@functools.lru_cache(maxsize=1024)
def _described(meaning: bytes) -> Layout:
    import zlib  # is heavy

    layout, _ = parse(zlib.decompress(meaning[_ID:]))
    return layout


# ---- values --------------------------------------------------------------------------------------------------------


def _reduce(value: Any) -> tuple[Any, ...]:
    plan: Plan = value._plan
    form, meaning = plan.pickled or _common(plan)
    if not _dill_knows and "dill" in sys.modules:
        _meet_dill()
    data = bytes(value) if plan.extents is None else plan.extents.pack(_native.snapshot_of(value))
    return restore, (form, data, meaning, _native.origin_of(value))


def _common(plan: Plan) -> list[Any]:
    """Return the form of a class and its meaning: the identity of the layout, and the document, compressed.

    They are the same objects for all values, so that one pickle of many has them once.
    """
    if not plan.pickled:
        import zlib  # is heavy

        meaning = plan.layout.id + zlib.compress(plan.layout.to_document("struct"))
        source = source_of(plan.plain)
        form = plan.plain if source is None or not _importable(source) else _Reference(plan.plain)
        plan.pickled[:] = form, meaning
    return plan.pickled


def restore(cls: type[Struct], data: bytes, meaning: bytes, origin: _native.Origin | None) -> Struct:
    """Make an instance from the content of a pickle.

    Raises
    ------
    LayoutMismatch
        The class has another layout now.
    """
    layout = plan_of(cls).layout
    if layout.id != meaning[:_ID]:
        raise LayoutMismatch(
            f"{cls.__module__}.{cls.__qualname__} has changed since this value was pickled (pickle | class):\n"
            f"{_described(meaning).diff(layout)}\n"
            "Declare it as it was to read the value; asdict() makes pickles that depend on no class"
        )
    extents = plan_of(cls).extents
    restored: Struct
    if extents is not None:
        restored = cls.zero()
        if not extents.unpack(data, restored):
            raise ValueError(f"{cls.__qualname__}: expected a pickle of another size, found {len(data)} bytes")
    elif len(data) != layout.size:
        raise ValueError(f"{cls.__qualname__}: expected a pickle of {layout.size} bytes, found {len(data)}")
    else:
        restored = from_buffer_copy(cls, data)
    if origin is not None:
        set_state(restored, origin)
    return restored


# ---- classes -------------------------------------------------------------------------------------------------------


class _Reference:
    """Stands for a class that no module has itself: it was generated from one that can be imported."""

    def __init__(self, cls: type[Struct]) -> None:
        self.cls = cls

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name(self.cls)


def class_of_form(form: Any) -> type[Struct]:
    """Return the class for which a form stands, also where no pickler was between, as for ``copy.copy()``."""
    cls: type[Struct] = form.cls if isinstance(form, _Reference) else form
    return cls


def form_of(cls: type[Struct]) -> Any:
    """Return what stands for a class in the pickle of a value or region; it unpickles as the class.

    That is the class itself, except if it was generated from a model or dataclass that other processes can import:
    picklers that carry classes by value would carry a copy, since they find no module that has it.
    """
    _meet_dill()
    return _common(plan_of(cls))[0]


def _importable(cls: type) -> bool:
    """Return True if other processes are likely to find a class by its name."""
    return cls.__module__ not in _MAIN and named(cls.__module__, cls.__qualname__) is cls


def source_of(cls: type[Struct]) -> type | None:
    """Return the model or dataclass that a Struct was generated from, or None."""
    return cast("type | None", cls.__dict__.get("_source"))


def named(module: str, qualname: str) -> Any:
    """Return what has a name in a module, or None if there is no such thing."""
    if not module or "<locals>" in qualname:
        return None
    found: Any = sys.modules.get("__main__" if module in _MAIN else module)
    if found is None:
        try:
            __import__(module)
        except ImportError:
            return None
        found = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _reduce_class(cls: StructMeta) -> Any:
    struct = cast("type[Struct]", cls)
    return _by_name(plan_of(struct).plain) if hasattr(struct, "_plan") else struct.__qualname__


def _by_name(cls: type[Struct]) -> tuple[Any, ...]:
    module, qualname = cls.__module__, cls.__qualname__
    _, meaning = _common(plan_of(cls))
    if module == DESCRIBED:  # made from a document only
        return find_class, ("", "", meaning, b"")
    found = named(module, qualname)
    token = b"" if found is cls or (found is not None and found is source_of(cls)) else _token_of(cls)
    return find_class, (module, qualname, meaning, token)


def _token_of(cls: type[Struct]) -> bytes:
    token = _tokens.get(cls)
    if token is None:
        token = _tokens.setdefault(cls, os.urandom(16))
        _classes[token] = cls
    return token


def find_class(module: str, qualname: str, meaning: bytes, token: bytes) -> type[Struct]:
    """Return the class of a pickle: the one that has the name, or else one that the layout's document describes."""
    known = _classes.get(token) if token else None
    if known is not None:
        return known
    found = named(module, qualname)
    if isinstance(found, StructMeta):
        plan: Plan | None = getattr(found, "_plan", None)
        if plan is not None:
            return plan.plain
    generated = hooks.generated_struct(found) if isinstance(found, type) else None
    if generated is not None:
        return generated
    origin = (module, qualname) if module else None
    cls = struct_of(_described(meaning), origin)
    if token:
        _tokens[cls] = token
        _classes[token] = cls
    return cls


# ---- what a class's namespace has, for picklers that carry it by value ----------------------------------------------


class _Arrived(Arriving):
    """The content of a class's plan."""

    def __init__(
        self,
        layout: Layout,
        structs: dict[str, type[Struct]],
        enums: dict[str, type],
        defaults: dict[str, object],
        described: bool,
        rules: dict[str, Rules],
        token: bytes,
    ) -> None:
        self._layout, self._structs, self._enums, self._rules = layout, structs, enums, rules
        self._defaults, self._described, self._token = defaults, described, token

    def known(self) -> StructMeta | None:
        return _classes.get(self._token)

    def complete(self, cls: StructMeta) -> None:
        own: Plan | None = cls.__dict__.get("_plan")
        if own is not None and own.layout.id == self._layout.id:
            return
        if own is not None:  # which cloudpickle's empty class has inherited
            delattr(cls, "_plan")
        bases = (base for base in cls.__bases__ if isinstance(base, StructMeta) and hasattr(base, "_plan"))
        base = cast("type[Struct] | None", None if self._described else next(bases, None))
        inherited = len(base.layout.fields) if base is not None else 0
        names = [field.name for field in self._layout.fields[inherited:]]
        target: Any = cls
        for name in names:
            if not isinstance(cls.__dict__.get(name), _native.Field):
                setattr(target, name, _empty_field())
        target._defaults = {name: self._defaults[name] for name in names if name in self._defaults}
        target._ctypes = {}
        install(target, self._layout, base, self._structs, self._enums, self._rules, described=self._described)
        if self._token not in _classes:
            _tokens[target] = self._token
            _classes[self._token] = target


_dill_knows = False


def _meet_dill() -> None:
    """Have dill, if it is imported, pickle classes by name and document where it cannot carry them by value.

    It asks neither metaclasses nor copyreg.
    """
    global _dill_knows
    dill: Any = sys.modules.get("dill")
    dispatch: Any = getattr(getattr(dill, "Pickler", None), "dispatch", None)
    if dispatch is None or _dill_knows:
        return
    _dill_knows = True
    by_value = dispatch[type]
    try:
        dill.dumps(lambda: None)
        carries = True
    except Exception:  # it does not know this Python's functions yet
        carries = False

    def save(pickler: Any, cls: StructMeta) -> None:
        struct = cast("type[Struct]", cls)
        if not hasattr(struct, "_plan"):
            pickler.save_global(cls, cls.__qualname__)
        elif pickler._byref or not carries or _importable(struct) or not _dill_carries(struct):
            pickler.save_reduce(*_by_name(plan_of(struct).plain), obj=cls)
        else:
            by_value(pickler, cls)

    dispatch[StructMeta] = save


def _dill_carries(cls: type[Struct]) -> bool:
    """Return whether dill carries a class by value; it cannot do so with enums and pydantic models."""
    plan = plan_of(cls)
    if plan.enums or hasattr(source_of(cls), "__pydantic_fields__"):
        return False
    return all(_importable(nested) or _dill_carries(nested) for nested in plan.structs.values())


def _reduce_plan(plan: Plan) -> tuple[Any, ...]:
    content = plan.layout, plan.structs, plan.enums, plan.defaults, plan.described, plan.rules
    return _Arrived, (*content, _token_of(plan.plain))


def _reduce_field(field: _native.Field) -> tuple[Callable[[], _native.Field], tuple[()]]:
    del field
    return _empty_field, ()


def _empty_field() -> _native.Field:
    return _native.Field.__new__(_native.Field)


copyreg.pickle(cast("Any", StructMeta), _reduce_class)
copyreg.pickle(cast("Any", Plan), _reduce_plan)
copyreg.pickle(_native.Field, _reduce_field)
hooks.reduce_struct.fill(_reduce)
