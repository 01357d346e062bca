"""Order of the tests: files that take minutes first, so that none is left alone at the end."""

import pytest

LONG = ("test_end_to_end", "test_invalidation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the order within a file stays."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
