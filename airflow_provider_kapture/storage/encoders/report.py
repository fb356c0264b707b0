"""What the encoder of a file reports beside it: the hashes of its orders, and what it has set aside.

Set aside are values that do not fit their columns, fields without one, and repaired orders. ``storage.file_pull`` adds
it to the receipt.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass
class Report:
    """Counts of one file.

    :ivar rescued: name of a field to the number of orders whose value does not fit its column
    :ivar unknown: names of fields without a column
    :ivar repaired: orders with lone surrogates, which are U+FFFD in the file
    :ivar content: hash of the orders as JSON Lines, whatever the format; None where it is that of the file
    :ivar lines: sum of the SHA-256 of each of these lines, which does not depend on their sequence
    """

    rescued: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    repaired: int = 0
    content: Any = field(default_factory=hashlib.sha256, compare=False)
    lines: int = field(default=0, compare=False)

    def add_content(self, lines: bytes | bytearray) -> None:
        """Add orders, as JSON Lines, to the hash of all of them."""
        if self.content is not None:
            self.content.update(lines)

    def add_orders(self, rows: Sequence[msgspec.Raw | bytes]) -> None:
        """Add orders, each on one line, to the sum of their hashes."""
        sha256 = hashlib.sha256
        self.lines += sum(map(int.from_bytes, [sha256(row).digest() for row in rows]))

    @property
    def unordered_sha256(self) -> str:
        """The sum of the lines' SHA-256 modulo 2**256, in hexadecimal."""
        return f"{self.lines % (1 << 256):064x}"
