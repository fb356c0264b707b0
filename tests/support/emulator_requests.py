"""Requests for orders as a client without any cleverness would send them."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass

from airflow_provider_kapture.client.orders import PATH

DAY = "2024-05-08"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def body(self):
        return json.loads(self.raw)

    @property
    def orders(self):
        return self.body["order_details"]

    @property
    def ids(self):
        return [order["id"] for order in self.orders]


def ask(kapture, *, method="POST", path=PATH, raw=None, credentials=None, headers=None, **body):
    """Request the orders of one day."""
    asked = {"cmId": kapture.cm_id, "createStartDate": DAY, "createEndDate": DAY, "limit": "1000", "offset": "0"}
    payload = raw if raw is not None else json.dumps(asked | body).encode()
    token = base64.b64encode((credentials or f"{kapture.user}:{kapture.password}").encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", kapture.port, timeout=30)
    try:
        connection.request(method, path, payload, {"Authorization": f"Basic {token}", **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
