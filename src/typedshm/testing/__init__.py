"""Helpers for tests of programs that use typedshm; :mod:`typedshm.testing.strategies` needs Hypothesis."""

from typedshm.testing.isolation import isolated
from typedshm.testing.replaying import replayed

__all__ = ["isolated", "replayed"]
