"""The threads that a pull starts, by their names; `tests/operators/test_stopping.py` sees that they still have them."""

import threading

NAMES = frozenset({"kapture-page"})


def running() -> set[str]:
    """Return the names of those that run."""
    return NAMES & {thread.name for thread in threading.enumerate()}
