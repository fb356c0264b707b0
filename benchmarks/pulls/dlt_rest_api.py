"""dlt's rest_api source into Parquet files."""

import logging
import os
import uuid
from pathlib import Path

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
import measure
import pyarrow.parquet as pq
from dlt.sources.rest_api import rest_api_source

logging.disable(logging.WARNING)


def pull(job: measure.Job) -> int:
    body = {name: value for name, value in job.body().items() if name not in ("limit", "offset")}
    source = rest_api_source(
        {
            "client": {
                "base_url": job.origin,
                "auth": {"type": "http_basic", "username": measure.USER, "password": measure.PASSWORD},
            },
            "resources": [
                {
                    "name": "orders",
                    "endpoint": {
                        "path": measure.PATH,
                        "method": "POST",
                        "json": body,
                        "data_selector": "order_details",
                        "paginator": {
                            "type": "offset",
                            "limit": job.page_size,
                            "limit_body_path": "limit",
                            "offset_body_path": "offset",
                            "total_path": None,
                            "stop_after_empty_page": True,
                        },
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        pipeline_name=f"kapture_{uuid.uuid4().hex}",
        destination=dlt.destinations.filesystem(f"{job.folder}/files"),
        pipelines_dir=f"{job.folder}/pipelines",
        dataset_name="kapture",
    )
    pipeline.run(source, loader_file_format="parquet")
    return pipeline.last_trace.last_normalize_info.row_counts["orders"]


def ids(job: measure.Job) -> list[int]:
    files = Path(job.folder, "files", "kapture", "orders").rglob("*.parquet")
    return [each for file in files for each in pq.read_table(file, columns=["id"])["id"].to_pylist()]


measure.main(pull, ids)
