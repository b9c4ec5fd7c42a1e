"""Helpers for tests of programs that use typedshm; :mod:`typedshm.testing.strategies` needs Hypothesis."""

from typedshm.testing.isolation import isolated

__all__ = ["isolated"]
