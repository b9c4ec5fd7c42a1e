"""The matrix of kinds: what each kind of field does in each place. ``python tests/helpers/matrix.py`` prints it."""

import copy
import dataclasses
import json
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from numpy.typing import NDArray
from pydantic import create_model

import typedshm
from helpers.kinds import CASES, Case, struct_of
from helpers.wire import store
from typedshm import FieldValueError, Struct, asdict
from typedshm.layout import document
from typedshm.testing.strategies import instances


def equal(one: Any, other: Any) -> bool:
    """Compare what two fields read as; NaN is like itself, since nothing was lost."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = (array.astype(array.dtype.newbyteorder("=")) for array in map(np.asarray, (one, other)))
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return bool(one == other) or (one != one and other != other)


def made(case: Case, value: Any = None) -> Any:
    """A Struct with a value in ``x``."""
    struct = case.struct.zero()
    struct.x = case.value if value is None and case.value is not None else value
    return struct


def broken(case: Case) -> Any:
    """A Struct whose memory holds what ``x`` cannot be, or None if there is no such thing."""
    field = case.struct.layout.fields[-1]
    if case.broken is None and not field.varying:
        return None
    struct = case.struct.zero()
    if field.count:
        struct.used = 200
    elif field.free:
        number = (field.shape[field.free - 1] + 1).to_bytes(4, field.byte_order)
        memoryview(struct).cast("B")[field.offset + 4 * (field.free - 1) :][:4] = number
    else:
        memoryview(struct).cast("B")[field.offset : field.end] = case.broken
    return struct


# ---- the places ----------------------------------------------------------------------------------------------------


def check_struct(case: Case) -> None:
    cls = case.struct
    for value in case.values():
        one = made(case, value)
        assert equal(one.x, value), (one.x, value)
        again = cls.zero()
        again.x = one.x
        assert bytes(again) == bytes(one)
        assert again == one
        assert (again != one) is False
        constructed = cls(**{field.name: getattr(one, field.name) for field in cls.layout.fields})
        assert bytes(constructed) == bytes(one)
        for other in (
            copy.copy(one),
            copy.deepcopy(one),
            typedshm.replace(one, x=value),
            pickle.loads(pickle.dumps(one)),
        ):
            assert bytes(other) == bytes(one)
            assert other == one
        found = asdict(one)
        assert equal(found["x"], asdict(one.x) if isinstance(value, Struct) else value)
        assert repr(one).startswith("Row(")
        assert "x=" in repr(one)
        assert one._repr_html_()
        assert json.loads(json.dumps(asdict(one, mode="json")))
    one = made(case)
    assert asdict(one, mode="json")["x"] == case.json
    if case.data is not None:
        assert typedshm.raw(one, "x") == case.data
    with pytest.raises((TypeError, ValueError), match=r"Row\.x: "):
        one.x = object()
    check_broken(case)


def check_broken(case: Case) -> None:
    """What memory holds and Python cannot is refused by the field alone, by name."""
    struct = broken(case)
    if struct is None:
        return
    with pytest.raises(FieldValueError, match=r"Row\.x: "):
        _ = struct.x
    assert struct == copy.copy(struct)
    assert struct == pickle.loads(pickle.dumps(struct))
    assert struct != made(case)
    assert "x=<unreadable: " in repr(struct)
    assert "x" in asdict(struct)
    assert json.dumps(asdict(struct, mode="json"))
    assert typedshm.raw(struct, "x")


def beside(case: Case, value: Any) -> dict[str, int]:
    """The values of the other fields, of which one may count the items of the value."""
    count = len(value) if case.struct.layout.fields[-1].count else 1
    return dict.fromkeys(case.beside, count)


def check_dataclass(case: Case) -> None:
    cls = dataclasses.make_dataclass("Row", [*case.beside.items(), ("x", case.annotation)])
    check_source(case, cls)


def check_model(case: Case) -> None:
    fields: dict[str, Any] = {name: (annotation, ...) for name, annotation in case.beside.items()}
    cls = create_model("Row", **fields, x=(case.annotation, ...))
    check_source(case, cls)
    for value in case.values():
        instance = cls(**beside(case, value), x=value)
        again = cls.model_validate_json(instance.model_dump_json())
        assert equal(again.x, value), (again.x, value)
        assert equal(cls.model_validate(json.loads(instance.model_dump_json())).x, value)
    assert json.loads(cls(**beside(case, case.value), x=case.value).model_dump_json())["x"] == case.json
    assert cls.model_json_schema()["properties"]["x"]
    with pytest.raises(ValueError, match="x"):
        cls(**dict.fromkeys(case.beside, 1), x=object())
    model = case.struct.model()
    one = made(case)
    assert json.loads(model.model_validate(one).model_dump_json()) == asdict(one, mode="json")
    assert typedshm.to_struct(model.model_validate_json(json.dumps(asdict(one, mode="json")))) == one or one != one


def check_source(case: Case, cls: Any) -> None:
    """Write instances of a class to a region and read them."""
    if {"pack", "byte_order", "size", "align"} & case.options.keys():
        case = dataclasses.replace(case, options={})  # which are options of Structs
    with typedshm.create("row", cls) as region:
        for value in case.values():
            instance = cls(**beside(case, value), x=value)
            region.write(instance)
            found = region.read()
            assert type(found) is cls
            assert equal(found.x, typedshm.to_struct(instance).x), (found.x, value)
            if case.beside == {"used": typedshm.u8}:
                assert found.used == len(value)
    assert typedshm.layout_of(cls).id == case.struct.layout.id


def check_document(case: Case) -> None:
    layout = case.struct.layout
    text = layout.to_document(indent=1)
    found, _ = document.parse(text)
    assert found == layout
    assert found.id == layout.id
    described = typedshm.layout_of(case.struct).to_document()
    with typedshm.create("row", case.struct) as region, typedshm.attach("row") as other:
        region.write(made(case))
        value = other.read()
        assert asdict(value, mode="json") == asdict(made(case), mode="json")
        assert type(value).layout.to_document() == described
    field = json.loads(text)
    field["layout"]["fields"][-1]["kind"] = "later"
    with pytest.raises(typedshm.DocumentError, match=r"kind: expected one of .*, found 'later'"):
        document.parse(json.dumps(field).encode())
    field["layout"]["fields"][-1] |= {"kind": layout.fields[-1].kind, "later": 1}
    with pytest.raises(typedshm.DocumentError, match=r"expected no key but .*, found 'later'"):
        document.parse(json.dumps(field).encode())


OTHER = Annotated[NDArray[np.int64], typedshm.Shape(77)]


def check_diff(case: Case) -> None:
    mine, other = case.struct, struct_of(OTHER, case.beside, {})
    same = typedshm.compare(mine, struct_of(case.annotation, case.beside, case.options))
    assert same.same
    assert not same.changes
    changed = typedshm.compare(mine, other)
    assert not changed.same
    assert "x" in [change.field for change in changed.changes if change.kind == "retyped"]
    assert not changed.old_on_new.read
    assert mine.layout.diff(other.layout)
    if case.variant is not None:
        variant = typedshm.compare(mine, struct_of(case.variant, case.beside, case.options))
        assert variant.same
        assert case.change in [change.kind for change in variant.changes]
        assert variant.old_on_new.write
        assert repr(variant)


def check_show(case: Case) -> None:
    from helpers.terminal import run_here  # needs the extra "cli"

    one = made(case)
    with typedshm.share("row", one) as region:
        shown = run_here("show", "row")
        assert shown.returncode == 0, shown.stderr
        assert f"x {case.text}".rstrip() in " ".join(shown.stdout.split()), shown.stdout
        assert json.loads(run_here("show", "row", "--json").stdout) == asdict(one, mode="json")
        assert json.loads(run_here("show", "row.x", "--json").stdout) == case.json
        setting = case.setting if case.setting is not None else _setting(case)
        region.write(case.struct.zero())
        done = run_here("set", "row", f"x={setting}")
        assert done.returncode == 0, done.stderr
        assert equal(region.read().x, one.x), done.stdout
        damaged = broken(case)
        if damaged is not None:
            store(region, damaged)
            for command in (("show", "row"), ("show", "row", "--json"), ("show", "row", "--full")):
                assert run_here(*command).returncode == 0
        for command in ("layout", "schema show"):
            done = run_here(*command.split(), "row")
            assert done.returncode == 0, done.stderr
    path = Path("row.json")
    path.write_bytes(case.struct.layout.to_document())
    done = run_here("schema", "validate", str(path))
    assert done.returncode == 0, done.stdout


def _setting(case: Case) -> str:
    return case.json if isinstance(case.json, str) else json.dumps(case.json)


def check_strategy(case: Case) -> None:
    cls = case.struct

    @settings(
        max_examples=25,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(instances(cls))
    def check(value: Any) -> None:
        again = cls.zero()
        for field in [*cls.layout.fields[:-1], cls.layout.fields[-1]]:
            setattr(again, field.name, getattr(value, field.name))
        assert asdict(again, mode="json") == asdict(value, mode="json")
        assert equal(again.x, value.x)
        copied = cls.model().model_validate_json(json.dumps(asdict(value, mode="json")))
        if not np.size(value.x):  # nested lists do not tell how long those are that are not there
            assert not np.size(typedshm.to_struct(copied).x)
            return
        assert equal(typedshm.to_struct(copied).x, value.x)

    check()


PLACES: dict[str, Callable[[Case], None]] = {
    "Struct": check_struct,
    "dataclass": check_dataclass,
    "model": check_model,
    "document": check_document,
    "diff": check_diff,
    "show": check_show,
    "strategy": check_strategy,
}


# ---- on the command line --------------------------------------------------------------------------------------------


def main() -> int:
    """Print the matrix, and what failed; return 1 if anything did."""
    import os
    import tempfile

    failures: list[str] = []
    width = max(len(case.name) for case in CASES)
    print(" " * width, *PLACES)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for case in CASES:
            cells: list[str] = []
            for place, check in PLACES.items():
                try:
                    with typedshm.testing.isolated():
                        check(case)
                except Exception:
                    failures.append(f"{case.name}, {place}:\n{traceback.format_exc(limit=-4)}")
                    cells.append("FAILS".center(len(place)))
                else:
                    cells.append("ok".center(len(place)))
            print(case.name.ljust(width), *cells, flush=True)
        os.chdir("/")
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    import typedshm.testing

    sys.exit(main())
