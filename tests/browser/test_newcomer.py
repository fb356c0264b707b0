"""What a newcomer does, in a real browser: connect, test, trigger, look, clear, and find out why a task has failed.

``SCREENSHOTS=docs/images`` keeps a picture of each step.
"""

import json
import re
import tempfile
from pathlib import Path

import pytest
import screenshots
from airflow_standalone import USER, Standalone
from s3_lake import s3_lake

from airflow_provider_kapture.emulator import Book, Emulator

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
DAG = "kapture_orders_on_demand"
LAKE = "s3://aws_default@lake/kapture"
TIMEOUT_MS = 120_000  # milliseconds


@pytest.fixture
def orders():
    # Pictures show it, so that it has a name that says something.
    with tempfile.TemporaryDirectory(prefix="kapture-orders-") as folder:
        yield Path(folder)


@pytest.fixture
def kapture():
    with Emulator(Book(orders=3600, days=3)) as running:
        yield running


@pytest.fixture
def lake():
    with s3_lake() as running:
        yield running


@pytest.fixture
def airflow(tmp_path: Path, orders: Path, lake):
    settings = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW_CONN_AWS_DEFAULT": lake.connection,
        # On a busy machine, a task's first request waits longer than the default of 5 seconds, which fails the task.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }
    with Standalone(tmp_path / "airflow", ROOT / "example_dags", settings) as running:
        running.call("POST", "variables", {"key": "kapture_orders", "value": orders.as_uri()})
        yield running


class Newcomer:
    """A page of the browser."""

    def __init__(self, page, airflow: Standalone) -> None:
        self.page = page
        self.url = airflow.url

    def picture(self, name: str) -> None:
        screenshots.take(self.page, name)

    def picture_of_task(self, name: str, last) -> None:
        """Keep a picture of a task's panel, down to an element."""
        left = self.page.get_by_role("button", name="Collapse Details Panel").bounding_box()
        below = last.bounding_box()
        edge, top = left["x"] + left["width"] + 4, 60
        size = {"width": self.page.viewport_size["width"] - edge, "height": below["y"] + below["height"] + 6 - top}
        screenshots.take(self.page, name, {"x": edge, "y": top, **size})

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
        page = screenshots.new_page(playwright, 1240, 800)
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(airflow.url)
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Dags").first.wait_for()
        yield Newcomer(page, airflow)


def test_a_newcomer_connects_tests_triggers_looks_and_clears(newcomer, airflow, kapture, orders, lake):
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
    airflow.call("PATCH", "variables/kapture_orders", {"key": "kapture_orders", "value": LAKE})
    look_at_files_in_a_bucket(newcomer, airflow, lake, kapture)
    look_at_a_failed_task(newcomer, airflow, kapture)


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


def run_again(airflow: Standalone, end: str) -> str:
    """Run the DAG for a day without its form, and return the run's id once the task has ended in a state."""
    body = {"logical_date": None, "conf": {"first": "2024-05-08"}}
    run_id: str = airflow.call("POST", f"dags/{DAG}/dagRuns", body)["dag_run_id"]
    airflow.wait_for(end, lambda: state(airflow, run_id) == (end, 1), 300)
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
    expect(page.get_by_text("Pulled 1,200 orders in")).to_be_visible()


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
    receipt = page.get_by_role("row").filter(has_text="window_source").first
    expect(receipt).to_be_visible()
    # Airflow keeps the task's links beside it.
    receipt.evaluate("row => row.scrollIntoView()")
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


def wrap_lines(newcomer: Newcomer) -> None:
    newcomer.press("Log Settings")
    newcomer.page.get_by_role("menuitem", name="Wrap").click()
    newcomer.page.get_by_role("menu").wait_for(state="hidden")


def look_at_files_in_a_bucket(newcomer: Newcomer, airflow: Standalone, lake, kapture: Emulator) -> None:
    from playwright.sync_api import expect

    page = newcomer.page
    newcomer.open(f"dags/{DAG}/runs/{run_again(airflow, 'success')}/tasks/pull_orders")
    expect(page.get_by_text(f"bytes in {LAKE}/on-demand/all/")).to_be_visible()
    wrap_lines(newcomer)
    log = page.get_by_test_id("virtualized-list")
    newcomer.picture_of_task("log", log)
    screenshots.take_half(page, screenshots.LOG, log.bounding_box())
    newcomer.tab("Details")
    [found] = lake.client.list_objects(Bucket="lake", Prefix="kapture/on-demand/all/create_date=")["Contents"]
    console = f"https://console.aws.amazon.com/s3/object/lake?prefix={found['Key'].replace('=', '%3D')}"
    expect(page.get_by_role("link", name="Files", exact=True)).to_have_attribute("href", console)
    expect(page.get_by_role("link", name="Kapture", exact=True)).to_have_attribute("href", kapture.origin)
    newcomer.picture_of_task("links", page.get_by_role("row").filter(has_text="Run ID"))


def look_at_a_failed_task(newcomer: Newcomer, airflow: Standalone, kapture: Emulator) -> None:
    from playwright.sync_api import expect

    page = newcomer.page
    wrong = {"connection_id": "kapture_default", "conn_type": "kapture", "password": "a former one"}
    airflow.call("PATCH", "connections/kapture_default", wrong, update_mask="password")
    newcomer.open(f"dags/{DAG}/runs/{run_again(airflow, 'failed')}/tasks/pull_orders")
    cause = page.get_by_text("ERROR - Kapture does not accept the credentials")
    expect(cause).to_contain_text("check login and password.")
    expect(cause).to_contain_text("(connection 'kapture_default')")
    # The picture is about the message.
    page.get_by_test_id("summary-AirflowFailException").click()
    newcomer.picture_of_task("log-failed", page.get_by_test_id("virtualized-list"))
    newcomer.tab("Details")
    expect(page.get_by_role("link", name="Kapture", exact=True)).to_have_attribute("href", kapture.origin)
    expect(page.get_by_role("link", name="Files", exact=True)).not_to_be_visible()
