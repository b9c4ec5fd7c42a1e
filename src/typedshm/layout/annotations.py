"""Reads the annotations of a class body, in every form and on every Python version."""

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

from typedshm.errors import SchemaError

if sys.version_info >= (3, 14):
    import annotationlib

CONTAINS_ITSELF = "a Struct cannot contain itself; use an index, such as u32, into an array of them"


def own_annotations(name: str, namespace: Mapping[str, Any]) -> Mapping[str, object]:
    """Return the annotations of a class body, unresolved: strings remain strings.

    Raises
    ------
    SchemaError
        From Python 3.14 on, if an annotation has an undefined name; earlier Pythons raise a NameError themselves.
    """
    if sys.version_info >= (3, 14) and "__annotations__" not in namespace:
        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is None:
            return {}
        # VALUE, since FORWARDREF would make a Unit of the reference in Unit(missing), and x of x if missing else y
        try:
            return annotationlib.call_annotate_function(annotate, annotationlib.Format.VALUE)
        except NameError as error:
            raise SchemaError(f"{name}: an annotation cannot be evaluated: {error}") from error
    return cast("Mapping[str, object]", namespace.get("__annotations__", {}))


def resolve(
    cls: type, annotations: Mapping[str, object], body: Mapping[str, object], frame: FrameType | None
) -> dict[str, object]:
    """Evaluate annotations in the scopes of the class statement: its body, the enclosing functions and the module.

    Parameters
    ----------
    cls : type
        The class, for its module and for error messages.
    annotations : mapping of str to object
        From :func:`own_annotations`.
    body : mapping of str to object
        The names of the class body.
    frame : frame
        The frame that executes the class statement.

    Raises
    ------
    SchemaError
        If an annotation cannot be evaluated.
    """
    scopes: list[Mapping[str, Any]] = [body]
    inner = frame
    while frame is not None and frame.f_globals.get("__name__") == cls.__module__:
        if frame is inner or _encloses(frame, cls):
            scopes.append(frame.f_locals)
        frame = frame.f_back
    names: dict[str, Any] = {}
    for scope in reversed(scopes):
        names.update(scope)
    module = sys.modules.get(cls.__module__)
    resolved: dict[str, object] = {}
    for label, annotation in annotations.items():
        holder = type(cls.__name__, (), {"__annotations__": {label: annotation}})
        try:
            hints = get_type_hints(holder, vars(module) if module else {}, names, include_extras=True)
        except NameError as error:
            hint = f"; {CONTAINS_ITSELF}" if error.name == cls.__name__ else ""
            raise SchemaError(f"{cls.__name__}.{label}: the annotation cannot be evaluated: {error}{hint}") from error
        except (TypeError, SyntaxError) as error:
            raise SchemaError(f"{cls.__name__}.{label}: the annotation cannot be evaluated: {error}") from error
        resolved[label] = hints[label]
    return resolved


def _encloses(frame: FrameType, cls: type) -> bool:
    """Return True if the frame's function encloses the class statement lexically, and does not merely call it."""
    return cls.__qualname__.startswith(f"{frame.f_code.co_qualname}.")


def parts_of(annotation: Any) -> list[Any]:
    """Return the bare type and all metadata of an annotation, the outermost last.

    Aliases (``type Speed = …``, also with parameters), ``NewType`` and ``Final``, which is for type checkers, are
    resolved.

    Raises
    ------
    NameError
        If an alias has an undefined name.
    """
    metadata: list[Any] = []
    while True:
        origin: Any = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            metadata[:0] = more
        elif origin is Final:
            (annotation,) = get_args(annotation)
        elif origin is None and hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        elif origin is None and hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif get_origin(getattr(origin, "__value__", None)) is Annotated:
            annotation = cast("Any", origin).__value__[get_args(annotation)]
        else:
            return [annotation, *metadata]


def own_doc(cls: type) -> str:
    """Return the docstring of the class itself without indentation, or the empty string.

    It may be a descriptor: from CPython 3.15 on dataclasses create their docstrings lazily.
    """
    doc: object = cls.__dict__.get("__doc__")
    if hasattr(type(doc), "__get__"):
        doc = cls.__doc__
    lines = doc.strip().splitlines() if isinstance(doc, str) else ()
    return "\n".join(line.strip() for line in lines)
