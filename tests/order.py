"""Long tests first, so that two workers end together: each begins with half of them, and short ones are left to steal.

xdist hands each worker a stretch of the list to begin with; a worker that has done with its own takes from the end of
another's. A long test at an end would keep one worker busy while the other has nothing to do.
"""

LONG = (
    "test_profiles.py::test_every_lab",
    "test_varied_labs.py",
    "test_studies_cells.py",
    "test_student.py",
    "test_book.py::test_execution_cache",
    "test_gpu_labs.py",
    "test_train_lab.py",
    "test_benchmarks.py",
    "test_figures.py",
    "test_wheel.py",
    "test_appendices.py",
    "test_animations.py",
    "test_no_stall.py::test_a_guided_run",
)


def is_long(name: str) -> bool:
    """Whether a test, by its node id, is one of those that take many seconds."""
    return any(part in name for part in LONG)


def in_order(names: list[str], workers: int) -> list[int]:
    """Rows of the tests, by their node ids: for each worker a share of the long ones, then one of the others.

    >>> in_order(["a", "test_wheel.py::b", "c", "test_wheel.py::d"], 2)
    [1, 0, 3, 2]
    """
    long = [row for row, name in enumerate(names) if is_long(name)]
    short = [row for row, name in enumerate(names) if not is_long(name)]
    order = []
    for worker in range(workers):
        order += long[worker::workers]
        order += short[len(short) * worker // workers : len(short) * (worker + 1) // workers]
    return order


def pytest_collection_modifyitems(config, items):
    """As a plugin: put the tests of a run with several workers in this order."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    if workers > 1:
        items[:] = [items[row] for row in in_order([item.nodeid for item in items], workers)]
