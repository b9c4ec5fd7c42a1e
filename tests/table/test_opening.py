"""Opening tables: by schema, keys, Topic, pickle, file and fork; and what is refused."""

import contextlib
import copy
import ctypes
import dataclasses
import os
import pickle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray

import typedshm
from helpers import marks
from helpers.peers import START_METHODS, Child, quiet_fork, run_script, stop_forkserver
from helpers.shared_types import Record, record
from typedshm import LayoutMismatch, Region, RegionWarning, SchemaError, Struct, Table, Topic, UpTo, f64, i32, rows, u8
from typedshm.testing.inspection import attach_apart

ARMS = ["left", "right", "ünder the table"]


class Point(Struct):
    """Some of a Record's first fields would not be these."""

    x: f64
    y: f64


@pytest.fixture
def table() -> Any:
    with typedshm.create("records", rows(Record, 100)) as made:
        yield made


def test_attach_finds_a_table_with_and_without_its_schema(table: Any) -> None:
    table[3] = record(3)
    for schema in (None, rows(), rows(Record), rows(Record, 100)):
        with attach_apart("records", schema) as other:
            assert type(other) is Table
            assert len(other) == 100
            assert other[3].b == record(3).b
            assert other.read([3])["a"].tolist() == [3]
            other[4] = record(4) if schema is not None and schema.row else other[3]
    assert table[4] == record(4)
    assert typedshm.attach("records").layout.id == Record.layout.id
    assert typedshm.layout_of(rows(Record)) is Record.layout
    assert typedshm.layout_of(table) is Record.layout


def test_a_table_is_no_region_and_the_other_way_round(table: Any) -> None:
    with pytest.raises(LayoutMismatch, match=r"is a table of 100 rows; attach it with rows\(Record\)"):
        typedshm.attach("records", Record)
    with pytest.raises(LayoutMismatch, match="is a table"):
        typedshm.open("records", Record)
    with typedshm.create("one", Record):
        for opening in (typedshm.attach, typedshm.open):
            with pytest.raises(LayoutMismatch, match="is no table"):
                opening("one", rows(Record, 100))  # type: ignore[operator]
        with pytest.raises(LayoutMismatch, match="is no table"):
            typedshm.attach("one", rows())
    with pytest.raises(LayoutMismatch, match="another layout"):
        typedshm.attach("records", rows(Point))
    with pytest.raises(typedshm.RegionExists):
        typedshm.create("records", rows(Record, 100))


def test_open_makes_or_finds_and_warns_of_differences(table: Any) -> None:
    with typedshm.open("records", rows(Record, 100)) as other:
        assert len(other) == 100
    with (
        pytest.warns(RegionWarning, match="expected 50 rows, found 100"),
        typedshm.open("records", rows(Record, 50)) as o,
    ):
        assert len(o) == 100
    with pytest.warns(RegionWarning, match="expected 50 rows, found 100"):
        typedshm.attach("records", rows(Record, 50)).close()
    with pytest.warns(RegionWarning, match="expected slots=1, found 2"):
        typedshm.open("records", rows(Record, 100), slots=1).close()
    with typedshm.open("new", rows(Record, 7), slots=1) as new:
        assert (len(new), new.info().slots) == (7, 1)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: rows(Record, 0), ValueError, "from 1 to 4,294,967,296, found 0"),
        (lambda: rows(Record, 2**33), ValueError, "n: expected"),
        (lambda: rows(Record, 1.5), TypeError, "n: expected a number of rows"),
        (lambda: rows(Record, True), TypeError, "n: expected"),
        (lambda: rows(Record, keys="left"), TypeError, r"keys: .*as a list"),
        (lambda: rows(Record, keys=[]), ValueError, "at least one"),
        (lambda: rows(Record, keys=["a", "a"]), ValueError, "'a' twice"),
        (lambda: rows(Record, keys=["a", 1]), TypeError, "each a str, found 1"),
        (lambda: rows(Record, keys=["\ud800"]), ValueError, "Unicode"),
        (lambda: rows(Record, 2, keys=["a", "b"]), SchemaError, "found both"),
        (lambda: rows(100), SchemaError, r"rows\(Transition, 100\)"),
        (lambda: rows(None, 100), SchemaError, "schema of a row before n"),
        (lambda: rows(rows(Record, 3), 3), SchemaError, "rows do not lie in rows"),
        (lambda: rows(typedshm.array(np.uint8, UpTo(3)), 3), SchemaError, "a Struct with that field"),
        (lambda: rows(int, 3), SchemaError, "expected a Struct"),
        (
            lambda: typedshm.create("t", rows(Record)),
            SchemaError,
            r"n or keys= to create a table, found rows\(Re",
        ),
        (lambda: typedshm.create("t", rows()), SchemaError, r"rows\(Transition, 100_000\)"),
        (lambda: typedshm.create("t", rows(Record, 3), slots=3), ValueError, "1 or 2 for the rows of a table"),
        (lambda: typedshm.create("t", rows(Record, 2**32)), ValueError, "at most 2.40 bytes"),
        (
            lambda: typedshm.create("t", rows(Record, keys=map(str, range(200_000)))),
            SchemaError,
            "at most 1,048,576 bytes",
        ),
        (lambda: Topic("t", rows(Record, 3), slots=3), ValueError, "1 or 2"),
    ],
)
def test_what_can_be_no_table_is_refused_in_words(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
    assert typedshm.regions() == []


def test_rows_with_keys() -> None:
    with typedshm.create("arms", rows(Record, keys=ARMS)) as arms:
        arms["left"] = record(1)
        arms[["right", "left"]] = [record(2), record(3)]
        arms.write(2, record(4))
        assert arms["left"] == record(3) == arms[0]
        assert arms[ARMS[2]] == record(4)
        assert arms.read(["right", "left"])["a"].tolist() == [2, 3]
        assert arms.read(np.array(["right"]))["a"].tolist() == [2]
        with arms.update("right") as arm, arms.lock("left"):
            arm.a = 9
        assert arms.versions("right") == 2
        assert arms.keys == tuple(ARMS)
        assert "left" in arms
        assert "up" not in arms
        assert 0 not in arms
        with pytest.raises(KeyError, match="did you mean 'left'"):
            arms["lefd"]
        with pytest.raises(KeyError, match="there are 'left', 'right'"):
            arms["somewhere else"] = record(1)
        with pytest.raises(KeyError):
            arms.read(["left", "up"])
        for schema in (None, rows(), rows(Record), rows(Record, keys=["right"]), rows(Record, keys=reversed(ARMS))):
            with attach_apart("arms", schema) as other:
                assert other.keys == tuple(ARMS)
                assert other["right"].a == 9
        with pytest.raises(LayoutMismatch, match=r"rows with the keys \['up'\], found the keys"):
            typedshm.attach("arms", rows(Record, keys=["left", "up"]))
        (entry,) = typedshm.regions()
        assert (entry.rows, entry.layout, entry.problem) == (3, "Record", "")
    with typedshm.create("plain", rows(Record, 2)), pytest.raises(LayoutMismatch, match="found rows without keys"):
        typedshm.attach("plain", rows(Record, keys=["left"]))


def test_names_of_empty_rows_are_their_keys() -> None:
    with (
        typedshm.create("arms", rows(Record, keys=ARMS)) as arms,
        pytest.raises(typedshm.Empty, match="nothing in row 'right' yet"),
    ):
        arms["right"]


def test_a_topic_opens_a_table() -> None:
    topic = Topic("replay", rows(Record, 20), slots=1)
    assert topic == Topic("replay", rows(Record, 20), slots=1) != Topic("replay", rows(Record, 21), slots=1)
    assert repr(topic) == "Topic('replay', rows(Record, 20), slots=1)"
    assert len({topic, copy.copy(topic), pickle.loads(pickle.dumps(topic))}) == 1
    keyed = Topic("arms", rows(Record, keys=ARMS))
    assert pickle.loads(pickle.dumps(keyed)) == keyed
    with topic.create() as table, topic.open() as other, topic.attach() as third:
        table[3] = record(3)
        assert other[3] == third[3] == record(3)
        assert table.info().slots == 1
        topic.unlink()


def test_a_look_from_outside(table: Any) -> None:
    table.append_many([record(n) for n in range(5)])
    entry = typedshm.look("records")
    assert (entry.rows, entry.version, entry.published, entry.slots) == (100, 0, None, 2)
    info = table.info()
    assert (info.rows, info.filled, info.appended, info.lapped) == (100, 5, 5, 0)
    assert (info.payload_size, info.row_size) == (80, 256)
    assert info.writers == (os.getpid(),)
    assert repr(table) == "<Table 'records' of 100 Record>"
    assert "filled" in info._repr_html_()
    assert "filled" in table._repr_html_()
    assert "filled=5" in repr(info)
    assert typedshm.regions()[0] == entry


@dataclasses.dataclass
class Trade:
    """A dataclass as a row."""

    price: f64
    count: i32 = 1


class Model(pydantic.BaseModel):
    """A model as a row, with a constraint."""

    price: f64
    count: Annotated[i32, pydantic.Field(gt=0)] = 1


class Structure(ctypes.Structure):
    """A class of ctypes as a row."""

    _fields_ = (("price", ctypes.c_double), ("count", ctypes.c_int64))


DTYPE = np.dtype([("price", "f8"), ("count", "i8"), ("when", "M8[us]")])


def test_models_and_dataclasses_are_rows() -> None:
    with typedshm.create("trades", rows(Trade, 5)) as trades:
        trades[0] = Trade(1.5)
        trades[1:3] = [Trade(2.5, 3), Trade(3.5, 4)]
        assert trades[1] == Trade(2.5, 3)
        assert trades.read(slice(0, 3))["count"].tolist() == [1, 3, 4]
        with trades.update(0) as trade:
            trade.count += 1
        trades.append(Trade(9.0))
        assert trades[0] == Trade(9.0)
        assert trades.read(4, missing="zero") == Trade(0.0, 0)
    with typedshm.create("models", rows(Model, 5)) as models:
        models[0] = Model(price=1.5)
        assert models[0] == Model(price=1.5)
        broken = models.read([0])
        broken["count"] = 0
        for write in (
            lambda: models.__setitem__(0, Model.model_construct(price=1.0, count=0)),
            lambda: models.write([1, 2], [Model(price=1.0), Model.model_construct(price=1.0, count=0)]),
            lambda: models.write([1], broken),
            lambda: models.append(Model.model_construct(price=1.0, count=0)),
        ):
            with pytest.raises(pydantic.ValidationError):
                write()
        assert models.versions([0, 1, 2]).tolist() == [1, 0, 0]


def test_dtypes_classes_of_ctypes_and_bare_arrays_are_rows() -> None:
    with typedshm.create("records", rows(DTYPE, 5)) as table:
        values = np.zeros(3, DTYPE)
        values["price"], values["when"] = [1, 2, 3], np.datetime64("2026-11-30", "us")
        table[0:3] = values
        assert (table.read([0, 1, 2]) == values).all()
        assert table[1]["price"] == 2
        table[4] = values[2]
        table.write([0], {"price": [7.0]})
        assert table[0]["price"] == 7
        assert not table[0].flags.writeable
    with typedshm.create("structures", rows(Structure, 5)) as structures:
        structures[0] = Structure(1.5, 2)
        assert (structures[0].price, structures[0].count) == (1.5, 2)
        with structures.update(0) as value:
            value.count = 7
        assert structures.read([0])["count"].tolist() == [7]
    with typedshm.create("vectors", rows(typedshm.array(np.float32, 2, 3), 5)) as vectors:
        vectors[0] = np.ones((2, 3), np.float32)
        vectors[1:3] = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
        vectors[3:5] = np.full((2, 3), 7, np.float32)
        assert vectors.read(...).shape == (5, 2, 3)
        assert vectors[2].tolist() == [[6, 7, 8], [9, 10, 11]]
        assert vectors.read([4])[0, 1, 1] == 7
        with vectors.update(0) as value:
            value[0, 0] = 5
        assert vectors[0][0, 0] == 5
        assert not vectors[0].flags.writeable
        vectors.append(np.zeros((2, 3), np.float32))
        with pytest.raises(typedshm.FieldTypeError):
            vectors.write([0], {"x": [1]})


def _use(table: Any, pipe: Any = None) -> int:
    table[7] = record(7)
    return int(table[3].a)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # one that ends soon
@pytest.mark.parametrize("method", START_METHODS)
def test_a_handle_goes_to_workers(table: Any, method: str) -> None:
    import multiprocessing

    table[3] = record(3)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_use, (table,)) == 3
    stop_forkserver()
    assert table[7] == record(7)
    again = pickle.loads(pickle.dumps(table))
    assert type(again) is Table
    assert again[3] == record(3)
    again.close()
    with pytest.raises(typedshm.Closed, match="cannot be pickled"):
        pickle.dumps(again)


@marks.fork
def test_the_child_of_a_fork_has_none_of_its_parents_rows(table: Any) -> None:
    with table.update(3) as row, table.lock(5):
        child = quiet_fork()
        if child == 0:
            status = 1
            try:
                for number in (3, 5):
                    with pytest.raises(typedshm.Timeout):
                        table.write(number, record(1), timeout=0)
                table.write(4, record(4), timeout=0)
                with table.update(6) as own:
                    own.a = 6
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert status == 0
        row.a = 3
    assert table[4] == record(4)
    assert (table[3].a, table[6].a) == (3, 6)


@marks.fork
def test_what_a_child_drops_of_its_parents_rows_stays_the_parents(table: Any) -> None:
    block, lock = table.update(3), table.lock(5)
    block.__enter__()
    lock.__enter__()
    child = quiet_fork()
    if child == 0:
        status = 1
        try:
            del block
            with contextlib.suppress(typedshm.TypedshmError):
                lock.__exit__(None, None, None)
            del lock
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    with attach_apart(table.name, typedshm.rows(Record)) as other:
        for number in (3, 5):
            with pytest.raises(typedshm.Timeout):
                other.write(number, record(1), timeout=0)
    block.__exit__(None, None, None)
    lock.__exit__(None, None, None)
    assert (table.versions(3), table.info().deaths) == (1, 0)


@marks.fork
def test_a_block_that_a_child_leaves_publishes_nothing(table: Any) -> None:
    block = table.update(3)
    block.__enter__().a = 8
    child = quiet_fork()
    if child == 0:
        status = 1
        try:
            with pytest.raises(typedshm.MisuseError, match="parent process"):
                block.__exit__(None, None, None)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0
    block.__exit__(None, None, None)
    assert (table[3].a, table.versions(3)) == (8, 1)


SCRIPT = """
import os, typedshm
from pathlib import Path
from helpers.shared_types import Record, record
table = typedshm.open(Path(os.environ["TABLE"]), typedshm.rows(Record, 100))
table[3] = record(3)
table.append_many([record(n) for n in range(5)])
table.lock([7, 8]).__enter__()
table.update(9).__enter__()
os._exit(0)
"""


def test_a_file_survives_its_processes_and_a_reboot(tmp_path: Path) -> None:
    path = tmp_path / "records.shm"
    assert run_script(SCRIPT, TABLE=str(path)).returncode == 0  # with rows held
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)  # another file with the same content: nothing of the kernel's is left
    path.chmod(0o600)
    with typedshm.attach(path, rows(Record)) as table:
        assert table[4] == record(4)
        assert table.filled == 5
        follower = table.follow(start="newest")
        assert follower.poll().tolist() == [0, 1, 2, 3, 4]
        table.write([7, 8, 9], record(1), timeout=0)
        assert follower.poll().tolist() == [7, 8, 9]
        assert table.append(record(6)) == 5
        with Child(_append, path) as child:
            child.join()
        assert table[6] == record(77)
    with typedshm.open(path, rows(Record, 100)) as table:
        assert table.versions(7) == 1
        assert follower.table.closed
    typedshm.unlink(path)


def _append(pipe: Any, path: Path) -> None:
    with typedshm.attach(path, rows(Record)) as table:
        assert table.append(record(77)) == 6


class Small(Struct):
    """Eight bytes."""

    n: typedshm.u64


def test_a_row_takes_what_it_is_said_to_take() -> None:
    for size, slots, row in (
        (8, 2, 128),
        (8, 1, 64),
        (560, 2, 1216),
        (560, 1, 640),
        (1, 2, 128),
        (24, 1, 64),
        (25, 1, 128),
    ):
        with typedshm.create("t", rows(typedshm.array(np.uint8, size), 3), slots=slots) as table:
            info = table.info()
            assert info.row_size == row
            assert info.size < 3 * row + 24 * 1024 + 2 * 128


def test_types_that_handles_have(table: Any) -> None:
    assert isinstance(table, Table)
    assert not isinstance(table, Region)
    assert isinstance(table.read([]), np.ndarray)
    values: NDArray[Any] = table.read(np.empty(0, int))
    assert values.shape == (0,)
    assert u8 is not None


def test_open_of_a_table_that_exists_needs_no_number_of_rows_and_of_none_says_so(tmp_path: Path) -> None:
    path = tmp_path / "records"
    for schema in (rows(Record), rows()):
        with pytest.raises(SchemaError, match=r"n or keys="):
            typedshm.open(path, schema)
    assert not path.exists()
    with typedshm.create(path, rows(Record, keys=["a", "b"])) as made:
        made["b"] = record(1)
    for schema in (rows(Record), rows()):
        with typedshm.open(path, schema) as table, Topic(path, schema).open() as other:
            assert table.keys == other.keys == ("a", "b")
            table["a"] = other["b"]
            assert bytes(other["a"]) == bytes(record(1))
    with pytest.warns(typedshm.RegionWarning, match="slots=1"):
        typedshm.open(path, rows(Record), slots=1).close()
