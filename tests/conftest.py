"""How processes share the tests: long files first, and memory is given back after each file."""

import ctypes
import gc
from collections.abc import Iterator

import pytest

# what begins last decides when all is over
LONG = (
    "test_end_to_end", "test_invalidation", "test_pretrain", "test_jobs", "test_uploads",
    "test_page", "test_published_crops", "test_run_results", "test_ensemble", "test_predict",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the order within a file stays."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="module", autouse=True)
def memory_is_given_back() -> Iterator[None]:
    """Give what a file's tests have freed back to the system: the heap would keep 2 GB of it."""
    yield
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
