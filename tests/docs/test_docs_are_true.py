"""What the documentation says, held against what there is."""

import argparse
import ast
import dataclasses
import datetime as dt
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_kapture
from airflow_provider_kapture import doctor
from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.account import Dialect
from airflow_provider_kapture.client.client import Tally
from airflow_provider_kapture.client.days import make_window
from airflow_provider_kapture.diagnosis.ask import diagnose
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.emulator import cli as emulator_cli
from airflow_provider_kapture.emulator.presets import PRESETS
from airflow_provider_kapture.emulator.switch_topics import TOPICS
from airflow_provider_kapture.storage.receipt import receipt

ROOT = Path(__file__).parents[2]
PACKAGE = Path(airflow_provider_kapture.__file__).parent
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
PAGES |= {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")}


# -- errors --

# What raises a message that a user reads.
RAISERS = re.compile(
    r"Kapture\w+Error|Airflow(Fail|Skip|)Exception|\w*(OS|FileExists|FileNotFound|Directory)Error|_listing_error|_error"
)
# Modules whose messages have a page of their own, or none that a user of Airflow reads.
ELSEWHERE = {"emulator", "diagnosis"}


def words(text):
    return re.sub(r"[`\s]+", " ", text).strip()


def fragments(node):
    """The fixed parts of a message."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return [each.value for each in node.values if isinstance(each, ast.Constant)]
    return []


def messages():
    for path in sorted(PACKAGE.rglob("*.py")):
        if ELSEWHERE & set(path.relative_to(PACKAGE).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and RAISERS.fullmatch(getattr(node.func, "id", "")):
                parts = [part for argument in node.args for part in fragments(argument)]
                # Four words of its first fixed part of some length; what has none is put together from such parts.
                parts = [words(part).strip(" :;,()") for part in parts]
                opening = " ".join(next((part for part in parts if len(part) >= 10), "").split()[:4]).rstrip(" :;,(")
                if opening:
                    yield f"{path.stem}: {opening}", opening


@pytest.mark.parametrize("opening", dict(messages()).values(), ids=dict(messages()))
def test_each_error_is_explained(opening):
    rows = re.findall(r"^\| ([^|]+) \|", PAGES["troubleshooting.md"], re.MULTILINE)
    is_explained = any(opening in words(row) for row in rows)
    assert is_explained, f"docs/troubleshooting.md has no row for {opening!r}"


# -- guarantees --


def test_each_guarantee_names_the_tests_that_hold_it():
    rows = re.findall(r"^\| (G\d+) \|.*\| ([^|]*) \|$", PAGES["guarantees.md"], re.MULTILINE)
    assert [name for name, _ in rows] == [f"G{number}" for number in range(1, 16)]
    for name, files in rows:
        assert files, name
        for file in re.findall(r"`([^`]+)`", files):
            assert (ROOT / file).is_file(), file


# -- settings, receipt, commands --


def test_every_setting_is_described_with_its_default():
    for field in dataclasses.fields(Dialect):
        row = re.search(rf"^\| `{field.name}` \| ([^|]*) \|", PAGES["connection.md"], re.MULTILINE)
        assert row, field.name
        default = getattr(Dialect(cm_id=1), field.name)
        if field.name == "cm_id":
            assert row[1] == "required"
        elif isinstance(default, bool) or default is None:
            assert row[1] == {None: "none", True: "true"}[default]
        elif isinstance(default, int | float | str):
            assert row[1].strip("`") == (f"{default:.0f}" if isinstance(default, float) else str(default))
        else:
            shown = json.loads(row[1].strip("`"))
            assert shown == (list(default) if isinstance(default, tuple) else dict(default))


def test_every_key_of_the_receipt_is_described():
    account = Account.of("acme", "me", "x", {"cm_id": 1})
    now = dt.datetime.now(dt.UTC)
    window = make_window("2024-05-08", "2024-05-09", account.zone)
    keys = receipt(account, window, Tally(), window_source="", date_field="create", files=[], began=now, ended=now)
    table = PAGES["storage.md"].partition("## The receipt")[2]
    described = [
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(described) == sorted(keys)


def fences(kind):
    for name, text in PAGES.items():
        for number, code in enumerate(re.findall(rf"^ *```{kind}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)):
            yield pytest.param(code, id=f"{name}-{number}")


@pytest.mark.parametrize("code", list(fences("python")))
def test_python_is_python_and_what_it_imports_is_there(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("airflow_provider_kapture"):
            module = __import__(node.module, fromlist=[name.name for name in node.names])
            assert all(hasattr(module, name.name) for name in node.names)


def test_the_readmes_dag_is_a_dag():
    pytest.importorskip("airflow.sdk")
    [code] = re.findall(r"^```python\n(.*?)^```", PAGES["README.md"], re.MULTILINE | re.DOTALL)
    found: dict[str, object] = {}
    exec(code.replace("catchup=False):", "catchup=False) as dag:"), found)
    assert found["dag"].task_ids == ["pull_orders"]


@pytest.mark.parametrize("code", list(fences("shell")))
def test_commands_are_there(code):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in code.replace("\\\n", " ").splitlines():
        command = shlex.split(line, comments=True) if line.count("'") % 2 == 0 else []
        if command[:1] == ["make"]:
            assert {each for each in command[1:] if "=" not in each} <= targets, line
        if command[:1] == ["kapture"]:
            parser = argparse.ArgumentParser()
            {"doctor": doctor, "emulator": emulator_cli}[command[1]].add_arguments(parser)
            parser.parse_args(command[2:])


def test_targets_named_in_text_are_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name, text in PAGES.items():
        assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets, name


def test_the_doctors_sample_is_what_it_says():
    shown = (ROOT / "docs" / "doctor.txt").read_text(encoding="utf-8")
    command, _, shown = shown.partition("\n\n")
    options = argparse.ArgumentParser()
    emulator_cli.add_arguments(options)
    chosen = options.parse_args(shlex.split(command.splitlines()[0].removeprefix("$ kapture emulator ")))
    with Emulator(Book(chosen.orders, chosen.days, chosen.start), emulator_cli.switches_of(chosen)) as kapture:
        connection = json.loads(kapture.connection_json())
        account = Account.of(connection["host"], connection["login"], connection["password"], connection["extra"])
        told = doctor.told(diagnose(account, dt.date(2024, 5, 9)), account)

    def without_what_varies(text):
        return re.sub(r"ok  pace.*?\n\n|127\.0\.0\.1:\d+", "", text, flags=re.DOTALL)

    assert without_what_varies(told) == without_what_varies(shown)


@pytest.mark.parametrize("command", ["doctor", "emulator"])
def test_help_of_the_commands(command):
    kapture = Path(sys.executable).with_name("kapture")
    run = subprocess.run([kapture, command, "--help"], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert run.stdout.startswith(f"usage: kapture {command}")


def test_every_switch_of_the_emulator_is_described_by_topic():
    for topic in TOPICS:
        row = re.search(rf"^\| {topic} \| (.*) \|$", PAGES["testing.md"], re.MULTILINE)
        assert row, topic
        wanted = [each.name for each in dataclasses.fields(Switches) if each.metadata["topic"] == topic]
        assert re.findall(r"`(\w+)`", row[1]) == wanted


def test_every_preset_of_the_emulator_is_described():
    assert re.findall(r"^\| `(\w+)` \| an? ", PAGES["testing.md"], re.MULTILINE) == list(PRESETS)
