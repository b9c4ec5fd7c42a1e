"""JSON for people: what fits into a line stands in one."""

import json
from typing import Any

WIDTH = 120


def pretty(content: Any) -> bytes:
    """A document with as few lines as its width allows."""
    return "".join(_lines(content, "", 0)).encode() + b"\n"


def _lines(content: Any, indent: str, used: int) -> list[str]:
    flat = json.dumps(content, ensure_ascii=False)
    if len(indent) + used + len(flat) < WIDTH or not isinstance(content, dict | list) or not content:
        return [flat]
    inner = indent + "  "
    if isinstance(content, list):
        items = [["", *_lines(item, inner, 0)] for item in content]
    else:
        items = [[key := f"{json.dumps(name)}: ", *_lines(item, inner, len(key))] for name, item in content.items()]
    brackets = "[]" if isinstance(content, list) else "{}"
    lines = [brackets[0]]
    for number, item in enumerate(items):
        lines += ["," if number else "", f"\n{inner}", *item]
    return [*lines, f"\n{indent}", brackets[1]]
