"""What a writer is told about values that break the constraints of a model or dataclass.

This module is separate because pydantic is heavy: it is imported when a class with constraints is written.

The rule. What is checked is the value as it would be stored, against what the class says of its *values*: constraints
of annotations and of the configuration, validators that run after pydantic's own (``AfterValidator``,
``@field_validator``, ``@model_validator(mode="after")``), here and in nested classes. Their verdict counts, their
result does not: what is stored are the instance's own values. Not asked are validators of modes before, wrap and plain,
which judge the input that a value was once made of.

A validator may convert: from degrees to radians, say. Such a one says nothing about a value that it has already
converted, nor do the constraints before it. It shows by not leaving its own results alone. So, when a value is refused
where a field has validators, these are first tried on a few typical values: if a result of theirs changes when it is
validated again, or is refused, only the constraints after the last validator count.

Floats of 16 and 32 bits break a bound only if all numbers that are stored in the same way do: 0.1 is no more than
``Field(le=0.1)`` also where it is stored as 0.10000000149.
"""

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from typedshm.errors import SchemaError
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import LayoutField
from typedshm.schema.classes import ClassSchema
from typedshm.schema.instances import same_value
from typedshm.struct.struct import Struct, initial, plan_of

_Node: TypeAlias = dict[str, Any]  # a core schema, or a part of one

_ANY = cast("_Node", core_schema.any_schema())


def checker(schema: ClassSchema) -> Callable[[Struct], None]:
    """Return a function that raises pydantic's ValidationError if a Struct's values break the constraints of a class.

    Raises
    ------
    SchemaError
        If pydantic has no schema for the class.
    """
    name = schema.source.__name__
    validator = SchemaValidator(cast("CoreSchema", _ClassCheck(schema).node), cast("Any", {"title": name}))

    def check(value: Struct) -> None:
        try:
            validator.validate_python(value)
        except Exception as error:
            error.add_note(
                f"Nothing was published: the value breaks a constraint of {name}. Handles opened with check=False "
                "publish without asking."
            )
            raise

    return check


class _ClassCheck:
    """The check of one class, as a core schema that takes the class's Struct.

    It returns an instance of the class if that is `wanted`, or if the class has validators.
    """

    def __init__(self, schema: ClassSchema, *, wanted: bool = False) -> None:
        self._schema = schema
        self._core = _core_of(schema.source)
        self._model_validators: list[Any] = []
        self._root_validators: list[Any] = []
        inner = self._descend(self._core.root, ("model", "dataclass"), self._model_validators)
        self._config: Any = inner.get("config")
        self._cores = dict(_fields_of(self._core, inner))
        if inner["type"] == "model" and not inner.get("root_model"):
            self._descend(self._core.resolved(inner["schema"]), ("model-fields",), self._root_validators)
        self._live = bool(self._model_validators or self._root_validators) or any(
            _has_validators(self._core, core) for core in self._cores.values()
        )
        self._returns_instance = self._live or wanted
        nodes = {field.name: self._field(field) for field in schema.struct.layout.fields}
        if not self._live:  # validators may look at the other fields
            nodes = {name: node for name, node in nodes.items() if node is not _ANY}
        self._names = list(nodes)
        fields = {name: core_schema.typed_dict_field(cast("CoreSchema", node)) for name, node in nodes.items()}
        self._rounded = {
            field.name: np.dtype(KINDS[field.kind].dtype).type
            for field in schema.struct.layout.fields
            if field.name in schema.constrained and field.kind in ("f16", "f32") and not field.shape
        }
        self._whole = self._check_of_model()
        self.node = cast(
            "_Node",
            core_schema.no_info_wrap_validator_function(
                self._validate, core_schema.typed_dict_schema(fields, config=self._config)
            ),
        )

    def _descend(self, node: _Node, to: Iterable[str], validators: list[Any]) -> _Node:
        """Return the node of the model or of its fields, and collect the validators that run after it."""
        while node["type"] not in to:
            if node["type"] == "function-after":
                validators.insert(0, node["function"])
            node = self._core.resolved(node.get("schema", node))
        return node

    # ---- the values ----

    def _validate(self, value: Struct, check: Callable[[Any], Any]) -> Any:
        try:
            check(self._values_of(value))
        except ValidationError as error:
            if not self._rounded:
                raise
            self._check_rounded(value, check, error)
        if self._whole is not None:
            self._whole(self._schema.decode(copy.copy(value)))
        return self._schema.decode(copy.copy(value)) if self._returns_instance else value

    def _check_rounded(self, value: Struct, check: Callable[[Any], Any], error: ValidationError) -> None:
        """Check once more, with other numbers that are stored as the refused ones are."""
        numbers = {name: getattr(value, name) for name in self._rounded}
        others = {name: self._equivalents(name, number) for name, number in numbers.items() if number is not None}
        fields: dict[str, Any] = {}
        while True:
            places = (details["loc"] for details in error.errors(include_url=False, include_input=False))
            again = [place[0] for place in places if place and others.get(cast("str", place[0]))]
            if not again:
                raise error
            fields.update({name: others[name].pop() for name in cast("list[str]", again)})
            try:
                check(self._values_of(value) | fields)
            except ValidationError as raised:
                error = raised
            else:
                return

    def _equivalents(self, name: str, number: float) -> list[float]:
        """Return the shortest decimal number, and bounds, that are stored as a number is."""
        scalar = self._rounded[name]
        found = [float(str(scalar(number)))]
        with np.errstate(over="ignore"):
            found += [bound for bound in _bounds(self._schema.fields[name].metadata) if scalar(bound) == number]
        return found

    def _values_of(self, value: Struct) -> dict[str, Any]:
        if self._live:  # validators may write to arrays
            value = copy.copy(value)
        return {name: getattr(value, name) for name in self._names}

    # ---- the whole ----

    def _check_of_model(self) -> Callable[[Any], object] | None:
        if not self._model_validators and not self._root_validators:
            return None
        check_fields, validate = self._chain(self._root_validators), self._chain(self._model_validators)
        converts = functools.cache(lambda: _converts(self._revalidated(validate), self._trials(), _same_bytes))

        def check(instance: Any) -> None:
            if self._root_validators:  # of pydantic 1, which get what the fields of a model are made of
                fields: dict[str, Any] = dict(instance.__dict__)
                check_fields((fields, None, set(fields)))
            try:
                validate(instance)
            except Exception:
                if not converts():
                    raise

        return check

    def _chain(self, validators: Iterable[Any]) -> Callable[[Any], Any]:
        node = _ANY
        for function in validators:
            node = {"type": "function-after", "function": function, "schema": node}
        return SchemaValidator(cast("CoreSchema", node), self._config).validate_python

    def _revalidated(self, validate: Callable[[Any], Any]) -> Callable[[Any], Any]:
        schema = self._schema
        return lambda struct: schema.encode(validate(schema.decode(copy.copy(struct))))

    def _trials(self) -> Iterator[Struct]:
        yield initial(self._schema.struct)
        ones = initial(self._schema.struct)
        for field in self._schema.struct.layout.fields:
            if not field.shape and field.struct is None and KINDS[field.kind].python in (int, float):
                setattr(ones, field.name, 1)
        yield ones

    # ---- one field ----

    def _field(self, field: LayoutField) -> _Node:
        """Return the check of one field; _ANY if there is nothing to check."""
        name = field.name
        nested, items = self._schema.nested.get(name), self._schema.items.get(name)
        leaf = _ANY
        if nested is not None and nested.has_constraints:
            leaf = _ClassCheck(nested, wanted=self._live).node
        elif nested is not None and self._live:
            leaf = _plain(nested.decode)
        elif items is not None and items.has_constraints:
            leaf = _items_node(items, len(field.shape))
        if name not in self._schema.constrained or name not in self._cores:
            return leaf
        core = self._cores[name]
        node = self._kept(core, leaf)
        if not _has_validators(self._core, core):
            return node
        samples = list(_samples(field, plan_of(self._schema.struct).defaults, self._schema.fields[name].metadata))
        if nested is not None:
            samples = [nested.decode(sample) for sample in samples if isinstance(sample, Struct)]
        original = functools.partial(self._core.validator, core, self._config)
        after = SchemaValidator(cast("CoreSchema", self._kept(core, leaf, after=True)), self._config)
        return _lenient(node, after.validate_python, original, samples)

    def _kept(self, node: _Node, leaf: _Node, *, after: bool = False) -> _Node:
        """Return what judges values, and not the input that they were made of; `leaf` checks the bare value.

        With `after`, only what stands after all validators of the user's.
        """
        kind = node["type"]
        if after and _is_users(node):
            return leaf
        kept = functools.partial(self._kept, leaf=leaf, after=after)
        if kind == "function-after":
            inner = kept(node["schema"])
            return inner if _is_ours(node) else {"type": kind, "function": node["function"], "schema": inner}
        if kind == "function-wrap" and _is_pydantics(node):  # a constraint on a type that has none of that kind
            return {"type": kind, "function": node["function"], "schema": kept(node["schema"])}
        if kind == "function-wrap" and _is_ours(node):  # of arrays, whose items are no lists any more
            return leaf
        if kind in ("function-before", "function-wrap", "default"):
            return kept(node["schema"])
        if kind == "chain":
            return {"type": kind, "steps": [kept(step) for step in node["steps"]]}
        if kind == "definition-ref":
            return kept(self._core.resolved(node))
        if kind == "json-or-python":
            return kept(node["python_schema"])
        if kind == "lax-or-strict":
            return kept(node["lax_schema"])
        if kind in ("function-plain", "model", "dataclass", "any"):
            return leaf
        return {key: value for key, value in node.items() if key not in ("serialization", "ref")}


# ---- pydantic's schema of a class ----------------------------------------------------------------------------------


class _Core:
    """The core schema of a class, and the definitions that it refers to."""

    def __init__(self, schema: Any) -> None:
        self.definitions: list[_Node] = []
        self._by_ref: dict[str, _Node] = {}
        root: _Node = schema
        for node in _nodes(schema):
            if "ref" in node:
                self._by_ref[node["ref"]] = node
        while root["type"] == "definitions":
            self.definitions += root["definitions"]
            root = root["schema"]
        self.root = self.resolved(root)

    def resolved(self, node: _Node) -> _Node:
        """Return what a reference refers to."""
        return self._by_ref[node["schema_ref"]] if node["type"] == "definition-ref" else node

    def validator(self, node: _Node, config: Any) -> SchemaValidator:
        """Return pydantic's own validator of a part."""
        return SchemaValidator(core_schema.definitions_schema(cast("Any", node), cast("Any", self.definitions)), config)


def _core_of(source: type[Any]) -> _Core:
    core: Any = vars(source).get("__pydantic_core_schema__")
    if not isinstance(core, dict):  # a dataclass of the standard library, or a model that is not complete yet
        try:
            core = TypeAdapter(source).core_schema
        except Exception as error:
            raise SchemaError(
                f"{source.__name__}: its constraints cannot be checked, as pydantic has no schema for it: {error}"
            ) from error
    return _Core(core)


def _fields_of(core: _Core, node: _Node) -> Iterator[tuple[str, _Node]]:
    """Yield the names and core schemas of the fields of a model or dataclass."""
    if node.get("root_model"):
        yield "root", node["schema"]
        return
    node = core.resolved(node["schema"])
    while node["type"] not in ("model-fields", "dataclass-args"):
        node = core.resolved(node["schema"])
    fields: Any = node["fields"]
    if isinstance(fields, dict):
        for name, field in cast("Mapping[str, _Node]", fields).items():
            yield name, field["schema"]
    else:
        for field in cast("Iterable[_Node]", fields):
            yield field["name"], field["schema"]


def _nodes(part: Any) -> Iterator[_Node]:
    """Yield all core schemas within one, in any depth."""
    if isinstance(part, dict):
        node = cast("_Node", part)
        if isinstance(node.get("type"), str):
            yield node
        for key, value in node.items():
            if key not in ("metadata", "serialization", "config", "default", "function"):
                yield from _nodes(value)
    elif isinstance(part, list):
        for item in cast("Sequence[Any]", part):
            yield from _nodes(item)


def _has_validators(core: _Core, node: _Node) -> bool:
    """Return True if a field has validators of the user's."""
    if node["type"] == "definition-ref":
        return _has_validators(core, core.resolved(node))
    if node["type"] == "function-wrap" and _is_ours(node):
        return False
    if _is_users(node):
        return True
    parts = [node[key] for key in ("schema", "python_schema", "lax_schema") if key in node]
    return node["type"] not in ("model", "dataclass") and any(
        _has_validators(core, part) for part in (*parts, *node.get("steps", ()))
    )


def _library_of(node: _Node) -> str:
    function: Any = node["function"]["function"]
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__module__", "")).partition(".")[0]


def _is_ours(node: _Node) -> bool:
    """Return True for what the markers do, which the Struct does as well."""
    return _library_of(node) == "typedshm"


def _is_users(node: _Node) -> bool:
    return node["type"].startswith("function-") and not _is_ours(node) and not _is_pydantics(node)


def _is_pydantics(node: _Node) -> bool:
    return _library_of(node) == "pydantic"


# ---- checks ---------------------------------------------------------------------------------------------------------


def _plain(function: Callable[[Any], Any]) -> _Node:
    return cast("_Node", core_schema.no_info_plain_validator_function(function))


def _items_node(items: ClassSchema, depth: int) -> _Node:
    """Return the check of an array of models or dataclasses."""
    struct = items.struct
    lists = cast("CoreSchema", _ClassCheck(items).node)
    for _ in range(depth):
        lists = core_schema.list_schema(lists)

    def structs(array: Any) -> Any:
        if len(array.shape) > 1:
            return [structs(part) for part in array]
        data, size = array.tobytes(), struct.layout.size
        found: list[Struct] = []
        for start in range(0, len(data), size):
            item = struct.__new__(struct)
            memoryview(cast("Any", item)).cast("B")[:] = data[start : start + size]
            found.append(item)
        return found

    def validate(array: Any, check: Callable[[Any], Any]) -> Any:
        check(structs(np.asarray(array)))
        return array

    return cast("_Node", core_schema.no_info_wrap_validator_function(validate, lists))


def _lenient(
    node: _Node, after: Callable[[Any], object], original: Callable[[], SchemaValidator], samples: Iterable[Any]
) -> _Node:
    """Return a check that counts only what stands after the field's own validators, if these convert."""
    converts = functools.cache(lambda: _converts(original().validate_python, samples, same_value))

    def validate(value: Any, check: Callable[[Any], Any]) -> Any:
        try:
            judged = check(value)
        except Exception:
            if not converts():
                raise
            judged = after(value)
        return judged if isinstance(value, Struct) else value

    return cast("_Node", core_schema.no_info_wrap_validator_function(validate, cast("CoreSchema", node)))


def _converts(validate: Callable[[Any], Any], samples: Iterable[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Return True if validators do not leave their own results alone."""
    for sample in samples:
        try:
            result = validate(copy.deepcopy(sample))
        except Exception:  # it is no input for them
            continue
        try:
            again = validate(copy.deepcopy(result))
        except Exception:
            return True
        if not same(result, again):
            return True
    return False


def _same_bytes(one: Struct, other: Struct) -> bool:
    return bytes(cast("Any", one)) == bytes(cast("Any", other))


def _bounds(metadata: Iterable[object]) -> Iterator[float]:
    """Yield the bounds in a field's metadata."""
    for item in metadata:
        for part in (item, *getattr(item, "metadata", ())):  # Field() of a dataclass of the standard library
            bounds = (getattr(part, name, None) for name in ("ge", "gt", "le", "lt"))
            yield from (bound for bound in bounds if isinstance(bound, int | float))


_NUMBERS = (0, 1, 2, 3, 7, 10, 50, 90, 100, -1, 0.5, 1.5)
_TEXTS = ("", "a", "a b", "Abc def", "abcdefgh", "ABCDEFGH12345678")
_MOMENT = datetime(2024, 2, 29, 12, tzinfo=UTC)


def _sample_shape(field: LayoutField) -> tuple[int, ...]:
    """Return the shape of an array, of one whose shape varies a small one."""
    return tuple(min(dim, 3) if axis < field.varying else dim for axis, dim in enumerate(field.shape))


def _samples(field: LayoutField, defaults: Mapping[str, object], metadata: Iterable[object]) -> Iterator[Any]:
    """Yield typical values of a field, to try validators on."""
    if field.name in defaults:
        yield defaults[field.name]
    kind = KINDS.get(field.kind)
    if kind is None:
        return
    if field.shape:
        for value in (0, 1, 2) if kind.python in (int, float) else ():
            yield np.full(_sample_shape(field), value).astype(field.item_dtype)
    elif kind.python in (int, float):
        for number in (*_NUMBERS, *_bounds(metadata)):
            if kind.python is float or number == int(number):
                yield kind.python(number)
    elif kind.python is bool:
        yield from (False, True)
    elif kind.python is str:
        yield from _TEXTS
    elif kind.python is bytes:
        yield bytes(field.length)
    elif field.kind == "timestamp":
        yield _MOMENT if field.face == "datetime" else np.datetime64(0, "ns")
