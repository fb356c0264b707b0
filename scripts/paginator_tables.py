"""Write the phases of the paginator and the outcomes of simulated listings into docs/guarantees.md.

``python scripts/paginator_tables.py 700`` simulates that many pulls of each kind of listing; without a number, only
the phases are written, as a table and as a diagram. ``--check`` writes nothing and fails if the phases that are there
are not those of the code.
"""

from __future__ import annotations

import argparse
import importlib
import math
import re
import sys
from collections import Counter
from pathlib import Path

from airflow_provider_kapture.client.pagination.paginator import transitions
from airflow_provider_kapture.client.pagination.phases import Phase

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guarantees.md"
DIAGRAM = ROOT / "docs" / "diagrams" / "paginator.svg"

# The phases around the diagram, clockwise from the top.
CIRCLE = (
    Phase.READ,
    Phase.BACKTRACK,
    Phase.VERIFY_STABLE,
    Phase.FIND_END,
    Phase.CHECK_OFFSET,
    Phase.CHECK_SINGLE,
    Phase.DONE,
    Phase.SECOND_PASS,
    Phase.RECHECK_TOP,
    Phase.CONFIRM_REFUSAL,
    Phase.CONFIRM_STILL,
    Phase.CONFIRM_END,
)
WIDTH, HEIGHT, BOX, LINE = 720, 440, (132, 30), 15

HEAD = f"""\
<svg class="kapture-diagram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="paginator-title" \
xmlns="http://www.w3.org/2000/svg">
<title id="paginator-title">The phases of the paginator, and which follows which</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
<path d="M0 0 8 4 0 8z" fill="var(--color-foreground-secondary)"/></marker></defs>"""
LINE_STYLE = 'fill="none" stroke="var(--color-foreground-secondary)"'


def phases() -> str:
    """Return the transition table as Markdown."""
    rows = [f"| `{phase}` | {response} | {following} |" for phase, response, following in transitions()]
    return "\n".join(["| phase | response | next |", "|---|---|---|", *rows])


def edges() -> list[tuple[str, str]]:
    """Return the pairs of phases that follow each other, or hand a page over, each once."""
    pairs = [
        (phase, each.removeprefix("as ")) for phase, _, following in transitions() for each in following.split(", ")
    ]
    return list(dict.fromkeys(pairs))


def diagram() -> str:
    """Return the transition table as an SVG picture."""
    pairs = edges()
    parts = [HEAD]
    for source, target in pairs:
        if source == target or (source > target and (target, source) in pairs):
            continue  # a phase that follows itself is marked in its box; the other way round is the same line
        (x1, y1), (x2, y2) = _border(source, target), _border(target, source)
        start = ' marker-start="url(#tip)"' if (target, source) in pairs else ""
        parts.append(f'<path d="M{x1} {y1} {x2} {y2}" {LINE_STYLE}{start} marker-end="url(#tip)"/>')
    for phase in CIRCLE:
        x, y = _centre(phase.name)
        is_edge = phase in (Phase.READ, Phase.DONE)
        box, text = ("accent", "small onaccent") if is_edge else ("box", "small")
        name = phase.name + (" ↻" if (phase.name, phase.name) in pairs else "")
        place = f'x="{x - BOX[0] // 2}" y="{y - BOX[1] // 2}" width="{BOX[0]}" height="{BOX[1]}"'
        parts.append(f'<rect class="{box}" {place} rx="4"/>')
        parts.append(f'<text class="{text}" x="{x}" y="{y + 4}" text-anchor="middle">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _centre(name: str) -> tuple[int, int]:
    """Return where the box of a phase stands."""
    angle = 2 * math.pi * [each.name for each in CIRCLE].index(name) / len(CIRCLE) - math.pi / 2
    x, y = (WIDTH - BOX[0]) / 2 - 4, (HEIGHT - BOX[1]) / 2 - LINE
    return round(WIDTH / 2 + x * math.cos(angle)), round(HEIGHT / 2 + y * math.sin(angle))


def _border(name: str, other: str) -> tuple[int, int]:
    """Return where the line from the box of a phase to another one leaves it."""
    (x, y), (to_x, to_y) = _centre(name), _centre(other)
    width, height = to_x - x, to_y - y
    shares = [BOX[0] / 2 / abs(width)] if width else []
    shares += [BOX[1] / 2 / abs(height)] if height else []
    share = min(shares)
    return round(x + share * width), round(y + share * height)


def outcomes(pulls: int) -> str:
    """Return how many simulated pulls of each kind ended how."""
    sys.path.insert(0, str(ROOT / "tests" / "client" / "pagination"))
    simulator = importlib.import_module("listing_simulator")
    rows = ["| listing | pulls | complete | error | silent | requests per pull |", "|---|---|---|---|---|---|"]
    total: Counter[str] = Counter()
    for kind in simulator.KINDS:
        results = [simulator.run(simulator.simulate(kind, seed)) for seed in range(pulls)]
        found = Counter(each.kind for each in results)
        total += found
        requests = sum(each.requests for each in results) / pulls
        rows.append(
            f"| {kind} | {pulls:,} | {found['complete']:,} | {found['error']:,} | {found['silent']} | {requests:.1f} |"
        )
    rows.append(
        f"| **all** | {total.total():,} | {total['complete']:,} | {total['error']:,} | {total['silent']} | |",
    )
    return "\n".join(rows)


def replaced(text: str, name: str, table: str) -> str:
    """Return the page with another table between its marks."""
    before, begin, rest = re.split(rf"(<!-- {name}: .*? -->\n)", text)
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def main() -> None:
    """Write the tables and the diagram, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pulls", type=int, nargs="?", help="simulated pulls of each kind")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    before = PAGE.read_text(encoding="utf-8")
    text = replaced(before, "phases", phases())
    if options.check:
        if text != before or DIAGRAM.read_text(encoding="utf-8") != diagram():
            sys.exit("docs/guarantees.md or its diagram is not that of the code: run scripts/paginator_tables.py")
        return
    if options.pulls:
        text = replaced(text, "outcomes", outcomes(options.pulls))
    PAGE.write_text(text, encoding="utf-8")
    DIAGRAM.write_text(diagram(), encoding="utf-8")


if __name__ == "__main__":
    main()
