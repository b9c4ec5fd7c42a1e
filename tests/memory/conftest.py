"""The assertions of conformance.py explain themselves like those of a test module."""

import pytest

pytest.register_assert_rewrite("conformance")
