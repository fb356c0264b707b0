"""The commands and code in the README and in docs/, and which of them a test runs.

A block is run by ``tests/docs/test_blocks.py``, which knows its kind, unless the line before it is a mark:

    <!-- run by tests/docs/test_warehouses.py -->      another test runs it
    <!-- not run: needs an account of Snowflake -->    no test can run it, and why

The README's are run by its own test. Text, such as output, is neither.
``python tests/support/doc_blocks.py`` lists all blocks.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
# What the block test runs, with the words of code that it knows how to run; pages, and folders of included files, that
# other tests run as a whole.
KINDS = {"python": "", "shell": "", "json": "cm_id", "ini": "", "sql": "/data/orders/"}
WHOLE_PAGES = {"README.md": "tests/docs/test_readme.py"}
FOLDERS = {"example_dags": "tests/test_example_dags.py", "tests": "the tests themselves"}

_FENCE = re.compile(
    r"(?:^ *<!-- (?P<mark>run by|not run:) (?P<said>[^\n]+?) -->\n)?"
    r"^(?P<indent> *)(?P<ticks>```+|:::+)(?P<kind>[^\n]*)\n(?P<code>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)
_NO_CODE = ("text", "{include}", "{toctree}", "{eval-rst}", "{raw}", "{figure}", "{note}", "{tip}", "{warning}")


@dataclass(frozen=True)
class Block:
    """A block of a page.

    :param run_by: what runs it; empty if nothing does
    :param reason: why nothing can run it
    """

    page: str
    line: int
    kind: str
    code: str
    run_by: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.kind}"


def blocks() -> list[Block]:
    """Return all blocks of code, page by page."""
    return [block for page in PAGES for block in blocks_of(page.name, page.read_text(encoding="utf-8"))]


def blocks_of(page: str, text: str) -> list[Block]:
    """Return the blocks of code of a page."""
    found = []
    for match in _FENCE.finditer(text):
        kind, _, argument = match["kind"].strip().partition(" ")
        if kind in _NO_CODE:
            continue
        said = {match["mark"]: match["said"]}
        run_by = said.get("run by", "") or ("" if match["mark"] else _run_by(page, kind, argument, match["code"]))
        line = text.count("\n", 0, match.start("ticks")) + 1
        code = re.sub(rf"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
        found.append(Block(page, line, argument or kind, code, run_by, said.get("not run:", "")))
    return found


def _run_by(page: str, kind: str, argument: str, code: str) -> str:
    if page in WHOLE_PAGES:
        return WHOLE_PAGES[page]
    if kind == "{literalinclude}":
        return FOLDERS.get(argument.removeprefix("../").partition("/")[0], "")
    return "tests/docs/test_blocks.py" if kind in KINDS and KINDS[kind] in code else ""


def main() -> None:
    """Print each block with what runs it or why nothing does, and the numbers of both."""
    found = blocks()
    for block in found:
        what = f"run by {block.run_by}" if block.run_by else f"not run: {block.reason}"
        sys.stdout.write(f"{block}: {what}\n")
    counts = Counter(bool(block.run_by) for block in found)
    sys.stdout.write(f"{counts[True]} run, {counts[False]} not\n")


if __name__ == "__main__":
    main()
