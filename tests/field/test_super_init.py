"""super().__init__() of a Struct with an __init__ of its own follows the class's signature.

It was that of ctypes, which ignores defaults and does not miss what is missing.
"""

import copy
import inspect
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest

import typedshm
from typedshm import Struct, f64, u8


class Motor(Struct):
    volts: f64
    amps: f64
    limit: u8 = 100

    def __init__(self, volts: float, amps: float | None = None) -> None:
        if amps is None:
            super().__init__(volts=volts)  # type: ignore[call-arg]
        else:
            super().__init__(volts=volts, amps=amps)  # type: ignore[call-arg]


class Servo(Motor):
    """Adds fields and calls the __init__ that its base has."""

    angle: f64 = 3.0
    gain: f64

    def __init__(self, gain: float) -> None:
        super().__init__(12.0, 1.0)
        self.gain = gain


class Plain(Struct):
    x: f64
    y: f64 = 2.0


class Derived(Plain):
    z: f64 = 3.0

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)


class Silent(Struct):
    """Sets its fields itself."""

    x: f64
    y: f64 = 5.0

    def __init__(self, x: float) -> None:
        self.x = x


class Logged:
    """A mixin that passes on what it is given."""

    calls: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls.append(type(self).__name__)


class Mixed(Logged, Struct):
    x: f64
    y: f64 = 2.0


class MixedWithItsOwn(Logged, Struct):
    x: f64
    y: f64 = 2.0

    def __init__(self, x: float) -> None:
        super().__init__(x=x)


def test_defaults_are_used() -> None:
    motor = Motor(12.0, 1.5)
    assert (motor.volts, motor.amps, motor.limit) == (12.0, 1.5, 100)


def test_missing_fields_are_named() -> None:
    with pytest.raises(TypeError, match=r"Motor\.__init__\(\) missing 1 required keyword-only argument: 'amps'"):
        Motor(12.0)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'x'"):
        Derived()


def test_positional_and_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        Derived(1.0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'w'"):
        Derived(x=1.0, w=2.0)

    class Positional(Motor):
        def __init__(self, *args: Any) -> None:
            super(Motor, self).__init__(*args)

    with pytest.raises(TypeError, match="takes 1 positional argument but 3 were given"):
        Positional(1.0, 2.0)


def test_fields_of_all_bases_are_in_the_signature() -> None:
    derived = Derived(x=1)
    assert (derived.x, derived.y, derived.z) == (1, 2, 3)
    assert Derived(x=1, y=5, z=6) == Derived(x=1, y=5, z=6)


def test_an_init_that_calls_the_one_of_its_base_gets_its_own_defaults_too() -> None:
    servo = Servo(0.5)
    assert typedshm.asdict(servo) == {"volts": 12, "amps": 1, "limit": 100, "angle": 3, "gain": 0.5}


def test_a_subclass_without_fields_has_the_init_of_its_base() -> None:
    class Fast(Motor):
        """A motor that is fast."""

    assert Fast(12.0, 2.0).limit == 100
    assert type(Fast(12.0, 2.0)) is Fast


def test_a_subclass_with_fields_and_without_an_init_is_constructed_by_keyword() -> None:
    class Geared(Motor):
        ratio: f64 = 4.0

    geared = Geared(volts=1, amps=2)  # type: ignore[call-arg]
    assert (geared.volts, geared.limit, geared.ratio) == (1, 100, 4)


def test_mixins_are_called_in_their_turn() -> None:
    Logged.calls.clear()
    mixed = Mixed(x=1)
    own = MixedWithItsOwn(1)
    assert Logged.calls == ["Mixed", "MixedWithItsOwn"]
    assert (mixed.x, mixed.y, own.x, own.y) == (1, 2, 1, 2)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'x'"):
        Mixed()


def test_an_init_need_not_call_it() -> None:
    silent = Silent(1.0)
    assert (silent.x, silent.y) == (1, 0)


@pytest.mark.parametrize("value", [Motor(12.0, 1.5), Servo(0.5), Derived(x=1), Silent(3.0), MixedWithItsOwn(2.0)])
def test_copies_pickles_and_reads_do_not_call_it(value: Struct) -> None:
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value
    assert typedshm.replace(value) == value
    with typedshm.create("motor", type(value)) as region:
        region.write(value)
        assert region.read() == value
        assert type(region.read()) is type(value)
        with region.update() as t:
            assert t == value
        with region.borrow() as t:
            assert t == value


def test_the_signature_is_shown() -> None:
    assert str(inspect.signature(Plain)) == "(*, x, y=2.0)"
    assert list(inspect.signature(Motor).parameters) == ["volts", "amps"]
    assert issubclass(Motor, Struct)
    assert isinstance(Motor(1.0, 1.0), Motor)


SCRIPT = """
import pickle, subprocess, sys
import cloudpickle
from typing import Annotated
import numpy as np
from numpy.typing import NDArray
from typedshm import Shape, Struct, f64, u8

class Motor(Struct):
    volts: f64
    amps: f64
    limit: u8 = 100

    def __init__(self, volts):
        super().__init__(volts=volts, amps=1)

class Servo(Motor):
    angle: f64 = 3.0

    def __init__(self):
        super().__init__(12.0)

class Bank(Struct):
    motors: Annotated[NDArray[np.void], Shape(2, of=Motor)]

bank = Bank.zero()
bank.motors[0] = Motor(5.0)
data = cloudpickle.dumps((Motor, Servo, Servo(), bank, bank.motors))
code = '''
import pickle, sys
Motor, Servo, servo, bank, motors = pickle.load(sys.stdin.buffer)
print(Motor(12.0).limit, Servo().angle, servo.volts, bank.motors[0].volts, motors[0].limit, type(motors[0]).__name__)
'''
print(subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True).stdout.decode())
"""


def test_a_class_of_a_script_takes_its_init_along() -> None:
    pytest.importorskip("cloudpickle", exc_type=ImportError)
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.split() == ["100", "3.0", "12.0", "5.0", "100", "Motor"]
