"""What the encoder of a file has set aside: values that do not fit their columns, fields without one, repaired orders.

The encoders count it; ``storage.file_pull`` adds it to the receipt.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """Counts of one file.

    :ivar rescued: name of a field to the number of orders whose value does not fit its column
    :ivar unknown: names of fields without a column
    :ivar repaired: orders with lone surrogates, which are U+FFFD in the file
    """

    rescued: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    repaired: int = 0
