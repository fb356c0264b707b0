"""An emulator that the connection ``kapture_default`` of the environment leads to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_kapture.emulator import Book, Emulator


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, orders: int, **extra: Any) -> Iterator[Emulator]:
    """Run an emulator with so many orders of three days.

    :param extra: what the connection's extra has beside the required keys
    """
    with Emulator(Book(orders=orders, days=3)) as running:
        for name, value in running.connection_uri_env(**extra).items():
            monkeypatch.setenv(name, value)
        yield running
