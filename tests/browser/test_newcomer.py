"""What a newcomer does, in a real browser: connect, test, trigger, look, and clear.

``SCREENSHOTS=docs/images`` keeps a picture of each step.
"""

import json
import os
import re
import tempfile
from pathlib import Path

import pytest
from airflow_standalone import USER, Standalone

from airflow_provider_kapture.emulator import Book, Emulator

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
DAG = "kapture_orders_on_demand"
TIMEOUT_MS = 120_000  # milliseconds


@pytest.fixture
def orders():
    # Pictures show it, so that it has a name that says something.
    with tempfile.TemporaryDirectory(prefix="kapture-orders-") as folder:
        yield Path(folder)


@pytest.fixture
def kapture():
    with Emulator(Book(orders=300, days=3)) as running:
        yield running


@pytest.fixture
def airflow(tmp_path: Path, orders: Path):
    settings = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW_VAR_KAPTURE_ORDERS": orders.as_uri(),
        # On a busy machine, a task's first request waits longer than the default of 5 seconds, which fails the task.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }
    with Standalone(tmp_path / "airflow", ROOT / "example_dags", settings) as running:
        yield running


class Newcomer:
    """A page of the browser, and where its pictures go."""

    def __init__(self, page, airflow: Standalone) -> None:
        self.page = page
        self.url = airflow.url
        folder = os.environ.get("SCREENSHOTS")
        self._pictures = ROOT / folder if folder else None

    def picture(self, name: str) -> None:
        if self._pictures:
            self._pictures.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=self._pictures / f"{name}.png", animations="disabled")

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path}", wait_until="commit")

    def press(self, name: str, *, within=None) -> None:
        (within or self.page).get_by_role("button", name=name, exact=True).first.click()

    def tab(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).click()


@pytest.fixture
def newcomer(airflow: Standalone):
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        # Debian's chromium; as root it has no sandbox.
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(airflow.url)
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Dags").first.wait_for()
        yield Newcomer(page, airflow)
        browser.close()


def test_a_newcomer_connects_tests_triggers_looks_and_clears(newcomer, airflow, kapture, orders):
    connect(newcomer, kapture)
    check_what_is_stored(airflow, kapture)
    press_test(newcomer)
    run_id = trigger(newcomer, airflow)
    look_at_the_log(newcomer, run_id)
    look_at_rendered_fields(newcomer)
    receipt = look_at_the_receipt(newcomer, airflow, run_id)
    [file] = orders.rglob("orders_*")
    assert f"file://{file}" == receipt["files"][0]["uri"]
    before = file.read_bytes()
    assert before.count(b"\r\n") > kapture.count("2024-05-08", "2024-05-08") == receipt["rows"]
    file.unlink()
    clear(newcomer, airflow, run_id)
    look_at_mapped_tasks(newcomer, airflow)
    assert file.read_bytes() == before


def connect(newcomer: Newcomer, kapture: Emulator) -> None:
    from playwright.sync_api import expect

    host, port = kapture.origin.rsplit(":", 1)
    page = newcomer.page
    newcomer.open("connections")
    newcomer.press("Add Connection")
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").first.click()
    page.keyboard.type("Kapture")
    page.keyboard.press("Enter")
    form.get_by_label("Connection ID").fill("kapture_default")
    expect(form.get_by_placeholder("acme, or acme.kapturecrm.com")).to_be_visible()
    form.get_by_label("Subdomain").fill(host)
    form.get_by_label("User").fill(kapture.user)
    form.get_by_label("Password", exact=True).fill(kapture.password)
    form.get_by_label("Port").fill(port)
    newcomer.picture("connection")
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for words in ("Default: Asia/Kolkata.", "Default: rows.", "Default: 500."):
        expect(form.get_by_text(words)).to_be_visible()
    form.get_by_label("Account id (cmId)").fill(str(kapture.cm_id))
    form.get_by_label("Page size (orders)").fill("50")
    form.get_by_label("Account id (cmId)").scroll_into_view_if_needed()
    newcomer.picture("connection-extra")
    newcomer.press("Save", within=form)
    expect(page.get_by_text("Connection has been successfully created.")).to_be_visible()


def check_what_is_stored(airflow: Standalone, kapture: Emulator) -> None:
    """What the form leaves untouched is none, and both are accepted."""
    from airflow_provider_kapture.client import Account

    stored = airflow.call("GET", "connections/kapture_default")
    extra = json.loads(stored["extra"])
    assert {key: value for key, value in extra.items() if value is not None} == {
        "cm_id": kapture.cm_id,
        "page_size": 50,
    }
    account = Account.from_connection(stored["host"], stored["login"], "made-up", extra, stored["port"])
    assert (account.origin, account.dialect.page_size) == (kapture.origin, 50)


def press_test(newcomer: Newcomer) -> None:
    from playwright.sync_api import expect

    row = newcomer.page.get_by_role("row").filter(has_text="kapture_default")
    newcomer.press("Test Connection", within=row)
    expect(newcomer.page.get_by_text("Kapture listed an order created")).to_be_visible()
    newcomer.picture("connection-test")


def trigger(newcomer: Newcomer, airflow: Standalone) -> str:
    from playwright.sync_api import expect

    newcomer.open(f"dags/{DAG}")
    newcomer.page.get_by_role("button", name="Trigger").first.click()
    form = newcomer.page.get_by_role("dialog")
    expect(form.get_by_text("Empty: all of them")).to_be_visible()
    form.locator("input[type=date]").first.fill("2024-05-08")
    newcomer.picture("trigger")
    form.get_by_role("button", name="Trigger").last.click()
    runs = airflow.wait_for("a run", lambda: airflow.call("GET", f"dags/{DAG}/dagRuns")["dag_runs"])
    run_id: str = runs[0]["dag_run_id"]
    airflow.wait_for("a success", lambda: state(airflow, run_id) == ("success", 1), 300)
    return run_id


def state(airflow: Standalone, run_id: str) -> tuple[str, int]:
    task = airflow.call("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances/pull_orders")
    return task["state"], task["try_number"]


def look_at_the_log(newcomer: Newcomer, run_id: str) -> None:
    from playwright.sync_api import expect

    page = newcomer.page
    newcomer.open(f"dags/{DAG}/runs/{run_id}/tasks/pull_orders")
    expect(page.get_by_text("Success").first).to_be_visible()
    window = "Window [2024-05-08T00:00:00+05:30, 2024-05-09T00:00:00+05:30) from window_start and window_end"
    expect(page.get_by_text(window)).to_be_visible()
    expect(page.get_by_text("100 orders in")).to_be_visible()
    newcomer.picture("log")


def look_at_rendered_fields(newcomer: Newcomer) -> None:
    from playwright.sync_api import expect

    newcomer.tab("Rendered Templates")
    for name in ("window_start", "window_end", "filters", "destination", "kapture_conn_id"):
        expect(newcomer.page.get_by_role("row").filter(has_text=name).first).to_be_visible()
    expect(newcomer.page.get_by_role("row").filter(has_text="kapture_default").first).to_be_visible()
    newcomer.picture("rendered")


def look_at_the_receipt(newcomer: Newcomer, airflow: Standalone, run_id: str) -> dict:
    from playwright.sync_api import expect

    page = newcomer.page
    newcomer.tab("Storage")
    newcomer.tab("XCom")
    page.get_by_role("button", name=re.compile("^Expand")).first.click()
    expect(page.get_by_role("row").filter(has_text="window_source").first).to_be_visible()
    newcomer.picture("receipt")
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/pull_orders/xcomEntries/receipt"
    return airflow.call("GET", path, deserialize=True)["value"]


def clear(newcomer: Newcomer, airflow: Standalone, run_id: str) -> None:
    page = newcomer.page
    newcomer.tab("Logs")
    newcomer.press("Press shift+c to clear")
    question = page.get_by_role("dialog")
    question.get_by_text("Affected Tasks: 1").wait_for()
    newcomer.picture("clear")
    newcomer.press("Confirm", within=question)
    airflow.wait_for("a second success", lambda: state(airflow, run_id) == ("success", 2), 300)


def look_at_mapped_tasks(newcomer: Newcomer, airflow: Standalone) -> None:
    from playwright.sync_api import expect

    dag = "dags/kapture_orders_backfill"
    airflow.call("POST", "pools", {"name": "kapture", "slots": 4, "description": "Pulls"})
    airflow.call("PATCH", dag, {"is_paused": False})
    period = {"first": "2024-05-08", "last": "2024-05-10"}
    run = (
        f"{dag}/dagRuns/{airflow.call('POST', f'{dag}/dagRuns', {'logical_date': None, 'conf': period})['dag_run_id']}"
    )
    airflow.wait_for("a backfill", lambda: airflow.call("GET", run)["state"] == "success", 300)
    newcomer.open(f"{run.replace('dagRuns', 'runs')}/tasks/pull_orders/mapped")
    for day in ("2024-05-08", "2024-05-09", "2024-05-10"):
        expect(newcomer.page.get_by_role("link", name=day, exact=True)).to_be_visible()
    newcomer.picture("mapped")
