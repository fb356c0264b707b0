"""The connection form and the Test button of each version of Airflow, in a real browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import airflow
import pytest
import requests

from airflow_provider_kapture.emulator import Book, Emulator

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
TIMEOUT_MS = 60_000  # milliseconds
EXTRA = {"cm_id": 7, "end_date": "exclusive", "headers": {"User-Agent": "acme"}, "page_size": 40}


class Ui:
    """An Airflow that consists of its UI only, and lets anybody in as administrator."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        self.environment = {
            **kept,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
            "AIRFLOW__WEBSERVER__SHOW_TRIGGER_FORM_IF_NO_PARAMS": "True",
        }

    def run(self, *arguments: str) -> str:
        """Run an ``airflow`` command, and return its output."""
        command = [Path(sys.executable).with_name("airflow"), *arguments]
        run = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def add(self, conn_id: str, kapture: Emulator, **fields: object) -> None:
        connection = json.loads(kapture.connection_json()) | fields
        self.run("connections", "add", conn_id, "--conn-json", json.dumps(connection))

    def stored(self, conn_id: str) -> tuple[str | None, int | None, dict[str, object]]:
        """The host, port and extra that Airflow has stored."""
        with sqlite3.connect(f"{self.home}/airflow.db") as database:
            [row] = database.execute("select host, port, extra from connection where conn_id = ?", [conn_id])
        return row[0], row[1], json.loads(row[2])


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    running = Ui(tmp_path_factory.mktemp("airflow"))
    (running.home / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\nWTF_CSRF_ENABLED = False\n")
    running.run("db", "migrate")
    component = "webserver" if IS_AIRFLOW_2 else "api-server"
    command = [Path(sys.executable).with_name("airflow"), component, "--port", str(running.port), "--workers", "1"]
    with (running.home / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command, env=running.environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_for(running, process)
        yield running
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def wait_for(ui: Ui, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240
    with requests.Session() as http:
        http.trust_env = False
        while time.monotonic() < deadline:
            assert process.poll() is None, (ui.home / "output.log").read_text()
            try:
                if http.get(f"{ui.url}/health" if IS_AIRFLOW_2 else f"{ui.url}/api/v2/version", timeout=10).ok:
                    return
            except requests.RequestException:
                time.sleep(0.5)
    raise TimeoutError((ui.home / "output.log").read_text())


@pytest.fixture(scope="module")
def kapture() -> Iterator[Emulator]:
    with Emulator(Book(orders=9, days=1)) as running:
        yield running


@pytest.fixture
def page(ui: Ui):
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        # Debian's chromium; as root it has no sandbox.
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        browser.close()
