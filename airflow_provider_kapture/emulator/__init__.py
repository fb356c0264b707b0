"""A local emulator of Kapture's Pull Order API; everything that the vendor's documentation leaves open is a switch.

It serves a generated order book over a real socket, so that a DAG, a connection or a client can be tested
without an account. The package uses ``client.orders`` for field names, and nothing else of the provider::

    from airflow_provider_kapture.emulator import Book, Emulator, Switches

    def test_my_dag(monkeypatch):
        with Emulator(Book(orders=5_000, days=3), Switches(page_cap=40)) as kapture:
            for name, value in kapture.connection_uri_env().items():
                monkeypatch.setenv(name, value)
            ...  # run the DAG
            assert rows == kapture.count("2024-05-08", "2024-05-10")

On the command line it is ``kapture emulator``. It needs the extra ``emulator`` (Starlette and uvicorn).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_kapture.emulator.book import Book
    from airflow_provider_kapture.emulator.server import Emulator
    from airflow_provider_kapture.emulator.switches import Switches

__all__ = ["Book", "Emulator", "Switches"]

_MODULES = {"Book": "book", "Emulator": "server", "Switches": "switches"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: the command line's help must not import the web server."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
