"""The page of an audit, in a real browser without scripts, on a desk and on a phone.

``SCREENSHOTS=docs/images`` keeps pictures of it.
"""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import screenshots
from s3_lake import s3_lake

from airflow_provider_kapture.audit import audit
from airflow_provider_kapture.audit.page import render_page
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FOLDER = "s3://aws_default@lake/orders/"
DAY = dt.timedelta(days=1)
TODAY = dt.datetime.now(ZoneInfo("Asia/Kolkata")).date()
# Since the first of the month before the last: three months are a row of the heat map.
DAYS = (TODAY - (TODAY.replace(day=1) - 32 * DAY).replace(day=1)).days + 1


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page of a folder in which a run was skipped, an object was removed, and orders have changed since."""
    with (
        pytest.MonkeyPatch.context() as environment,
        s3_lake() as lake,
        Emulator(Book.until_now(DAYS * 20, DAYS, "Asia/Kolkata")) as kapture,
    ):
        for name, value in {**kapture.connection_uri_env(), "AIRFLOW_CONN_AWS_DEFAULT": lake.connection}.items():
            environment.setenv(name, value)
        days = [kapture.book.start + number * DAY for number in range(DAYS)]
        for number, day in enumerate(days[:-1]):
            # Business grows, and pauses on Sundays.
            kapture.add_orders(0 if day.weekday() == 6 else 40 + 3 * number + 25 * (number % 3), day=day)
        for day in days:
            if day not in days[30:32]:
                pull(day)
        for day in days[-12:-9]:
            kapture.add_orders(4, day=day)
        [gone] = lake.client.list_objects(Bucket="lake", Prefix=f"orders/create_date={days[44]}/")["Contents"]
        lake.client.delete_object(Bucket="lake", Key=gone["Key"])
        lake.client.put_object(Bucket="lake", Key=f"orders/create_date={days[36]}/copy.csv", Body=b"")
        report = audit(FOLDER, kapture_conn_id="kapture_default")
        assert [each.kind for each in report.findings] == ["gap", "gap", "unknown", "missing", *["different"] * 3]
    page = tmp_path_factory.mktemp("audit") / "_audit.html"
    page.write_text(render_page(report), encoding="utf-8")
    return page, report


def pull(day):
    edges = {"window_start": day.isoformat(), "window_end": (day + DAY).isoformat()}
    KapturePullOrdersOperator(task_id="pull_orders", destination=FOLDER, **edges).execute({})


@pytest.mark.parametrize(
    ("width", "height", "name"),
    [(1280, 1000, "audit"), (screenshots.WIDTH, 800, screenshots.AUDIT), (380, 800, "audit-phone")],
)
def test_the_page_is_readable_without_scripts(page_file, width, height, name):
    from playwright.sync_api import expect, sync_playwright

    path, report = page_file
    with sync_playwright() as playwright:
        seen: list[str] = []
        page = screenshots.new_page(playwright, width, height, scripts=False)
        page.on("request", lambda request: seen.append(request.url))
        page.goto(path.as_uri())
        if name == screenshots.AUDIT:
            months = page.locator(".months").bounding_box()
            screenshots.take_half(
                page, name, {"x": 0, "y": 0, "width": width, "height": months["y"] + months["height"]}
            )
        else:
            screenshots.take(page, name)
        assert seen == [path.as_uri()]
        for each in report.findings:
            expect(page.get_by_text(each.message).first).to_be_visible()
        # Nothing is wider than the screen.
        wide = [box for box in boxes(page, "h1, p, dl, ul, table, td, .months") if box["x"] + box["width"] > width]
        assert not wide
        cells = page.locator(".months td.l0, .months td.l1, .months td.l2, .months td.l3, .months td.l4")
        assert cells.count() == DAYS
        smallest = min(boxes(page, ".months td[class]"), key=lambda box: box["width"])
        assert smallest["width"] >= 30
        # States are told apart without colours.
        assert page.locator(".months td.gap").first.inner_text().split() == [str(report.findings[0].date.day), "x"]
        assert page.locator(".months td.finding").first.inner_text().split()[1] == "!"


def boxes(page, selector):
    return [box for each in page.locator(selector).all() if (box := each.bounding_box()) is not None]
