"""Late-bound hooks: lower modules call higher ones through them, without importing pydantic.

Annotations and Structs have methods that pydantic calls, and ``Struct.model()`` returns a pydantic model. Their
implementations need pydantic, which takes longer to import than everything else, and build on the very modules that
call them. So :mod:`typedshm.schema.resolve` fills these slots, and imports pydantic at the first call. A pickled
region is opened again by :mod:`typedshm.sharing.joining`. A field that is an array of Structs is one of
:mod:`typedshm.struct.struct_array`, which makes Structs of its items.
"""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Hook(Generic[P, R]):
    """A function that a higher module supplies by :meth:`fill`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._function: Callable[P, R] | None = None

    def fill(self, function: Callable[P, R]) -> None:
        """Supply the function."""
        self._function = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it."""
        if self._function is None:
            raise RuntimeError(f"hook {self._name!r} is empty: the module that fills it was never imported")
        return self._function(*args, **kwargs)

    def __reduce__(self) -> str:
        """Pickle by reference, as a function of this module."""
        return self._name


annotation_schema: "Hook[[Any, Any, Any], Any]" = Hook("annotation_schema")
"""(marker, source type, handler) -> the pydantic-core schema of a field with that marker."""

annotation_json_schema: "Hook[[Any, Any], Any]" = Hook("annotation_json_schema")
"""(core schema, handler) -> the JSON schema of a field with a marker."""

reopen: "Hook[..., Any]" = Hook("reopen")
"""(location, form of the schema, instance, readonly, timeout, paging, checks) -> the region, opened again."""

reattach: "Hook[..., Any]" = Hook("reattach")
"""(location, schema, readonly, timeout, paging, patience, whether a table, exclusively) -> what has the name now."""

difference: "Hook[[bytes, bytes], str]" = Hook("difference")
"""(document, document) -> how two layouts differ, field by field; empty if they do not."""

struct_schema: "Hook[[Any, Any], Any]" = Hook("struct_schema")
"""(Struct class, handler) -> its pydantic-core schema."""

struct_serializer: "Hook[[Any], Any]" = Hook("struct_serializer")
"""(Struct class) -> the pydantic-core serializer of its instances."""

model: "Hook[[Any], type[Any]]" = Hook("model")
"""(Struct class) -> the pydantic model with the same fields."""

reduce_struct: "Hook[[Any], tuple[Any, ...]]" = Hook("reduce_struct")
"""(Struct) -> what its ``__reduce__`` returns."""

adopted: "Hook[[type[Any], Any], Any]" = Hook("adopted")
"""(Struct class, value) -> the Struct of an instance of the class that it is generated from; None for other values."""

generated_struct: "Hook[[type[Any]], type[Any] | None]" = Hook("generated_struct")
"""(class) -> the Struct that is generated from it, or None if it is no model or dataclass with a layout."""

struct_array: "Hook[[Any], type[Any]]" = Hook("struct_array")
"""(Struct class) -> the class of its arrays."""
