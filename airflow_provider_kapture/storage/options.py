"""What the user asked of a pull into files, as one value. Its checks are in the operator and in ``destinations``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.encoders.formats import REVISION
from airflow_provider_kapture.storage.encoders.schema import column_types


@dataclass(frozen=True)
class FileOptions:
    """The operator's arguments about files, under its names.

    :param destination: a file name, or a folder that ends in ``/``
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    :param on_empty: as for the operator; with ``write``, a window without orders gets files
    :param on_misfit: as for the operator
    :param on_overlap: as for the operator
    :param upload_options: as for the operator
    :param changes: the folder of changes; None to write none
    :param fields: connection extra ``fields``
    """

    destination: str
    file_format: str
    on_empty: str = "write"
    on_misfit: str = "keep"
    on_overlap: str = "fail"
    upload_options: Mapping[str, Any] | None = None
    changes: str | None = None
    fields: Mapping[str, FieldType] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Whether the destination gets an object for each day."""
        return self.destination.endswith("/")

    @property
    def columns(self) -> Mapping[str, FieldType]:
        """The columns of the files and their types; none in JSON Lines."""
        return {} if self.file_format.startswith("jsonl") else column_types(self.fields)

    @property
    def encoding(self) -> str:
        """What the bytes of a file depend on besides its orders: format, encoder revision, columns."""
        return f"{self.file_format} {REVISION} {_hash(list(self.columns.items()))}"

    @property
    def upload_options_hash(self) -> str:
        """A hash of the upload options."""
        return _hash(self.upload_options or {})


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
