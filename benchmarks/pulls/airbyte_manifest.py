"""A declarative manifest for Airbyte's CDK; its messages go to a file, as a platform reads them."""

import json
import logging
from pathlib import Path

import measure
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

logging.disable(logging.WARNING)


def manifest(job: measure.Job) -> dict:
    body = {name: str(value) for name, value in job.body().items() if name not in ("limit", "offset")}
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["orders"]},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "orders",
                "primary_key": ["id"],
                "schema_loader": {
                    "type": "InlineSchemaLoader",
                    "schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
                },
                "retriever": {
                    "type": "SimpleRetriever",
                    "requester": {
                        "type": "HttpRequester",
                        "url_base": job.origin,
                        "path": measure.PATH,
                        "http_method": "POST",
                        "authenticator": {
                            "type": "BasicHttpAuthenticator",
                            "username": measure.USER,
                            "password": measure.PASSWORD,
                        },
                        "request_body_json": body,
                    },
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": ["order_details"]},
                    },
                    "paginator": {
                        "type": "DefaultPaginator",
                        "page_size_option": {
                            "type": "RequestOption",
                            "inject_into": "body_json",
                            "field_name": "limit",
                        },
                        "page_token_option": {
                            "type": "RequestOption",
                            "inject_into": "body_json",
                            "field_name": "offset",
                        },
                        "pagination_strategy": {"type": "OffsetIncrement", "page_size": job.page_size},
                    },
                },
            }
        ],
        "spec": {
            "type": "Spec",
            "connection_specification": {"type": "object", "properties": {}, "additionalProperties": True},
        },
    }


CATALOG = {
    "streams": [
        {
            "stream": {
                "name": "orders",
                "json_schema": {"type": "object"},
                "supported_sync_modes": ["full_refresh"],
            },
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}


def pull(job: measure.Job) -> int:
    folder = Path(job.folder)
    (folder / "catalog.json").write_text(json.dumps(CATALOG))
    (folder / "config.json").write_text("{}")
    arguments = ["read", "--config", f"{folder}/config.json", "--catalog", f"{folder}/catalog.json"]
    parsed = AirbyteEntrypoint.parse_args(arguments)
    catalog = ConcurrentDeclarativeSource.read_catalog(f"{folder}/catalog.json")
    source = ConcurrentDeclarativeSource(catalog=catalog, config={}, state=[], source_config=manifest(job))
    rows = 0
    with (folder / "messages.jsonl").open("w") as messages:
        for message in AirbyteEntrypoint(source).run(parsed):
            rows += '"type":"RECORD"' in message
            messages.write(message + "\n")
    return rows


def ids(job: measure.Job) -> list[int]:
    return list(measure.ids_in_messages(Path(job.folder) / "messages.jsonl"))


measure.main(pull, ids)
