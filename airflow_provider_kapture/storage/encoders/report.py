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
    """

    rescued: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    repaired: int = 0
    content: Any = field(default_factory=hashlib.sha256, compare=False)
