"""Write the phases of the paginator and the outcomes of simulated listings into docs/guarantees.md.

``python scripts/paginator_tables.py 1000`` simulates that many pulls of each kind of listing; without a number, only
the phases are written.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections import Counter
from pathlib import Path

from airflow_provider_kapture.client.pagination.paginator import transitions

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guarantees.md"
DIAGRAM = ROOT / "docs" / "diagrams" / "paginator.mmd"


def phases() -> str:
    """Return the transition table as Markdown."""
    rows = [f"| `{phase}` | {response} | {following} |" for phase, response, following in transitions()]
    return "\n".join(["| phase | response | next |", "|---|---|---|", *rows])


def diagram() -> str:
    """Return the transition table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> READ"]
    for phase, response, following in transitions():
        names = [each for each in following.split(", ") if not each.startswith("as ")] or ["READ"]
        lines += [f"    {phase} --> {name}: {response.replace(':', ',')}" for name in names]
    return "\n".join([*lines, "    DONE --> [*]", ""])


def outcomes(pulls: int) -> str:
    """Return how many simulated pulls of each kind ended how."""
    sys.path.insert(0, str(ROOT / "tests" / "client" / "pagination"))
    simulator = importlib.import_module("listing_simulator")
    rows = ["| listing | pulls | complete | error | silent | requests per pull |", "|---|---|---|---|---|---|"]
    for kind in simulator.KINDS:
        results = [simulator.run(simulator.simulate(kind, seed)) for seed in range(pulls)]
        found = Counter(each.kind for each in results)
        requests = sum(each.requests for each in results) / pulls
        rows.append(
            f"| {kind} | {pulls:,} | {found['complete']:,} | {found['error']:,} | {found['silent']} | {requests:.1f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Replace the tables in the page."""
    text = PAGE.read_text(encoding="utf-8")
    tables = {"phases": phases()}
    if len(sys.argv) > 1:
        tables["outcomes"] = outcomes(int(sys.argv[1]))
    for name, table in tables.items():
        before, begin, rest = re.split(rf"(<!-- {name}: .*? -->\n)", text)
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        text = f"{before}{begin}\n{table}\n\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")
    DIAGRAM.write_text(diagram(), encoding="utf-8")


if __name__ == "__main__":
    main()
