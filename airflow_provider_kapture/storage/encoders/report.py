"""What the encoder of a file has set aside: values that do not fit their columns, fields without one, repaired orders.

The encoders count it; ``storage.file_pull`` adds it to the receipt.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """Counts of one file.

    :ivar rescued: name of a field to the number of orders whose value does not fit its column
    :ivar unknown: names of fields without a column
    :ivar repaired: orders with lone surrogates, which are U+FFFD in the file
    :ivar content: hash of the orders as JSON Lines, whatever the format
    :ivar lines: sum of the SHA-256 of each of these lines, which does not depend on their sequence
    """

    rescued: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    repaired: int = 0
    content: Any = field(default_factory=hashlib.sha256, compare=False)
    lines: int = field(default=0, compare=False)

    def add_content(self, lines: bytes) -> None:
        """Add orders as JSON Lines to both hashes."""
        self.content.update(lines)
        sha256 = hashlib.sha256
        # The text after the last line feed is empty.
        self.lines += sum(map(int.from_bytes, [sha256(line).digest() for line in lines.split(b"\n")[:-1]]))

    @property
    def unordered_sha256(self) -> str:
        """The sum of the lines' SHA-256 modulo 2**256, in hexadecimal."""
        return f"{self.lines % (1 << 256):064x}"
