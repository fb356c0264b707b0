"""The command's ways to set switches."""

import argparse
import json
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import fields

import pytest

from airflow_provider_kapture.emulator import Switches, cli
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


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.switches_of(parser.parse_args(arguments))


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


def test_the_command_tells_what_was_issued():
    with start("--preset", "legacy") as process:
        lines = [process.stdout.readline() for _ in range(8)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    [export] = [line for line in lines if line.startswith("export ")]
    connection = json.loads(shlex.split(export)[1].partition("=")[2])
    assert (connection["login"], connection["password"]) == ("", "emulator")
