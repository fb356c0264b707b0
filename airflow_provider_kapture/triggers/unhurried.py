"""A client whose retries keep to the interval of the polls that they are part of."""

from __future__ import annotations

import asyncio

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.aio import AsyncKaptureClient
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.protocol import Page, Question


class UnhurriedClient(AsyncKaptureClient):
    """One that asks for nothing until an interval after a failure: its retries keep to the interval, as polls do."""

    def __init__(self, account: Account, interval: float) -> None:
        super().__init__(account)
        self._interval = interval
        self._not_before = float("-inf")

    async def fetch(self, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> Page:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._not_before - clock())
        try:
            return await super().fetch(asked, days, offset, limit)
        except KaptureError:
            self._not_before = clock() + self._interval
            raise
