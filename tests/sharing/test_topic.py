"""A Topic is one declaration of name, schema and options, from which every process opens the same region."""

import copy
import dataclasses
import inspect
import pickle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest

import typedshm
from helpers import peers
from helpers.peers import Child
from typedshm import Region, Struct, Topic, f64, u64
from typedshm.testing import isolated
from typedshm.testing.inspection import handle_of


class Telemetry(Struct):
    tick: u64
    speed: f64 = 0.0


class Reading(pydantic.BaseModel):
    level: Annotated[u64, pydantic.Field(le=10)] = 0


@dataclasses.dataclass
class Limits:
    low: u64 = 1


ARRAY = typedshm.array(np.float32, 3)
CAR = Topic("car", Telemetry, slots=64)
VALUES: list[tuple[Any, Any]] = [
    (Telemetry, Telemetry(tick=1, speed=2.0)),
    (Reading, Reading(level=3)),
    (Limits, Limits(low=4)),
    (ARRAY, np.arange(3, dtype=np.float32)),
    (typedshm.array(Telemetry, 2), np.zeros(2, Telemetry.layout.dtype)),
]
SCHEMAS = [schema for schema, _ in VALUES]


# ---- declaring -----------------------------------------------------------------------------------------------------


def test_a_declaration_opens_nothing():
    topics = [Topic(f"topic-{number}", schema) for number, schema in enumerate(SCHEMAS)]
    assert typedshm.entries() == []
    assert [topic.name for topic in topics] == [f"topic-{number}" for number in range(len(SCHEMAS))]


def test_a_declaration_looks_at_no_fields_and_the_first_use_does():
    @dataclasses.dataclass
    class Later:
        what: object

    topic = Topic("later", Later)
    assert topic.changed(name="other").schema is Later
    for use in (topic.create, topic.open, topic.attach):
        with pytest.raises(typedshm.SchemaError, match=r"Later\.what"):
            use()


def test_a_class_may_refer_to_one_that_is_declared_below_its_topic():
    script = """if True:
        import dataclasses, typedshm
        @dataclasses.dataclass
        class Car:
            at: "Point"
        CAR = typedshm.Topic("car", Car)
        class Point(typedshm.Struct):
            x: typedshm.f64
        with CAR.create() as region:
            region.write(Car(at=Point(x=2.0)))
            print(region.read().at.x)
    """
    done = peers.run_script(script)
    assert (done.stdout, done.stderr) == ("2.0\n", "")


def test_a_declaration_imports_no_pydantic():
    script = """if True:
        import dataclasses, sys, typedshm
        @dataclasses.dataclass
        class Car:
            x: typedshm.f64
        typedshm.Topic("car", Car, slots=4, check=False)
        print("pydantic" in sys.modules)
    """
    done = peers.run_script(script)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (("", Telemetry), {}, typedshm.NameRefused, "expected at least one character"),
        (("n" * 300, Telemetry), {}, typedshm.NameRefused, "choose a shorter name"),
        ((Path("a\0b"), Telemetry), {}, typedshm.NameRefused, "a NUL character"),
        ((Telemetry, "car"), {}, TypeError, "name: expected a str or a pathlib.Path, found the class Telemetry"),
        (("car", Telemetry(tick=1)), {}, typedshm.SchemaError, "its class is Telemetry"),
        (("car", np.zeros(2)), {}, typedshm.SchemaError, "for arrays like it"),
        (("car", np.float32), {}, typedshm.SchemaError, "use typedshm.array"),
        (("car", int), {}, typedshm.SchemaError, "found int"),
        (("car", Struct), {}, typedshm.SchemaError, "declares no fields"),
        (("car", None), {}, typedshm.SchemaError, "found None"),
        (("car", Telemetry), {"slots": 0}, ValueError, "slots: expected 1 to 65536, found 0"),
        (("car", Telemetry), {"slots": "3"}, TypeError, "slots: expected a whole number"),
        (("car", Telemetry), {"scope": "all"}, ValueError, "scope: expected 'user' or 'machine'"),
        (("car", Telemetry), {"mode": 0o666}, ValueError, "requires scope='machine'"),
        (("car", Telemetry), {"mode": 600}, ValueError, "600 is decimal"),
        (("car", Telemetry), {"prefault": 1}, TypeError, "prefault: expected True or False"),
        (("car", Telemetry), {"lock_memory": None}, TypeError, "lock_memory: expected True or False"),
        (("car", Telemetry), {"huge_pages": "yes"}, TypeError, "huge_pages: expected True or False"),
        (("car", Telemetry), {"check": 0}, TypeError, "check: expected True or False"),
        (("car", Telemetry), {"timeout": 1}, TypeError, "timeout"),
    ],
)
def test_what_no_region_could_have_is_refused_at_the_declaration(arguments, options, error, words):
    with pytest.raises(error, match=words):
        Topic(*arguments, **options)


def test_a_topic_is_constant():
    for name in ("name", "slots", "other"):
        with pytest.raises(AttributeError, match="Topic is immutable"):
            setattr(CAR, name, 3)
    assert (CAR.name, CAR.schema, CAR.slots, CAR.scope, CAR.mode) == ("car", Telemetry, 64, "user", None)


OPTIONS: dict[str, Any] = {
    "slots": 5,
    "lossless": True,
    "scope": "machine",
    "mode": 0o640,
    "prefault": False,
    "lock_memory": True,
    "huge_pages": True,
    "check": False,
}


def test_a_topic_takes_the_options_of_create():
    parameters = inspect.signature(typedshm.create).parameters
    declared = [name for name in parameters if name != "exclusive"]  # which is for one of its processes
    assert list(inspect.signature(Topic).parameters) == declared
    assert list(OPTIONS) == declared[2:]
    for verb in ("create", "open", "attach", "unlink"):
        taken = set(inspect.signature(getattr(Topic, verb)).parameters) - {"self"}
        function = set(inspect.signature(getattr(typedshm, verb)).parameters)
        assert taken == function - {"name", "schema", "scope", "kind"}


def test_topics_of_equal_declarations_are_equal():
    assert Topic("car", Telemetry, slots=64) == CAR
    assert {CAR: 1}[Topic("car", Telemetry, slots=np.int64(64), check=np.bool_(True))] == 1  # type: ignore[arg-type]
    others = [Topic("bus", Telemetry, slots=64), Topic("car", Limits, slots=64), Topic("car", Telemetry)]
    others += [CAR.changed(**{name: value}) for name, value in OPTIONS.items()]
    assert len({CAR, *others}) == len(others) + 1
    assert all(other != CAR for other in others)


def test_changed_makes_another_topic_and_checks_it_as_well():
    other = CAR.changed(name="car-2")
    assert (other, CAR.name) == (Topic("car-2", Telemetry, slots=64), "car")
    with pytest.raises(ValueError, match="slots: expected 1 to 65536"):
        CAR.changed(slots=-1)


@pytest.mark.parametrize("options", [{}, {"slots": 64}, OPTIONS])
def test_repr_is_the_declaration(options):
    topic = Topic("car", Telemetry, **options)
    assert eval(repr(topic)) == topic
    assert repr(CAR) == "Topic('car', Telemetry, slots=64)"
    assert (
        repr(Topic("a", Limits, slots=np.int8(2), prefault=np.bool_(True)))
        == "Topic('a', Limits, slots=2, prefault=True)"
    )
    assert repr(Topic("a", ARRAY, mode=0o640)) == f"Topic('a', {ARRAY!r}, mode=0o640)"
    assert repr(Topic(Path("a"), Telemetry)) == f"Topic({Path('a')!r}, Telemetry)"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_copies_and_pickles_are_equal(schema):
    for topic in (Topic("car", schema), Topic(Path("car"), schema, **OPTIONS)):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(topic, protocol)) == topic
        assert copy.copy(topic) is topic
        assert copy.deepcopy([topic])[0] is topic


def test_the_type_of_its_handles_can_be_written():
    assert Topic[Region[Telemetry]]("car", Telemetry, slots=64) == CAR


# ---- opening -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("schema", "value"), VALUES)
@pytest.mark.parametrize("first", ["create", "open"])
def test_all_verbs_open_the_same_region(schema, value, first):
    topic = Topic("topic", schema)
    with getattr(topic, first)() as region, topic.open() as second, topic.attach(readonly=True) as third:
        assert {type(handle) for handle in (region, second, third)} == {Region}
        assert region.instance == second.instance == third.instance
        assert [handle.readonly for handle in (region, second, third)] == [False, False, True]
        second.write(value)
        assert isinstance(third.read(), type(value))
        assert np.array_equal(third.read(), value) if isinstance(value, np.ndarray) else third.read() == value
        with pytest.raises(typedshm.RegionExists):
            topic.create()
    assert typedshm.regions() == []


def answer(pipe: Any, topic: Topic[Region[Telemetry]]) -> int:
    with topic.attach(timeout=peers.PATIENCE) as region:
        pipe.send("attached")
        tick = region.wait(timeout=peers.PATIENCE).tick
        with topic.open() as same, same.update() as t:
            t.tick += 1
        return tick


def test_processes_that_share_a_declaration_share_the_region():
    with Child(answer, CAR) as child, CAR.create() as region:
        child.expect("attached")
        region.write(Telemetry(tick=7))
        assert child.join() == 7
        assert region.read().tick == 8


def test_options_reach_the_region():
    options = {**OPTIONS, "lock_memory": False, "huge_pages": False}
    with Topic("car", Reading, **options).create() as region:
        assert (region.info().slots, region.info().lossless, region.info().scope) == (5, True, "machine")
        handle = handle_of(region)
        assert (handle.attachment.mode, handle.paging.prefault) == (0o640, False)
        region.write(Reading.model_construct(level=11))  # which nobody checks
        with Topic("car", Reading, **options).attach() as other:
            assert handle_of(other).paging.prefault is False
            other.write(Reading.model_construct(level=12))
        with Topic("car", Reading, scope="machine").attach() as checking, pytest.raises(pydantic.ValidationError):
            checking.write(Reading.model_construct(level=13))


@pytest.mark.parametrize("verb", ["create", "open"])
def test_options_of_a_call_count_for_that_call_only(verb):
    topic = Topic("car", Reading, slots=5, check=False, prefault=False)
    with getattr(topic, verb)(slots=2, mode=0o640, check=True, prefault=True) as region:
        assert region.info().slots == 2
        assert handle_of(region).attachment.mode == 0o640
        assert handle_of(region).paging.prefault is True
        with pytest.raises(pydantic.ValidationError):
            region.write(Reading.model_construct(level=11))
    with getattr(topic, verb)() as region:
        assert (region.info().slots, handle_of(region).attachment.mode) == (5, 0o600)
        assert handle_of(region).paging.prefault is False
        region.write(Reading.model_construct(level=11))
        with topic.attach(check=True, prefault=True) as other:
            assert handle_of(other).paging.prefault is True
            with pytest.raises(pydantic.ValidationError):
                other.write(Reading.model_construct(level=12))


@pytest.mark.parametrize("name", ["lock_memory", "huge_pages"])
def test_page_options_are_passed_on_and_can_be_switched_off(name, monkeypatch):
    asked = []
    monkeypatch.setattr("typedshm.memory.paging.Paging.apply", lambda self, *_, **__: asked.append(self))
    topic = Topic("car", Telemetry, **{name: True})
    attribute = {"lock_memory": "locked", "huge_pages": "huge"}[name]
    with topic.create():
        pass
    with topic.open():
        pass
    with topic.create(**{name: False}):
        pass
    assert [getattr(paging, attribute) for paging in asked] == [True, True, False]


def test_what_does_not_exist_is_told_as_by_the_functions():
    for verb, function in (
        (CAR.attach, lambda: typedshm.attach("car", Telemetry)),
        (CAR.unlink, lambda: typedshm.unlink("car")),
        (lambda: CAR.attach(timeout=0.001), lambda: typedshm.attach("car", Telemetry, timeout=0.001)),
    ):
        with pytest.raises(typedshm.TypedshmError) as expected:
            function()
        with pytest.raises(type(expected.value)) as found:
            verb()
        assert str(found.value) == str(expected.value)


def test_another_layout_is_a_mismatch():
    class Other(Struct):
        name: u64

    with CAR.create():
        for verb in (Topic("car", Other).attach, Topic("car", Other).open):
            with pytest.raises(typedshm.LayoutMismatch, match="speed"):
                verb()


def test_unlink_takes_the_name_away():
    with CAR.create() as region:
        with pytest.raises(typedshm.RegionRefused, match="open"):
            CAR.unlink(unused=True)
        CAR.unlink()
        assert region.info().unlinked
        with CAR.create() as other:
            assert other.instance != region.instance


def test_scopes_are_told_apart():
    machine = CAR.changed(scope="machine")
    with CAR.create() as ours, machine.create() as everybodys, machine.open() as same:
        assert ours.instance != everybodys.instance == same.instance
        machine.unlink()
        assert (ours.info().unlinked, everybodys.info().unlinked) == (False, True)


def test_a_name_means_what_it_means_when_it_is_used(monkeypatch):
    with CAR.create() as outer:
        with isolated(), CAR.create() as inner:
            assert inner.instance != outer.instance
        with CAR.attach() as same:
            assert same.instance == outer.instance
        monkeypatch.setenv("TYPEDSHM_NAMESPACE", "n" * 300)
        with pytest.raises(typedshm.NameRefused, match="choose a shorter name"):
            CAR.attach()


def test_a_path_is_a_region_in_a_file(tmp_path, monkeypatch):
    topic = Topic(Path("state.region"), Telemetry, slots=4)
    monkeypatch.chdir(tmp_path)
    with topic.create() as region:
        region.write(Telemetry(tick=3))
    with topic.open() as region:
        assert (region.read().tick, region.info().slots) == (3, 4)
    assert (tmp_path / "state.region").exists()
    topic.unlink(unused=True)
    assert not (tmp_path / "state.region").exists()
