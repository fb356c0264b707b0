"""The command ``kapture``: its help, its completion, and its errors of arguments."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_kapture import cli

COMMANDS = ["audit", "demo", "doctor", "emulator"]


def test_without_a_command_it_prints_the_help_with_examples(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: kapture")
    for name in COMMANDS:
        assert f"\n  kapture {name}" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_examples_and_exit_statuses(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    examples, statuses = shown.partition("examples:\n")[2].split("exit statuses:\n")
    assert f"  kapture {command}" in examples
    assert {line.split()[0] for line in statuses.splitlines()} >= {"0", "2"}


def examples():
    for name in COMMANDS:
        for line in cli._HELP[name].examples.splitlines():
            if line.startswith("  kapture "):
                yield line.partition("    ")[0].strip()


@pytest.mark.parametrize("example", list(examples()))
def test_the_examples_have_right_arguments(example, monkeypatch):
    seen = []
    for module in ("audit.cli", "demo", "doctor.cli", "emulator.cli"):
        monkeypatch.setattr(f"airflow_provider_kapture.{module}.main", lambda arguments: seen.append(arguments) or 0)
    assert cli.main(shlex.split(example)[1:]) == 0
    assert seen


def completions(line, tmp_path):
    """What argcomplete's function of a shell gets for a line; Airflow cannot be imported."""
    program = "import sys; sys.modules['airflow'] = None; from airflow_provider_kapture.cli import main; main()"
    environment = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "completions"),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run([sys.executable, "-c", program], env=os.environ | environment, check=True)
    return (tmp_path / "completions").read_text(encoding="utf-8").split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kapture ", [*COMMANDS, "--help", "--version", "-h"]),
        ("kapture do", ["doctor"]),
        ("kapture doctor kapture_default --d", ["--day"]),
        ("kapture emulator --preset leg", ["legacy"]),
        ("kapture emulator --orders many --pres", ["--preset"]),
    ],
)
def test_a_shell_completes_commands_and_options(line, expected, tmp_path):
    assert sorted(completions(line, tmp_path)) == sorted(expected)


def test_argcomplete_finds_that_the_console_script_can_be_completed():
    script = Path(sys.executable).with_name("kapture")
    subprocess.run([sys.executable, "-m", "argcomplete._check_console_script", script], check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("doctor acme --day 9.5.2024", "kapture doctor: argument --day: write 2024-05-09, not '9.5.2024'"),
        ("doctor acme --day 20240509", "kapture doctor: argument --day: write 2024-05-09, not '20240509'"),
        ("emulator --start today", "kapture emulator: argument --start: write 2024-05-09, not 'today'"),
        ("emulator --orders many", "kapture emulator: argument --orders: write a whole number such as 7, not 'many'"),
        ("emulator --page-cap 1.5", "kapture emulator: argument --page-cap: write a whole number such as 7, not '1.5'"),
        ("emulator --latency slow", "kapture emulator: argument --latency: write a number such as 0.5, not 'slow'"),
        ("doctor acme --dya 2024-05-09", "kapture doctor: unrecognized arguments: --dya 2024-05-09"),
        ("docter acme", "kapture: argument COMMAND: invalid choice: 'docter' (choose from"),
        ("--loud", "kapture: unrecognized arguments: --loud"),
    ],
)
def test_an_error_of_an_argument_states_the_right_form(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(shlex.split(arguments))
    assert stopped.value.code == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(message)
    assert second == f"See `{message.partition(':')[0]} --help`."
