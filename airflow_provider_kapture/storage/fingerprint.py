"""What tells whether an object that is there has the orders of a new file, written in the same way.

An object of a store has it in its metadata. A local file is hashed, and the rest is in the receipts: see ``reported``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# The fingerprint's part of an object's metadata.
_PREFIX = "kapture_"


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprint of a file. None is what is not known.

    :param sha256: hash of its bytes
    :param content_sha256: hash of its orders as JSON Lines
    :param unordered_sha256: sum of the hashes of these lines, which does not depend on their sequence
    :param encoding: format, encoder revision and columns
    :param upload_options: hash of the upload options
    """

    sha256: str | None
    content_sha256: str | None = None
    unordered_sha256: str | None = None
    encoding: str | None = None
    upload_options: str | None = None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Fingerprint:
        """Return the fingerprint in an object's metadata."""
        return cls(**{name: metadata.get(_PREFIX + name) for name in cls.__dataclass_fields__})

    @classmethod
    def from_entry(cls, sha256: str, entry: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint of a local file from a receipt's entry, which may be of an earlier release."""
        return cls(sha256, *(entry.get(name) for name in ("content_sha256", "unordered_sha256", "encoding")))

    def to_metadata(self) -> dict[str, str]:
        """Return the fingerprint as an object's metadata."""
        return {_PREFIX + name: value for name, value in asdict(self).items() if value is not None}

    def to_entry(self) -> dict[str, Any]:
        """Return the receipt's keys; the upload options are not among them."""
        return {name: value for name, value in asdict(self).items() if name != "upload_options"}

    def is_same(self, new: Fingerprint) -> bool:
        """Return whether the object of this fingerprint has the orders of a new file, written in the same way."""
        if self.upload_options not in {None, new.upload_options}:
            return False
        if self.sha256 is not None and self.sha256 == new.sha256:
            return True
        known = (self.unordered_sha256, self.encoding)
        return None not in known and known == (new.unordered_sha256, new.encoding)
