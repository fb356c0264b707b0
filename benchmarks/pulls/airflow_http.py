"""Airflow's HttpOperator with a pagination function. It writes nothing: what it returns would go to XCom."""

import json
import os

import measure

os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
from airflow.providers.http.operators.http import HttpOperator

RESULTS: list[str] = []


def pull(job: measure.Job) -> int:
    scheme, _, host = job.origin.partition("://")
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps(
        {"conn_type": "http", "schema": scheme, "host": host, "login": measure.USER, "password": measure.PASSWORD}
    )
    rows = 0

    def next_page(response):
        nonlocal rows
        page = response.json()["order_details"]
        rows += len(page)
        return {"data": json.dumps(job.body(rows))} if page else None

    orders = HttpOperator(
        task_id="orders",
        method="POST",
        endpoint=measure.PATH,
        data=json.dumps(job.body()),
        headers={"Content-Type": "application/json"},
        pagination_function=next_page,
    )
    RESULTS[:] = orders.execute({})
    return rows


def ids(job: measure.Job) -> list[int]:
    return [order["id"] for text in RESULTS for order in json.loads(text)["order_details"]]


measure.main(pull, ids)
