"""Regions to borrow from."""

import contextlib

import numpy as np

import typedshm
from helpers.shared_types import Big, Car, whole
from typedshm import array

SCHEMAS = {"small": Car, "large": Big}


def value_of(schema, n):
    if schema is Car:
        return whole(n)
    big = Big.zero()
    big.tick, big.data[:] = n, n % 251
    return big


@contextlib.contextmanager
def versions_of(kind):
    """A region of four slots, of which two can be pinned, at version 1; ``value(n)`` makes what belongs into it."""
    schema = SCHEMAS[kind]
    with typedshm.create("region", schema, slots=4) as region:
        region.write(value_of(schema, 1))
        region.value = lambda n: value_of(schema, n)
        yield region


def pictures(slots=4):
    region = typedshm.create("pictures", array(np.uint8, 480, 640), slots=slots)
    region.write(np.full((480, 640), 1, np.uint8))
    return region


def overwrite(region, first=2, count=20):
    for n in range(first, first + count):
        region.write(region.value(n))


def fail(*_):
    raise ZeroDivisionError
