"""A tap of Singer's SDK; its messages go to a file, as a target reads them."""

import contextlib
import logging
from pathlib import Path

import measure
from requests.auth import HTTPBasicAuth
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import OffsetPaginator

JOB: list[measure.Job] = []


class Pages(OffsetPaginator):
    def has_more(self, response):
        return bool(response.json()["order_details"])


class Orders(RESTStream):
    name = "orders"
    path = measure.PATH
    http_method = "POST"
    records_jsonpath = "$.order_details[*]"
    primary_keys = ("id",)
    schema = th.PropertiesList(th.Property("id", th.IntegerType), additional_properties=True).to_dict()

    @property
    def url_base(self):
        return JOB[-1].origin

    @property
    def authenticator(self):
        return HTTPBasicAuth(measure.USER, measure.PASSWORD)

    def get_new_paginator(self):
        return Pages(start_value=0, page_size=JOB[-1].page_size)

    def prepare_request_payload(self, context, next_page_token):
        return JOB[-1].body(next_page_token or 0)


class Kapture(Tap):
    name = "tap-kapture"

    def discover_streams(self):
        return [Orders(self)]


def pull(job: measure.Job) -> int:
    JOB.append(job)
    messages = Path(job.folder) / "messages.jsonl"
    with messages.open("w") as out, contextlib.redirect_stdout(out):
        tap = Kapture(config={})
        logging.disable(logging.WARNING)
        tap.sync_all()
    with messages.open() as written:
        return sum('"type":"RECORD"' in line for line in written)


def ids(job: measure.Job) -> list[int]:
    return list(measure.ids_in_messages(Path(job.folder) / "messages.jsonl"))


measure.main(pull, ids)
