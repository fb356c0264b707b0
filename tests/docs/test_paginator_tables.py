import importlib.util
import sys
from pathlib import Path

from airflow_provider_kapture.client.pagination.phases import Phase

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_the_phases_on_the_page_and_in_its_diagram_are_those_of_the_code():
    tables = load(ROOT / "scripts" / "paginator_tables.py")
    assert tables.phases() in PAGE
    assert tables.DIAGRAM.read_text(encoding="utf-8") == tables.diagram()
    assert set(tables.CIRCLE) == set(Phase)


def test_the_outcomes_on_the_page_are_of_all_simulated_kinds_and_none_is_silent():
    kinds = load(ROOT / "tests" / "client" / "pagination" / "listing_simulator.py").KINDS
    table = PAGE.partition("<!-- outcomes:")[2].partition("<!-- end of outcomes")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    assert [row[0] for row in rows[2:]] == [*kinds, "**all**"]
    assert {row[4] for row in rows[2:]} == {"0"}
    assert int(rows[-1][1].replace(",", "")) >= 20_000
