"""The operator's ``upload_options``: what a store's write call takes besides the object, in the store's own spelling.

Which call takes an option is the matter of ``stores``. Options are checked here against a table per store, because
file systems ignore those that they do not know: an object would be written without the encryption that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.config.checks import did_you_mean
from airflow_provider_kapture.client.errors import KaptureSettingsError

_METADATA_KEY = re.compile(r"[a-z][a-z0-9_]*")
_OWN_METADATA = "kapture_"


@dataclass(frozen=True)
class UploadOptions:
    """Checked options.

    :param every: those of each object that is written, receipts included: encryption and access
    :param data: those of the orders' objects only, besides
    :param metadata: the user's metadata of the orders' objects
    """

    every: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OptionTable:
    """The options of a store, with the types of their values.

    :param every: options of each object
    :param data: options of the orders' objects
    :param metadata: the name of the metadata
    """

    every: Mapping[str, type]
    data: Mapping[str, type]
    metadata: str


S3 = OptionTable(
    every=MappingProxyType(
        {
            **dict.fromkeys(("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP"), str),
            **dict.fromkeys(("ServerSideEncryption", "SSEKMSKeyId", "SSEKMSEncryptionContext"), str),
            "BucketKeyEnabled": bool,
        }
    ),
    data=MappingProxyType(
        dict.fromkeys(("StorageClass", "Tagging", "CacheControl", "ContentDisposition", "ContentLanguage"), str)
    ),
    metadata="Metadata",
)
GCS = OptionTable(
    every=MappingProxyType({"kmsKeyName": str, "predefinedAcl": str}),
    data=MappingProxyType(
        dict.fromkeys(("storageClass", "cacheControl", "contentDisposition", "contentLanguage", "customTime"), str)
    ),
    metadata="metadata",
)
AZURE = OptionTable(
    every=MappingProxyType({"encryption_scope": str}),
    data=MappingProxyType({"standard_blob_tier": str, "tags": dict}),
    metadata="metadata",
)
# Keys themselves, which rendered fields would show.
_SECRETS = frozenset(
    {"SSECustomerKey", "SSECustomerKeyMD5", "SSECustomerAlgorithm", "encryptionKey", "encryption_key", "cpk"}
)


def check_upload_options(given: Mapping[str, Any] | None, table: OptionTable | None) -> UploadOptions:
    """Return the options of a store.

    :param table: the options that the store has; None if it has none
    :raises KaptureSettingsError: an option is unknown to the store, has another type, or contains a key
    """
    if not given:
        return UploadOptions()
    if not isinstance(given, Mapping):
        raise KaptureSettingsError(f"`upload_options` is a {type(given).__name__}: it must be a mapping")
    secret = next((name for name in given if name in _SECRETS), None)
    if secret is not None:
        raise KaptureSettingsError(
            f"`upload_options` contains {secret!r}, a key that Airflow's rendered fields would show: use a key that "
            "the store manages"
        )
    if table is None:
        raise KaptureSettingsError(
            f"`upload_options` contains {next(iter(given))!r}, but this `destination` takes none: remove it"
        )
    known = {**table.every, **table.data, table.metadata: dict}
    for name, value in given.items():
        if name not in known:
            raise KaptureSettingsError(
                f"`upload_options` contains {name!r}, which this store does not have{did_you_mean(str(name), known)}; "
                f"it has {', '.join(known)}"
            )
        if not isinstance(value, Mapping if known[name] is dict else known[name]) or value in ("", {}):
            raise KaptureSettingsError(
                f"`upload_options[{name!r}]` is {value!r}: it must be a {known[name].__name__} with a value"
            )
    return UploadOptions(
        {name: value for name, value in given.items() if name in table.every},
        {name: value for name, value in given.items() if name in table.data},
        _checked_metadata(given.get(table.metadata, {})),
    )


def _checked_metadata(given: Mapping[Any, Any]) -> dict[str, str]:
    for name, value in given.items():
        if not isinstance(name, str) or not _METADATA_KEY.fullmatch(name) or name.startswith(_OWN_METADATA):
            raise KaptureSettingsError(
                f"`upload_options` has metadata {name!r}: a name consists of a to z, 0 to 9 and _, and begins with a "
                f"letter and not with {_OWN_METADATA!r}"
            )
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise KaptureSettingsError(
                f"`upload_options` has metadata {name!r} with the value {value!r}: it must be printable ASCII text"
            )
    return dict(given)
