"""What the documentation says, held against what there is."""

import argparse
import ast
import builtins
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
from error_texts import messages, words

import airflow_provider_kapture
from airflow_provider_kapture import cli
from airflow_provider_kapture.client import Account, errors, orders
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import make_window
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.doctor.render import Screen
from airflow_provider_kapture.doctor.run import diagnose
from airflow_provider_kapture.emulator import Emulator, Switches
from airflow_provider_kapture.emulator import cli as emulator_cli
from airflow_provider_kapture.emulator.presets import PRESETS
from airflow_provider_kapture.emulator.switch_topics import TOPICS
from airflow_provider_kapture.storage.receipt import PullInfo, build_receipt

ROOT = Path(__file__).parents[2]
PACKAGE = Path(airflow_provider_kapture.__file__).parent
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
PAGES |= {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")}


# -- errors --

# What raises a message that a user reads.
ERRORS = {each.__name__ for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)}
AIRFLOWS = {"AirflowException", "AirflowFailException", "AirflowSensorTimeout", "AirflowSkipException"}
BUILTINS = {name for name, each in vars(builtins).items() if isinstance(each, type) and issubclass(each, OSError)}
# Folders whose messages have a page of their own, or none that a user of Airflow reads.
ELSEWHERE = {"emulator"}
MESSAGES = messages(PACKAGE, ERRORS | AIRFLOWS | BUILTINS, ELSEWHERE)


def test_messages_of_every_kind_of_error_are_found():
    without_subclasses = {
        each.__name__
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.KaptureError) and not each.__subclasses__()
    }
    assert without_subclasses
    assert without_subclasses | AIRFLOWS | {"OSError"} <= {message.error for message in MESSAGES}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: f"{message.where}: {message.opening}")
def test_each_error_is_explained(message):
    rows = re.findall(r"^\| ([^|]+) \|", PAGES["troubleshooting.md"], re.MULTILINE)
    is_explained = any(message.opening in words(row) for row in rows)
    assert is_explained, f"docs/troubleshooting.md has no row for {message.opening!r}"


def claims_of_rows():
    """Each row of the page, and whether Airflow or the task retries after such an error, by what the page says."""
    for section in PAGES["troubleshooting.md"].split("\n## ")[1:]:
        intro, _, table = section.partition("| Message |")
        for row, remedy in re.findall(r"^\| ([^|]+) \| ((?:[^|]|\\\|)+) \|$", table, re.MULTILINE):
            for text in (remedy, intro):
                claims = {claim.casefold() for claim in re.findall(r"\b(?:[Nn]ot r|[Rr])etried\b", text)}
                if claims:
                    break
            yield words(row), claims


ROWS = list(claims_of_rows())


def is_retried(error):
    if error in AIRFLOWS - {"AirflowException"}:
        return False
    kind = getattr(errors, error, None)
    return kind is None or kind.permanent is not True


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: f"{message.where}: {message.opening}")
def test_each_error_is_retried_as_the_page_says(message):
    claims = set().union(*(claims for row, claims in ROWS if message.opening in row))
    assert claims, f"docs/troubleshooting.md does not say whether {message.opening!r} is retried"
    assert ("retried" if is_retried(message.error) else "not retried") in claims


# -- guarantees --


def test_each_guarantee_names_the_tests_that_hold_it():
    rows = re.findall(r"^\| (G\d+) \|.*\| ([^|]*) \|$", PAGES["guarantees.md"], re.MULTILINE)
    assert [name for name, _ in rows] == [f"G{number}" for number in range(1, 18)]
    for name, files in rows:
        named = re.findall(r"`([^`]+)`", files)
        assert named, name
        for file in named:
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


def test_every_filter_is_listed_with_the_values_that_it_takes():
    numbers = orders.ID_FILTERS | orders.STATUS_FILTERS
    expected = [
        (
            name,
            "numbers or text" if name in numbers else "text",
            "yes" if name in orders.PERSONAL_FILTERS else "",
        )
        for name in orders.FILTERS
    ]
    listed = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*?) ?\| [A-Z][^|]* \|$", PAGES["filters.md"], re.MULTILINE)
    assert listed == expected


def test_every_key_of_the_receipt_is_described():
    account = Account.from_connection("acme", "me", "x", {"cm_id": 1})
    now = dt.datetime.now(dt.UTC)
    window = make_window("2024-05-08", "2024-05-09", account.zone)
    info = PullInfo("", "create", [], "", now, run={}, file_format="csv", receipt_uri="")
    keys = build_receipt(account, window, PullStats(empty_proof="none"), [], info)
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


TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def commands(name):
    """Each call of a command that a page shows."""
    for fence in fences("shell"):
        [code] = fence.values
        for line in code.replace("\\\n", " ").splitlines():
            if line.split()[:1] == [name]:
                yield pytest.param(shlex.split(line, comments=True)[1:], id=f"{fence.id}: {line}")


def test_make_help_begins_with_what_a_newcomer_wants_and_lists_every_documented_target():
    run = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  ([a-z-]+) +\S", run.stdout, re.MULTILINE)
    assert listed[:2] == ["demo", "ui"]
    texts = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(texts)


@pytest.mark.parametrize("arguments", list(commands("make")))
def test_targets_are_there(arguments):
    assert {each for each in arguments if "=" not in each} <= TARGETS


@pytest.mark.parametrize("arguments", list(commands("kapture")))
def test_commands_are_there(arguments):
    parser, *_ = cli.build_parser()
    try:
        parser.parse_args(arguments)
    except SystemExit as stopped:
        assert stopped.code == 0  # noqa: PT017 - as `--version` does


@pytest.mark.parametrize(
    "target", sorted({each for text in PAGES.values() for each in re.findall(r"`make ([a-z-]+)`", text)})
)
def test_targets_named_in_text_are_there(target):
    assert target in TARGETS


def test_the_doctors_sample_is_what_it_says():
    shown = (ROOT / "docs" / "doctor.txt").read_text(encoding="utf-8")
    command, _, shown = shown.partition("\n\n")
    options = argparse.ArgumentParser()
    emulator_cli.add_arguments(options)
    chosen = options.parse_args(shlex.split(command.splitlines()[0].removeprefix("$ kapture emulator ")))
    with Emulator(emulator_cli.book_of(chosen), emulator_cli.switches_of(chosen)) as kapture:
        connection = json.loads(kapture.connection_json())
        account = Account.from_connection(
            connection["host"], connection["login"], connection["password"], connection["extra"]
        )
        written: list[str] = []
        screen = Screen(account, "kapture_default", written.append)
        screen.end(diagnose(account, dt.date(2024, 5, 9), tell=screen.show))
        told = "".join(written)

    def without_what_varies(text):
        return re.sub(r"ok  pace.*?\n\n|127\.0\.0\.1:\d+", "", text, flags=re.DOTALL)

    assert without_what_varies(told) == without_what_varies(shown)


@pytest.mark.parametrize("command", ["demo", "doctor", "emulator"])
def test_help_of_the_commands(command):
    kapture = Path(sys.executable).with_name("kapture")
    run = subprocess.run([kapture, command, "--help"], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert run.stdout.startswith(f"usage: kapture {command}")


def test_every_switch_of_the_emulator_is_described_by_topic():
    for topic in TOPICS:
        row = re.search(rf"^\| {topic} \| (.*) \|$", PAGES["testing.md"], re.MULTILINE)
        assert row, topic
        expected = [each.name for each in dataclasses.fields(Switches) if each.metadata["topic"] == topic]
        assert re.findall(r"`(\w+)`", row[1]) == expected


def test_every_preset_of_the_emulator_is_described():
    assert re.findall(r"^\| `(\w+)` \| an? ", PAGES["testing.md"], re.MULTILINE) == list(PRESETS)
