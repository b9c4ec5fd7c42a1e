"""Reading the annotations of a class body, on every Python and however they are written."""

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any, cast, get_type_hints

from typedshm.errors import SchemaError

if sys.version_info >= (3, 14):
    import annotationlib


def own_annotations(name: str, namespace: Mapping[str, Any]) -> Mapping[str, object]:
    """Return the annotations in the body of the class of that name; what was written as a string still is one.

    Raises
    ------
    SchemaError
        From Python 3.14 on, if one names something that does not exist; before, Python itself raised a NameError.
    """
    if sys.version_info >= (3, 14) and "__annotations__" not in namespace:
        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is None:
            return {}
        # as values, since with forward references Unit(missing) is made of a reference, and x if missing else y is x
        try:
            return annotationlib.call_annotate_function(annotate, annotationlib.Format.VALUE)
        except NameError as error:
            raise SchemaError(f"{name}: an annotation cannot be evaluated: {error}") from error
    return cast("Mapping[str, object]", namespace.get("__annotations__", {}))


def resolve(
    cls: type, annotations: Mapping[str, object], body: Mapping[str, object], frame: FrameType | None
) -> dict[str, object]:
    """Evaluate annotations where the class statement stands: in its body, the enclosing functions and the module.

    Parameters
    ----------
    cls : type
        The class, for its module and the words of errors.
    annotations : mapping of str to object
        As :func:`own_annotations` gives them.
    body : mapping of str to object
        What the names in its body stand for.
    frame : frame
        The one that runs the class statement.

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
        except (NameError, TypeError, SyntaxError) as error:
            raise SchemaError(f"{cls.__name__}.{label}: the annotation cannot be evaluated: {error}") from error
        resolved[label] = hints[label]
    return resolved


def _encloses(frame: FrameType, cls: type) -> bool:
    """Return True if the class statement stands inside what the frame runs, and is not just called by it."""
    return cls.__qualname__.startswith(f"{frame.f_code.co_qualname}.")


def own_doc(cls: type) -> str:
    """Return the docstring of the class itself without indentation, or the empty string.

    The class may have a descriptor in its place, as dataclasses have from CPython 3.15 on, which write theirs when they
    are asked for it.
    """
    doc: object = cls.__dict__.get("__doc__")
    if hasattr(type(doc), "__get__"):
        doc = cls.__doc__
    lines = doc.strip().splitlines() if isinstance(doc, str) else ()
    return "\n".join(line.strip() for line in lines)
