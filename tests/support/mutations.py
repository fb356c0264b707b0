"""Changes of an emulator's orders, as users of Kapture make them: what a pull finds otherwise the next time."""

from __future__ import annotations

from airflow_provider_kapture.emulator import Emulator


def update(kapture: Emulator, order_id: int) -> None:
    """Change a field of an order."""
    _replace(kapture, order_id, is_kept=True)


def delete(kapture: Emulator, order_id: int) -> None:
    """Delete an order."""
    _replace(kapture, order_id, is_kept=False)


def _replace(kapture: Emulator, order_id: int, *, is_kept: bool) -> None:
    store = kapture._service.store
    order = next(each for each in store.orders() if each.id == order_id)
    left = [order.second_line()] if is_kept else []
    for orders in store._lists_of(order):
        place = orders.index(order)
        orders[place : place + 1] = left
    store._found.clear()
