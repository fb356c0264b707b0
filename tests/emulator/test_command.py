"""The command's ways to set switches."""

import argparse
import datetime as dt
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_kapture.emulator import Book, Switches, cli
from airflow_provider_kapture.emulator.presets import PRESETS
from airflow_provider_kapture.emulator.switch_topics import TOPICS


def start(*arguments):
    code = "import sys; from airflow_provider_kapture.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "emulator", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments):
    with start(*arguments) as process:
        out, error = process.communicate(timeout=30)
    return process.returncode, out, error


def test_the_command_lists_every_switch_by_topic():
    status, out, _error = run("--list")
    assert status == 0
    assert re.findall(r"^(\S.*):$", out, re.MULTILINE) == list(TOPICS)
    listed = re.findall(r"^  (\w+)=\S+.*  \S", out, re.MULTILINE)
    assert sorted(listed) == sorted(each.name for each in fields(Switches))
    assert {each.metadata["topic"] for each in fields(Switches)} == set(TOPICS)


def parse(*arguments):
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(arguments)


def parsed(*arguments):
    return cli.switches_of(parse(*arguments))


def test_switches_are_set_by_name():
    assert parsed() == Switches()
    texts = ["auth=key", "paging=pages", "page_cap=7", "latency=0.5", "dates_ignored=true", "rows_at=", "bad_auth=200"]
    expected = Switches(
        auth="key", paging="pages", page_cap=7, latency=0.5, dates_ignored=True, rows_at="", bad_auth=200
    )
    assert parsed(*(part for text in texts for part in ("--set", text))) == expected
    assert parsed("--page-cap", "7", "--set", "page_cap=none", "--set", "paging=none") == Switches(paging="none")


def test_a_preset_gives_way_to_what_is_named():
    assert parsed("--preset", "legacy") == Switches(**PRESETS["legacy"])
    assert parsed("--preset", "legacy", "--page-cap", "9", "--set", "auth=basic") == Switches(
        **{**PRESETS["legacy"], "page_cap": 9, "auth": "basic"}
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "auht=key"], "did you mean 'auth'"),
        (["--set", "auth=kye"], "auth is 'kye': it must be one of basic, key"),
        (["--set", "page_cap=many"], "page_cap is 'many'"),
        (["--set", "auth"], "'auth' is not NAME=VALUE"),
        (["--preset", "modern"], "invalid choice"),
    ],
)
def test_the_command_names_a_wrong_switch(arguments, message):
    status, _out, error = run(*arguments)
    assert status == 2
    assert message in error


@contextmanager
def emulator(*arguments):
    """A running emulator; yields the lines that it has printed."""
    with start(*arguments) as process:
        try:
            yield list(iter(process.stdout.readline, "Stop with Ctrl-C.\n"))
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def connection_in(lines):
    [export] = [line for line in lines if line.startswith("export ")]
    name, _, value = shlex.split(export)[1].partition("=")
    return name, value


def test_the_command_tells_what_was_issued():
    with emulator("--preset", "legacy") as lines:
        connection = json.loads(connection_in(lines)[1])
    assert (connection["login"], connection["password"]) == ("", "emulator")


@pytest.mark.slow
@pytest.mark.parametrize("start_option", [(), ("--start", "2024-05-08")], ids=["until today", "days of 2024"])
def test_the_commands_that_it_prints_work_on_its_orders(start_option):
    with emulator("--orders", "600", *start_option) as lines:
        name, value = connection_in(lines)
        [doctor] = [line for line in lines if line.startswith("kapture ")]
        [count] = [line for line in lines if line.startswith("python ")]
        options = {"env": {**os.environ, name: value}, "capture_output": True, "text": True}
        kapture = Path(sys.executable).with_name("kapture")
        report = subprocess.run([kapture, *shlex.split(doctor)[1:]], check=True, **options)
        counted = subprocess.run([sys.executable, *shlex.split(count)[1:]], check=True, **options)
    assert "A pull can be trusted" in report.stdout
    assert counted.stdout.splitlines()[-1] == "200"


def test_the_default_book_ends_today():
    book = cli.book_of(parse())
    today = dt.datetime.now(ZoneInfo(book.timezone)).date()
    # Midnight may pass between the two.
    assert today - book.last_day <= dt.timedelta(days=1)
    assert book.days == 3


def test_a_book_with_a_start_is_the_same_on_every_day():
    assert cli.book_of(parse("--start", "2024-05-08")) == Book(start=dt.date(2024, 5, 8))


def test_more_days_than_the_calendar_has_are_an_error():
    status, _out, error = run("--days", "99999999")
    assert status == 2
    assert "days is 99999999" in error
