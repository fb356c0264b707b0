"""The switches for what accounts differ in: each does what it says, on a real socket."""

import base64
import datetime as dt
import gzip
import http.client
import json

import pytest
from emulator_requests import ask

from airflow_provider_kapture.client.orders import PATH
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.emulator.presets import PRESETS

DAYS = ["2024-05-08", "2024-05-09", "2024-05-10"]
NOTHING = {"createStartDate": "2020-01-01", "createEndDate": "2020-01-01"}
BODY = '{{"cmId": {}, "createStartDate": "2024-05-08", "createEndDate": "2024-05-08"}}'
MIDNIGHT = 1_715_106_600_000  # 2024-05-08T00:00+05:30
DAY_MS = 86_400_000


def ids_between(kapture, first, after):
    return sorted(kapture.ids(MIDNIGHT + first * DAY_MS, MIDNIGHT + after * DAY_MS))


# -- credentials --


def token_of(text):
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    ("auth", "secret"),
    [
        ("basic", "{user}:{password}"),
        ("key", "{password}"),
        ("token", "{password}"),
        ("token_of_login", "{user}:{password}"),
    ],
)
def test_auth(kapture, pull, auth, secret):
    kapture.set(auth=auth)
    right = secret.format(user=kapture.user, password=kapture.password)
    assert pull(headers=token_of(right)).status == 200
    for wrong in {f"{kapture.user}:{kapture.password}", kapture.password, f":{kapture.password}"} - {right}:
        assert pull(headers=token_of(wrong)).status == 401


@pytest.mark.parametrize("auth", ["key", "token", "token_of_login"])
def test_the_connection_holds_what_was_issued(kapture, pull, auth):
    kapture.set(auth=auth)
    connection = json.loads(kapture.connection_json())
    assert connection["login"] == ""
    given = connection["password"]
    header = token_of(given)["Authorization"] if auth == "key" else f"Basic {given}"
    assert pull(headers={"Authorization": header}).status == 200


@pytest.mark.parametrize(
    ("body", "status", "shown"),
    [
        ("json", 403, ("application/json", b'{"message": "Invalid Auth Key"')),
        ("html", 403, ("text/html; charset=utf-8", b"<html>")),
        ("empty", 403, (None, b"")),
        ("plain", 403, ("text/plain; charset=utf-8", b"Invalid Auth Key")),
        ("redirect", 302, (None, b"")),
        ("login_page", 200, ("text/html; charset=utf-8", b"<!DOCTYPE html>")),
    ],
)
def test_bad_auth_body(kapture, pull, body, status, shown):
    kapture.set(bad_auth=403, bad_auth_body=body)
    answer = pull(credentials="who:knows")
    content_type, start = shown
    assert (answer.status, answer.headers["content-type"]) == (status, content_type)
    assert answer.raw.startswith(start)
    assert pull().status == 200


def test_bad_auth_message(kapture, pull):
    kapture.set(bad_auth=200, bad_auth_message="APIExpired")
    assert pull(credentials="who:knows").body == {"message": "APIExpired", "status": "failed"}


def test_required_headers(kapture, pull):
    kapture.set(auth="key", required_headers="X-Api-Key: {token}; x-api-type: order")
    token = base64.b64encode(kapture.password.encode()).decode()
    sent = {"Authorization": f"Basic {token}", "x-api-key": token, "x-api-type": "order"}
    assert pull(headers=sent).status == 200
    for name in ("x-api-key", "x-api-type"):
        assert pull(headers={**sent, name: "other"}).status == 401


def test_user_agent(kapture, pull):
    kapture.set(user_agent="Mozilla/")
    assert (pull().status, pull().raw[:6]) == (403, b"<html>")
    assert pull(headers={"User-Agent": "Mozilla/5.0"}).status == 200


# -- method --


@pytest.mark.parametrize("status", [400, 403, 404, 405, 411, 500, 501])
def test_bad_method(kapture, pull, status):
    kapture.set(method="GET", bad_method=status)
    assert (pull().status, pull(method="GET").status) == (status, 200)


# -- dates --


def test_lenient_dates(kapture, pull):
    kapture.set(date_format="%d-%m-%Y", lenient_dates=True)
    assert (pull().status, pull().ids) == (200, [])
    assert len(pull(createStartDate="08-05-2024 00:00", createEndDate="39-04-2024").ids) == 60
    assert pull(createStartDate="08/05/2024", createEndDate="08/05/2024").status == 400
    kapture.set(date_format="%d-%b-%Y")
    assert len(pull(createStartDate="08-May-2024", createEndDate="8-may-2024").ids) == 30


@pytest.mark.parametrize(
    ("how", "status", "rows"), [("refused", 400, None), ("failed", 200, None), ("fault", 500, None), ("empty", 200, 0)]
)
def test_bad_date(kapture, pull, how, status, rows):
    kapture.set(bad_date=how)
    answer = pull(createStartDate="8th May")
    assert answer.status == status
    assert (answer.ids == []) if rows == 0 else (answer.body["status"] == "failed")


def test_a_bad_date_is_no_filter(kapture, pull):
    kapture.set(bad_date="no_filter")
    assert len(pull(createStartDate="8th May").ids) == 30
    assert len(pull(createStartDate="8th May", createEndDate="8th May").ids) == 90


def test_dates_ignored(kapture, pull):
    kapture.set(dates_ignored=True)
    assert len(pull(**NOTHING).ids) == 90


def test_end_date_at_midnight(kapture, pull):
    kapture.set(end_date="midnight", max_days=1)
    assert pull().ids == ids_between(kapture, 0, 1 / DAY_MS * 1_000)
    asked = pull(createEndDate=DAYS[1])
    assert sorted(asked.ids) == ids_between(kapture, 0, 1 + 1 / DAY_MS * 1_000)
    assert pull(createEndDate=DAYS[2]).status == 400


@pytest.mark.parametrize(("how", "status"), [("refused", 400), ("failed", 200), ("empty", 200)])
def test_bad_range(kapture, pull, how, status):
    kapture.set(max_days=1, bad_range=how)
    answer = pull(createEndDate=DAYS[1])
    assert answer.status == status
    assert (answer.ids == []) if how == "empty" else ("24 hours" in answer.body["message"])


def test_recent_days_and_future_dates():
    today = dt.datetime.now(dt.UTC).date()
    days = [today + dt.timedelta(days=number) for number in range(-2, 2)]
    with Emulator(Book(orders=8, days=4, start=days[0], timezone="UTC")) as kapture:
        kapture.set(recent_days=2, future_dates=False)
        asked = [ask(kapture, createStartDate=str(day), createEndDate=str(day)).status for day in days]
        assert asked == [400, 200, 200, 400]


def test_dates_required(kapture, pull):
    kapture.set(dates_required=True)
    assert pull().status == 200
    assert pull(createEndDate="").status == 400
    answer = pull(createStartDate="", createEndDate="", notAssignToIdsStr="-1")
    assert (answer.status, answer.body["message"]) == (400, "Start date and end date are mandatory.")


# -- filters and body --


@pytest.mark.parametrize(
    ("how", "status"),
    [*((str(status), status) for status in (400, 403, 404, 422, 500)), ("failed", 200), ("empty", 200)],
)
def test_missing_filter(kapture, pull, how, status):
    kapture.set(window_is_filter=False, missing_filter=how, missing_filter_message="Mandatory field missing")
    answer = pull()
    assert answer.status == status
    assert (answer.ids == []) if how == "empty" else (answer.body["message"] == "Mandatory field missing")
    assert len(pull(notAssignToIdsStr="-1").ids) == 30


@pytest.mark.parametrize(("how", "status"), [("400", 400), ("500", 500), ("failed", 200)])
def test_all_keys(kapture, pull, how, status):
    kapture.set(all_keys=how)
    assert (pull().status, pull().body["status"]) == (status, "failed")
    names = (
        "name phone email customerIds leadIdStr enquiryIds clientReferenceIds viewId orderIds erpOrderId bookingStatus"
    )
    names += " bookingSubStatus bookingStartDate bookingEndDate creatorIdStr assignIdStr zoneIdStr blockId unitId"
    names += " approvalDesignationIds agreementStartDate agreementEndDate erpInvoiceId sortParam "
    keys = names.split() + [f"attr{number}" for number in range(1, 16)]
    assert len(pull(**dict.fromkeys(keys, "")).ids) == 30


def test_cm_id_key(kapture, pull):
    kapture.set(cm_id_key="cm_id")
    assert pull().status == 400
    assert pull(cm_id=kapture.cm_id).status == 200


@pytest.mark.parametrize(
    ("view_id", "statuses"), [("optional", (200, 200)), ("required", (400, 200)), ("refused", (200, 400))]
)
def test_view_id(kapture, pull, view_id, statuses):
    kapture.set(view_id=view_id)
    assert (pull().status, pull(viewId="2").status) == statuses


def test_body(kapture, pull):
    body = {"cmId": kapture.cm_id, "createStartDate": DAYS[0], "createEndDate": DAYS[0]}
    assert pull(raw=json.dumps([body]).encode()).status == 400
    kapture.set(body="list")
    assert pull(raw=json.dumps([body]).encode()).status == 200
    assert (pull().status, pull().body["message"]) == (400, "Invalid Json.")


def test_count_type(kapture, pull):
    kapture.set(count_type="number")
    assert (pull().status, pull(limit=5, offset=0).status) == (400, 200)
    kapture.set(count_type="text")
    assert (pull().status, pull(limit=5, offset=0).status) == (200, 400)


# -- pagination --


@pytest.mark.parametrize(
    ("paging", "starts"),
    [
        ("rows", {0: 0, 1: 1, 4: 4, 10: 10}),
        ("rows_from_1", {0: 0, 1: 0, 2: 1, 11: 10}),
        ("pages", {0: 0, 1: 4, 2: 8}),
        ("pages_from_1", {0: 0, 1: 0, 2: 4}),
        ("rounded", {0: 0, 3: 0, 4: 4, 7: 4, 9: 8}),
    ],
)
def test_paging(kapture, pull, paging, starts):
    whole = pull().ids
    kapture.set(paging=paging)
    for offset, start in starts.items():
        assert pull(limit="4", offset=str(offset)).ids == whole[start : start + 4]


def test_unpaged(kapture, pull):
    whole = pull().ids
    kapture.set(paging="none", page_cap=4)
    assert pull(limit="4", offset="100").ids == whole


def test_limit_ignored(kapture, pull):
    whole = pull().ids
    kapture.set(limit_ignored=True)
    assert pull(limit="4", offset="7").ids == whole[7:]
    kapture.set(page_cap=5)
    assert pull(limit="4", offset="7").ids == whole[7:12]


@pytest.mark.parametrize(("how", "status"), [("400", 400), ("500", 500), ("failed", 200)])
def test_over_cap(kapture, pull, how, status):
    kapture.set(page_cap=10, over_cap=how)
    assert (pull(limit="11").status, pull(limit="11").body["status"]) == (status, "failed")
    assert len(pull(limit="10").ids) == 10


@pytest.mark.parametrize(
    ("how", "rows"),
    [
        ("as_empty", None),
        ("array", slice(0)),
        ("first_page", slice(4)),
        ("last_page", slice(28, 30)),
        ("last_row", slice(29, 30)),
    ],
)
def test_past_end(kapture, pull, how, rows):
    whole = pull().ids
    kapture.set(past_end=how, empty="message")
    beyond = pull(limit="4", offset="30")
    assert beyond.body["status"] == "failed" if rows is None else beyond.ids == whole[rows]
    assert pull(**NOTHING).body["status"] == "failed"
    assert pull(limit="4", offset="28").ids == whole[28:]


@pytest.mark.parametrize(("how", "status"), [("400", 400), ("404", 404), ("500", 500), ("failed", 200)])
def test_past_end_is_refused(kapture, pull, how, status):
    kapture.set(past_end=how)
    assert (pull(offset="30").status, pull(offset="30").body["status"]) == (status, "failed")
    assert pull(**NOTHING).ids == []


def test_total_cap(kapture, pull):
    whole = pull().ids
    kapture.set(total_cap=20)
    assert pull().ids == whole[:20]
    assert pull(limit="5", offset="18").ids == whole[18:20]
    assert pull(limit="5", offset="20").ids == []


@pytest.mark.parametrize(("how", "status"), [("400", 400), ("500", 500), ("failed", 200)])
def test_over_total(kapture, pull, how, status):
    kapture.set(total_cap=20, over_total=how)
    assert len(pull(limit="5", offset="15").ids) == 5
    assert (pull(limit="5", offset="16").status, pull(limit="5", offset="16").body["status"]) == (status, "failed")


@pytest.mark.parametrize(("hidden", "is_shown"), [("some", lambda row: row % 3), ("most", lambda row: not row % 20)])
def test_hidden(kapture, pull, hidden, is_shown):
    whole = pull().ids
    kapture.set(hidden=hidden)
    assert pull(limit="10", offset="5").ids == [row for row in whole[5:15] if is_shown(row)]


# -- nothing found, envelope --

SUCCESS = {"success": "true"}
WORDS = {"message": "No orders found.", "status": "failed"}


@pytest.mark.parametrize(
    ("empty", "status", "body"),
    [
        ("missing", 200, {**SUCCESS, "message": "No orders found."}),
        ("text", 200, {**SUCCESS, "order_details": ""}),
        ("object", 200, {**SUCCESS, "order_details": {}}),
        ("failed_array", 200, {"success": False, "order_details": []}),
        ("sentence", 200, {"status": "failed", "order_details": "No orders found."}),
        ("bare_object", 200, {}),
        ("bare_list", 200, []),
        ("404", 404, WORDS),
        ("400", 400, WORDS),
    ],
)
def test_empty(kapture, pull, empty, status, body):
    kapture.set(empty=empty)
    assert (pull(**NOTHING).status, pull(**NOTHING).body) == (status, body)
    assert len(pull().ids) == 30


@pytest.mark.parametrize(
    ("empty", "status", "start"), [("no_body", 200, b""), ("204", 204, b""), ("404_html", 404, b"<html>")]
)
def test_empty_without_json(kapture, pull, empty, status, start):
    kapture.set(empty=empty)
    answer = pull(**NOTHING)
    assert (answer.status, answer.raw[:6]) == (status, start)


def test_empty_message(kapture, pull):
    kapture.set(empty="message", empty_message="No data for {start}")
    assert pull(**NOTHING).body["message"] == "No data for 2020-01-01"


@pytest.mark.parametrize(
    ("envelope", "said"),
    [
        ("number", {"success": 1}),
        ("capital", {"Status": "Success"}),
        ("status_200", {"status": 200}),
        ("status_200_text", {"status": "200"}),
        ("status_ok", {"status": "OK"}),
        ("status_true", {"status": True}),
        ("code_200", {"code": 200}),
        ("none", {}),
    ],
)
def test_envelope(kapture, pull, envelope, said):
    kapture.set(envelope=envelope)
    body = pull().body
    assert len(body.pop("order_details")) == 30
    assert body == said


def test_rows_at(kapture, pull):
    kapture.set(rows_at="response.orders")
    assert set(pull().body) == {"success", "response"}
    assert len(pull().body["response"]["orders"]) == 30
    kapture.set(rows_at="", indent=True)
    assert len(pull().body) == 30
    assert pull(**NOTHING).body == []


def test_content_type(kapture, pull):
    kapture.set(content_type="text/html")
    assert pull().headers["content-type"] == "text/html"


def test_double_json(kapture, pull):
    once = pull().body
    kapture.set(double_json=True)
    assert json.loads(pull().body) == once


# -- values --


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("seconds", 1_715_106_600),
        ("text", "1715106600000"),
        ("float", 1715106600000.0),
        ("words", "May 07, 2024 06:30:00 PM"),
        ("iso", "2024-05-07 18:30:00"),
        ("day_first", "07-05-2024 18:30"),
        ("null", None),
    ],
)
def test_create_date(kapture, pull, how, value):
    kapture.set(create_date=how, order="oldest")
    assert pull().orders[0]["createDate"] == value
    kapture.set(create_date="missing")
    assert "createDate" not in pull().orders[0]


def test_lines(kapture, pull):
    kapture.set(lines=True)
    orders = pull().orders
    doubled = [row for row in kapture.ids() if row % 5 == 0 and row in {order["id"] for order in orders}]
    assert len(orders) == 30 + len(doubled) > 30
    assert len({json.dumps(order) for order in orders}) == len(orders)


def test_nan_and_a_trailing_comma(kapture, pull):
    kapture.set(nan=True)
    assert b'"productValue":NaN' in pull().raw
    kapture.set(nan=False, trailing_comma=True)
    assert b"},]}" in pull().raw
    assert pull(**NOTHING).ids == []


@pytest.mark.parametrize(
    ("charset", "codec", "declared"),
    [
        ("utf_8_bom", "utf-8-sig", ""),
        ("latin_1", "iso-8859-1", "; charset=ISO-8859-1"),
        ("latin_1_undeclared", "iso-8859-1", ""),
        ("cp1252", "cp1252", "; charset=windows-1252"),
        ("utf_16", "utf-16", "; charset=UTF-16"),
        ("utf_16_undeclared", "utf-16", ""),
    ],
)
def test_charset(kapture, pull, charset, codec, declared):
    plain = pull().body
    kapture.set(charset=charset)
    answer = pull()
    assert answer.headers["content-type"] == "application/json" + declared
    assert json.loads(answer.raw.decode(codec)) == plain


# -- wire --


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("closed", http.client.RemoteDisconnected),
        ("reset", ConnectionResetError),
        ("half_head", http.client.HTTPException),
        ("garbage", http.client.BadStatusLine),
        ("reset_in_body", (ConnectionResetError, http.client.IncompleteRead)),
        ("half_chunk", http.client.IncompleteRead),
    ],
)
def test_broken_connections(kapture, pull, how, error):
    kapture.set(broken=how, broken_every=2)
    assert len(pull().ids) == 30
    if how == "half_head":
        assert pull().headers["content-length"] is None
    else:
        with pytest.raises(error):
            pull()
    assert len(pull().ids) == 30


def test_silence(kapture):
    kapture.set(broken="silence", broken_every=1)
    connection = http.client.HTTPConnection("127.0.0.1", kapture.port, timeout=0.3)
    connection.request("POST", PATH, BODY.format(kapture.cm_id), token_of(f"{kapture.user}:{kapture.password}"))
    response = connection.getresponse()
    with pytest.raises(TimeoutError):
        response.read()
    connection.close()


def test_broken_packing(kapture, pull):
    whole = pull().raw
    kapture.set(broken="bad_gzip", broken_every=1)
    assert (pull().headers["content-encoding"], pull().raw) == ("gzip", whole)
    kapture.set(broken="short_gzip")
    with pytest.raises(EOFError):
        gzip.decompress(pull().raw)


@pytest.mark.parametrize(("nodes", "missing"), [("lagging", 7), ("other_order", 0)])
def test_nodes(kapture, pull, nodes, missing):
    asked = {"createStartDate": DAYS[2], "createEndDate": DAYS[2]}
    whole = pull(**asked).ids
    kapture.set(nodes=nodes)
    first, second = pull(**asked), pull(**asked)
    assert first.ids == whole
    assert second.ids == (whole[::-1] if nodes == "other_order" else whole[missing:])
    for answer in (first, second):
        cookie = answer.headers["set-cookie"].partition(";")[0]
        for _ in range(3):
            again = pull(**asked, headers={"Cookie": cookie})
            assert again.ids == answer.ids
            assert again.headers["set-cookie"] is None


def test_nodes_without_cookies(kapture, pull):
    kapture.set(nodes="other_order", sticky=False)
    first, second = pull(), pull()
    assert first.headers["set-cookie"] is None
    assert first.ids == second.ids[::-1]


# -- pace --


@pytest.mark.parametrize("how", ["429", "403", "409", "423", "503", "failed"])
def test_too_fast(kapture, pull, how):
    kapture.set(max_per_second=1, too_fast=how, too_fast_message="Already in process", retry_after="1")
    answers = [pull() for _ in range(10)]
    late = [answer for answer in answers if b"Already in process" in answer.raw]
    assert answers[0] not in late
    assert {(answer.status, answer.headers["retry-after"]) for answer in late} == {
        (200 if how == "failed" else int(how), "1")
    }


# -- presets --


@pytest.mark.parametrize("name", PRESETS)
def test_presets(kapture, pull, name):
    kapture.set(**PRESETS[name])
    connection = json.loads(kapture.connection_json())
    header = {"key": token_of(connection["password"])["Authorization"]}.get(
        kapture.switches.auth, f"Basic {connection['password']}"
    )
    days = [dt.date.fromisoformat(DAYS[0]).strftime(kapture.switches.date_format)] * 2
    asked = dict(zip(("createStartDate", "createEndDate"), days, strict=True))
    answer = pull(headers={"Authorization": header}, notAssignToIdsStr="-1", **asked)
    assert (answer.status, len(answer.ids)) == (200, 30)
    assert pull().body != answer.body
