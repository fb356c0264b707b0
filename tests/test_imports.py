"""The package's modules import one another one way, without circles."""

import ast
import sys
from pathlib import Path

import pytest

import airflow_provider_kapture

NAME = "airflow_provider_kapture"
PACKAGE = Path(airflow_provider_kapture.__file__).parent

# Folder or module -> what it may import of the package, itself aside. What is not listed may import anything but `cli`.
RULES = {
    "client": {"__init__"},
    "client.errors": set(),
    "client.orders": set(),
    "client.iso8601": set(),
    "client.words": set(),
    "client.days": {"client.errors", "client.iso8601"},
    "client.config": {"client.errors", "client.orders", "client.days", "client.words"},
    "client.api": {"__init__", "client.errors", "client.orders", "client.days", "client.config", "client.words"},
    "client.pagination": {"client.errors", "client.orders", "client.api", "client.config"},
    "client.pull": {
        "client.errors",
        "client.orders",
        "client.days",
        "client.config",
        "client.api",
        "client.pagination",
    },
    "client.fetch": {
        "client.errors",
        "client.orders",
        "client.days",
        "client.config",
        "client.api",
        "client.pull",
        "client.transport.network_errors",
    },
    "client.transport": {"client.errors", "client.orders", "client.config", "client.api"},
    "storage": {"__init__", "client"},
    "storage.encoders": {"client"},
    "storage.destinations": {"client", "storage.encoders"},
    "doctor": {"client", "hooks", "command_line"},
    "audit": {"client", "storage", "hooks", "command_line"},
    "command_line": set(),
    "emulator": {"client.orders"},
    "windows": {"client", "schedules", "window_store"},
    "schedules": {"client", "timetables", "airflow_internals"},
    "timetables": {"client", "airflow_internals"},
    "airflow_internals": set(),
    "privacy": {"client"},
    "hooks": {"client", "connection_form"},
    "connection_form": {"client.config.table"},
    "get_provider_info": {"connection_form"},
}
# Folders that must not import Airflow, anywhere in a module.
WITHOUT_AIRFLOW = ("client", "emulator", "storage.encoders", "get_provider_info", "connection_form")


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path):
    """Every module that a file imports, at the top or within a function, but not for type checkers alone."""
    for_types = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for_types |= {id(each) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = full.removeprefix(f"{NAME}.") in MODULES
                yield full if is_module else node.module


def of_the_package(path):
    for name in imported(path):
        if name == NAME:
            yield "__init__"
        elif name.startswith(f"{NAME}."):
            yield name.removeprefix(f"{NAME}.")


GRAPH = {name: set(of_the_package(path)) - {name} for name, path in MODULES.items()}


def is_within(name, folder):
    return name == folder or name.startswith(f"{folder}.")


def test_there_is_something_to_check():
    assert len(MODULES) > 60
    assert sum(map(len, GRAPH.values())) > 150
    assert set().union(*GRAPH.values()) <= set(MODULES)
    for folder in (*RULES, *WITHOUT_AIRFLOW):
        assert any(is_within(name, folder) for name in MODULES), folder


@pytest.mark.parametrize("folder", RULES)
def test_imports_run_one_way(folder):
    allowed = RULES[folder]
    wrong = [
        f"{name} imports {target}"
        for name in MODULES
        if is_within(name, folder)
        for target in GRAPH[name]
        if not is_within(target, folder) and not any(is_within(target, each) for each in allowed)
    ]
    assert not wrong


def test_only_the_command_line_imports_the_command():
    assert not [name for name, targets in GRAPH.items() if "cli" in targets]


@pytest.mark.parametrize("folder", WITHOUT_AIRFLOW)
def test_no_airflow(folder):
    names = [name for name in MODULES if is_within(name, folder)]
    assert names
    assert not [
        f"{name} imports {each}"
        for name in names
        for each in imported(MODULES[name])
        if each.partition(".")[0] == "airflow"
    ]


def circles(graph):
    """The strongly connected components of more than one module."""
    found, index, low, stack = [], {}, {}, []

    def visit(name):
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in graph.get(name, ()):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            members = set()
            while name not in members:
                members.add(stack.pop())
            if len(members) > 1:
                found.append(sorted(members))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_no_module_imports_itself_by_way_of_others():
    assert len(GRAPH) < sys.getrecursionlimit() // 2
    assert circles(GRAPH) == []
