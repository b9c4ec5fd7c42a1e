"""Expressions: conditions on the fields of a value, such as ``speed > 30 and gear == DRIVE``.

They look like Python's, and are read by Python's own parser, but nothing of them is ever run as Python: each kind of
node that is known is turned into a function, and all others are refused.
"""

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import click

import typedshm
from typedshm.cli.terminal import printable
from typedshm.cli.values.conversions import time_of
from typedshm.cli.values.parts import Step, part_of, type_of, unknown, whole
from typedshm.cli.values.terms import NUMBERS, Getter, Sort, Term, length, magnitude, reduction, term_of_part

_LONGEST = 1000

_operator: Any = operator

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _operator.add,
    ast.Sub: _operator.sub,
    ast.Mult: _operator.mul,
    ast.Div: _operator.truediv,
    ast.FloorDiv: _operator.floordiv,
    ast.Mod: _operator.mod,
    ast.BitAnd: _operator.and_,
    ast.BitOr: _operator.or_,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS = ("abs", "all", "any", "len", "max", "mean", "min", "sum")
_CONSTANTS: dict[str, bool | float] = {"true": True, "false": False, "nan": math.nan, "inf": math.inf}


class Expression:
    """A condition, which :meth:`of` makes a function of the values of a layout.

    Raises
    ------
    click.UsageError
        It is no expression, or has something in it that is not allowed.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > _LONGEST:
            raise click.UsageError(f"expected an expression of at most {_LONGEST} characters, found {len(text)}")
        try:
            with warnings.catch_warnings(action="ignore"):  # of the parser, about escapes and the like
                self._body = ast.parse(text.strip(), mode="eval").body
            for node in ast.walk(self._body):
                if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS):
                    raise click.UsageError(f"{_source(node.func)} is no function; expected {', '.join(_FUNCTIONS)}")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            why = f" ({_remedy(text) or printable(error.msg)})" if isinstance(error, SyntaxError) else ""
            raise click.UsageError(f"expected a condition such as 'speed > 30', found {self}{why}") from None

    def of(self, layout: "typedshm.Layout") -> Callable[[Any], bool]:
        """Return the condition as a function of a value.

        Raises
        ------
        click.UsageError
            It has fields that the layout has not, or compares what cannot be compared.
        """
        try:
            term = _Compiler(layout).term(self._body, None)
        except RecursionError:
            raise click.UsageError(f"{self} is nested too deeply") from None
        if term.sort not in NUMBERS:
            raise click.UsageError(f"expected a condition, found {self}, which is {_words(term)}")

        def holds(value: Any) -> bool:
            try:
                return _is_true(term.get(value))
            except RecursionError:
                raise click.UsageError(f"{self} is nested too deeply") from None

        return holds

    def __str__(self) -> str:
        """Return it as it can be printed."""
        return printable(repr(self._text))


class _Compiler:
    """Turns nodes into terms for one layout."""

    def __init__(self, layout: "typedshm.Layout") -> None:
        self._layout = layout
        self._whole = whole(layout)

    def term(self, node: ast.expr, enum: "typedshm.Enumeration | None") -> Term:
        """Return the term of a node; `enum` is that of what it is compared with."""
        if isinstance(node, ast.Constant):
            return _constant(node)
        if isinstance(node, ast.BoolOp):
            return self._bool_op(node, enum)
        if isinstance(node, ast.UnaryOp):
            return self._unary_op(node, enum)
        if isinstance(node, ast.BinOp):
            return self._bin_op(node, enum)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.List):
            return self._named(node, enum)
        raise _refused(node)

    # ---- fields and names ----

    def _named(self, node: ast.expr, enum: "typedshm.Enumeration | None") -> Term:
        steps = tuple(_steps(node))
        first = steps[0]
        if isinstance(first, str) and not self._has(first):
            if len(steps) == 1 and first.lower() in _CONSTANTS:
                return _term_of(_CONSTANTS[first.lower()])
            return _term_of(self._member(steps, enum))
        return term_of_part(part_of(self._layout, steps))

    def _has(self, name: str) -> bool:
        struct = self._whole.field.struct
        if self._whole.field.shape:
            return name == "array"
        return struct is not None and any(field.name == name for field in struct.fields)

    def _member(self, steps: tuple[Step, ...], enum: "typedshm.Enumeration | None") -> int:
        """Return the number of a member: ``DRIVE``, or ``Gear.DRIVE``."""
        name = steps[-1]
        enums = [enum] if enum is not None else list(_enums(self._layout))
        if len(steps) == 2:
            enums = [one for one in _enums(self._layout) if one.name == steps[0]]
        found = {number for one in enums for member, number in one.members if member == name}
        if len(found) == 1 and len(steps) <= 2:
            return found.pop()
        if found:
            raise click.UsageError(f"{name} is a member of several enums: write one of them, as in Gear.{name}")
        members = [member for one in enums for member, _ in one.members] if enum or len(steps) == 2 else []
        fields = ["array"] if self._whole.field.shape else [field.name for field in self._layout.fields]
        if members and enum is not None:
            what = f"a field of {printable(self._layout.name)} or a member of {printable(enum.name)}"
            raise unknown(str(name), [*members, *fields], what)
        raise unknown(str(steps[0]), fields, f"a field of {printable(self._layout.name)}")

    def _enum_of(self, nodes: list[ast.expr]) -> "typedshm.Enumeration | None":
        """Return the enum of the first field among nodes, or in their arithmetic."""
        for node in nodes:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name | ast.Attribute | ast.Subscript | ast.List):
                    steps = tuple(_steps(inner))
                    if isinstance(steps[0], str) and not self._has(steps[0]):
                        continue
                    if (enum := self._named(inner, None).enum) is not None:
                        return enum
                    break
        return None

    # ---- operators ----

    def _bool_op(self, node: ast.BoolOp, enum: "typedshm.Enumeration | None") -> Term:
        terms = [_number(self.term(value, enum), value) for value in node.values]
        getters = [term.get for term in terms]
        if isinstance(node.op, ast.And):
            return Term("bool", lambda value: all(_is_true(get(value)) for get in getters))
        return Term("bool", lambda value: any(_is_true(get(value)) for get in getters))

    def _unary_op(self, node: ast.UnaryOp, enum: "typedshm.Enumeration | None") -> Term:
        term = self.term(node.operand, enum)
        get = term.get
        if isinstance(node.op, ast.Not):
            _number(term, node.operand)
            return Term("bool", lambda value: not _is_true(get(value)))
        if isinstance(node.op, ast.Invert) or (term.sort not in (*NUMBERS, "complex")):
            raise _refused(node)
        sort: Sort = "int" if term.sort == "bool" else term.sort
        return Term(sort, (lambda value: -get(value)) if isinstance(node.op, ast.USub) else get)

    def _bin_op(self, node: ast.BinOp, enum: "typedshm.Enumeration | None") -> Term:
        act = _ARITHMETIC.get(type(node.op))
        if act is None:
            raise _refused(node)
        enum = enum or self._enum_of([node.left, node.right])
        left, right = self.term(node.left, enum), self.term(node.right, enum)
        bits = isinstance(node.op, ast.BitAnd | ast.BitOr)
        allowed = ("int", "bool") if bits else (*NUMBERS, "complex")
        for term, inner in ((left, node.left), (right, node.right)):
            if term.sort not in allowed:
                raise click.UsageError(
                    f"expected {'a whole number' if bits else 'a number'} in {_source(node)}, found {_source(inner)}, "
                    f"which is {_words(term)}"
                )
        sorts = {left.sort, right.sort}
        sort: Sort = "int" if sorts <= {"int", "bool"} and not isinstance(node.op, ast.Div) else "float"
        sort = "complex" if "complex" in sorts else sort
        if sort == "complex" and isinstance(node.op, ast.FloorDiv | ast.Mod):
            raise _refused(node)
        one, other = left.get, right.get

        def get(value: object) -> Any:
            try:
                return act(one(value), other(value))
            except (ZeroDivisionError, OverflowError):
                return math.nan

        return Term(sort, get)

    def _compare(self, node: ast.Compare) -> Term:
        operands = [node.left, *node.comparators]
        enum = self._enum_of(operands)
        terms = [self.term(operand, enum) for operand in operands]
        links: list[Getter] = []
        for at, op in enumerate(node.ops):
            compare = _COMPARISONS.get(type(op))
            if compare is None:
                raise _refused(node)
            left, right = _comparable(terms[at], terms[at + 1], enum, node)
            ordered = not isinstance(op, ast.Eq | ast.NotEq)
            if ordered and "complex" in (left.sort, right.sort):
                raise click.UsageError(f"complex numbers have no order: compare abs(...) in {_source(node)}")
            links.append(_link(compare, left.get, right.get, isinstance(op, ast.NotEq)))
        return Term("bool", lambda value: all(link(value) for link in links))

    def _call(self, node: ast.Call) -> Term:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if node.keywords or not node.args or (len(node.args) > 1 and name not in ("min", "max")):
            raise click.UsageError(f"expected {name}(...) with one array, found {_source(node)}")
        terms = [self.term(arg, None) for arg in node.args]
        if len(terms) > 1:
            getters = [_number(term, arg).get for term, arg in zip(terms, node.args, strict=True)]
            choose = min if name == "min" else max
            sort: Sort = "float" if any(term.sort == "float" for term in terms) else "int"
            return Term(sort, lambda value: choose(get(value) for get in getters))
        (term,) = terms
        made = length(term) if name == "len" else magnitude(term) if name == "abs" else reduction(name, term)
        if made is None:
            wanted = {"len": "an array or text", "abs": "a number"}.get(name, "an array of numbers")
            raise click.UsageError(f"{_source(node)}: expected {wanted}, found {_words(term)}")
        return made


# ---- terms ---------------------------------------------------------------------------------------------------------


def _constant(node: ast.Constant) -> Term:
    if not isinstance(node.value, bool | int | float | str):
        raise _refused(node)
    return _term_of(node.value)


def _term_of(constant: bool | float | str) -> Term:
    sorts: dict[type, Sort] = {bool: "bool", int: "int", float: "float", str: "text"}
    return Term(sorts[type(constant)], _always(constant), constant=constant)


def _always(constant: Any) -> Getter:
    return lambda value: constant


def _number(term: Term, node: ast.expr) -> Term:
    if term.sort not in NUMBERS:
        hint = "; compare an item of it, or its min(), max() or mean()" if term.sort == "array" else ""
        raise click.UsageError(
            f"expected a number or a condition, found {_source(node)}, which is {_words(term)}{hint}"
        )
    return term


def _is_true(found: Any) -> bool:
    return bool(found) and found == found


def _comparable(left: Term, right: Term, enum: "typedshm.Enumeration | None", node: ast.Compare) -> tuple[Term, Term]:
    """Return two terms that can be compared: text becomes the time or the enum's member that it stands for."""
    sides = [left, right]
    for at, (side, other) in enumerate([(left, right), (right, left)]):
        if isinstance(side.constant, str) and other.sort == "time":
            sides[at] = Term("time", _always(time_of(side.constant)))
        elif isinstance(side.constant, str) and other.enum is not None and enum is not None:
            members = dict(enum.members)
            if side.constant not in members:
                raise unknown(side.constant, list(members), f"a member of {printable(enum.name)}")
            sides[at] = _term_of(members[side.constant])
    groups = [_group(side) for side in sides]
    for side, group in zip(sides, groups, strict=True):
        if group in ("array", "struct"):
            hint = "an item of it, or its min(), max() or mean()" if group == "array" else "a field of it"
            raise click.UsageError(f"{_source(node)}: {_words(side)} cannot be compared; compare {hint}")
    if groups[0] != groups[1]:
        raise click.UsageError(f"{_source(node)}: {_words(sides[0])} cannot be compared with {_words(sides[1])}")
    return sides[0], sides[1]


def _group(term: Term) -> str:
    return "number" if term.sort in (*NUMBERS, "complex") else term.sort


def _link(compare: Callable[[Any, Any], Any], left: Getter, right: Getter, negative: bool) -> Getter:
    def holds(value: object) -> bool:
        one, other = left(value), right(value)
        if one is None or other is None:  # text that does not decode is like no other
            return negative
        return bool(compare(one, other))

    return holds


# ---- nodes ---------------------------------------------------------------------------------------------------------


def _steps(node: ast.expr) -> Iterator[Step]:
    """Yield the steps of ``pose.x``, ``path[0].x``, and of a bare array's item ``[2,3]``."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield from _steps(node.value)
        yield node.attr
    elif isinstance(node, ast.Subscript):
        yield from _steps(node.value)
        yield tuple(_indices(node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]))
    elif isinstance(node, ast.List) and node.elts:
        yield tuple(_indices(node.elts))
    else:
        raise _refused(node)


def _indices(nodes: list[ast.expr]) -> Iterator[int]:
    for node in nodes:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        if not isinstance(inner, ast.Constant) or type(inner.value) is not int:
            raise click.UsageError(f"expected a whole number as the index, found {_source(node)}")
        yield -inner.value if negative else inner.value


def _enums(layout: "typedshm.Layout") -> Iterator["typedshm.Enumeration"]:
    for field in layout.fields:
        if field.enum is not None:
            yield field.enum
        if field.struct is not None:
            yield from _enums(field.struct)


def _remedy(text: str) -> str | None:
    for wrong, right in (("&&", "and"), (r"\|\|", "or"), ("(?<![=!<>])=(?!=)", "==")):
        if found := re.search(wrong, text):
            return f"write {right!r} for {found[0]!r}"
    return None


def _source(node: ast.expr) -> str:
    return printable(ast.unparse(node))


def _words(term: Term) -> str:
    if term.field is not None:
        return f"the field {printable(term.field.name)} ({type_of(term.field)})"
    return {"int": "a number", "float": "a number", "bool": "a condition", "complex": "a complex number"}.get(
        term.sort, term.sort
    )


def _refused(node: ast.expr) -> click.UsageError:
    """Return the error for a node that is not allowed."""
    return click.UsageError(
        f"{_source(node)} is not allowed: expected fields, numbers, text, members of enums, comparisons, and, or, not, "
        f"+ - * / // % & |, and {', '.join(_FUNCTIONS)}"
    )
