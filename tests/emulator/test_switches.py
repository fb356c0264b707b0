"""Each switch does what it says, on a real socket."""

import gzip
import http.client
import json
import threading
import zlib
from dataclasses import fields

import pytest

from airflow_provider_kapture.emulator import Emulator, Switches

DAYS = ["2024-05-08", "2024-05-09", "2024-05-10"]
ALL = {"createStartDate": DAYS[0], "createEndDate": DAYS[-1]}
NOTHING = {"createStartDate": "2020-01-01", "createEndDate": "2020-01-01"}


def test_page_cap(kapture, pull):
    kapture.set(page_cap=4)
    assert len(pull(limit="500").ids) == 4
    assert len(pull(limit="3").ids) == 3


def test_order(kapture, pull):
    newest_first = pull().ids
    kapture.set(order="oldest")
    assert pull().ids == newest_first[::-1] == kapture.ids()[:30]
    assert pull(limit="5", offset="3").ids == newest_first[::-1][3:8]


def test_mutate(kapture, pull):
    before = kapture.records()
    assert pull().body["order_details"]
    assert kapture.records() == before
    # So many that some are due with the next request.
    kapture.set(mutate=1e6)
    pull()
    assert kapture.records() != before


@pytest.mark.parametrize(("method", "statuses"), [("POST", (200, 405)), ("GET", (405, 200)), ("both", (200, 200))])
def test_method(kapture, pull, method, statuses):
    kapture.set(method=method)
    assert (pull(method="POST").status, pull(method="GET").status) == statuses
    assert pull(method="PUT").status == 405


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [("success", {"success": "true"}), ("boolean", {"success": True}), ("status", {"status": "success"})],
)
def test_envelope(kapture, pull, envelope, expected):
    kapture.set(envelope=envelope)
    body = pull().body
    assert len(body.pop("order_details")) == 30
    assert body == expected


def test_failure_keys(kapture, pull):
    kapture.set(failure_keys="capital")
    assert pull(raw=b"").body == {"Message": "Invalid Json.", "Status": "failed"}


def test_bad_auth(kapture, pull):
    kapture.set(bad_auth=200)
    answer = pull(credentials="who:knows")
    assert answer.status == 200
    assert answer.body == {"message": "Invalid Auth Key", "status": "failed"}


def test_end_date(kapture, pull):
    kapture.set(end_date="exclusive")
    assert pull().ids == []
    first_day = pull(createEndDate=DAYS[1]).orders
    assert {order["createDate"] // 86_400_000 for order in first_day} <= {19850, 19851}
    assert len(first_day) == 30


@pytest.mark.parametrize(("end_date", "end"), [("inclusive", DAYS[1]), ("exclusive", DAYS[2])])
def test_max_days(kapture, pull, end_date, end):
    kapture.set(max_days=2, end_date=end_date)
    assert pull(createEndDate=end).status == 200
    kapture.set(max_days=1)
    answer = pull(createEndDate=end)
    assert answer.status == 400
    assert "max 24 hours" in answer.body["message"]
    assert pull(createEndDate="").status == 400


def test_date_format(kapture, pull):
    kapture.set(date_format="%d/%m/%Y")
    assert len(pull(createStartDate="08/05/2024", createEndDate="08/05/2024").ids) == 30
    assert pull().status == 400


def test_timezone(kapture, pull):
    kapture.set(timezone="UTC")
    midnight = 1_715_126_400_000  # 2024-05-08T00:00Z
    assert sorted(pull().ids) == sorted(kapture.ids(midnight, midnight + 86_400_000))
    assert len(pull(**ALL).ids) < 90


def test_window_is_filter(kapture, pull):
    kapture.set(window_is_filter=False)
    answer = pull()
    assert answer.status == 400
    assert answer.body["message"].startswith("Atleast one of the value")
    assert pull(name="anyone").status == 200
    assert pull(generationStartDate=DAYS[0]).status == 200


@pytest.mark.parametrize(
    ("empty", "expected"),
    [
        ("array", {"success": "true", "order_details": []}),
        ("null", {"success": "true", "order_details": None}),
        ("message", {"message": "No orders found.", "status": "failed"}),
    ],
)
def test_empty(kapture, pull, empty, expected):
    kapture.set(empty=empty)
    assert (pull(**NOTHING).status, pull(**NOTHING).body) == (200, expected)
    assert len(pull().ids) == 30


@pytest.mark.parametrize("envelope", ["success", "boolean", "status"])
def test_indent(kapture, pull, envelope):
    kapture.set(envelope=envelope)
    compact = pull(), pull(**NOTHING)
    kapture.set(indent=True)
    indented = pull(), pull(**NOTHING)
    assert [answer.body for answer in indented] == [answer.body for answer in compact]
    assert b'\n        {\n            "id": ' in indented[0].raw
    assert b"\n" not in compact[0].raw


def test_gzip(kapture, pull):
    plain = pull().raw
    kapture.set(gzip=True)
    packed = pull(headers={"Accept-Encoding": "deflate, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.raw) == plain
    assert pull().raw == plain


def test_numbers_as_strings(kapture, pull):
    as_written = json.loads(pull().raw, parse_int=str, parse_float=str)
    kapture.set(numbers_as_strings=True)
    assert pull().body == as_written


def test_unknown_fields(kapture, pull):
    known = set(pull().orders[0])
    kapture.set(unknown_fields=True)
    for order in pull().orders:
        assert set(order) - known == {"orderScore", "customFields"}


def test_missing_fields(kapture, pull):
    known = set(pull().orders[0])
    kapture.set(missing_fields=True)
    missing = [known - set(order) for order in pull().orders]
    assert {frozenset(each) for each in missing} == {
        frozenset(),
        frozenset({"remarks", "lastModificationTime", "vatamount"}),
    }


def test_latency_and_in_flight(kapture, pull):
    kapture.set(latency=0.5)
    threads = [threading.Thread(target=pull) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = kapture.stats()
    assert (stats["requests"], stats["max_in_flight"], stats["in_flight"]) == (3, 3, 0)


def test_redirect(kapture, pull):
    kapture.set(redirect="http://127.0.0.1:1/elsewhere")
    answer = pull()
    assert answer.status == 302
    assert answer.headers["location"] == "http://127.0.0.1:1/elsewhere"


def test_verbatim(kapture, pull):
    kapture.set(verbatim='{"success":"false"}')
    assert (pull().status, pull().raw) == (200, b'{"success":"false"}')


def test_status_every(kapture, pull):
    kapture.set(status_every=3, status=429, retry_after="7")
    answers = [pull() for _ in range(6)]
    assert [answer.status for answer in answers] == [200, 200, 429, 200, 200, 429]
    assert answers[2].headers["retry-after"] == "7"
    assert answers[2].body["status"] == "failed"
    assert kapture.stats()["statuses"] == {"200": 4, "429": 2}


def test_a_failure_under_200(kapture, pull):
    kapture.set(status_every=1, status=200)
    assert (pull().status, pull().body["status"]) == (200, "failed")


def test_max_in_flight(kapture, pull):
    kapture.set(latency=0.5, max_in_flight=1, retry_after="1")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(pull())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [answer.status for answer in answers]
    assert 429 in statuses
    assert {answer.headers["retry-after"] for answer in answers if answer.status == 429} == {"1"}
    assert pull().status == 200


def test_max_per_second(kapture, pull):
    kapture.set(max_per_second=2)
    statuses = [pull().status for _ in range(20)]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses


def test_html_every(kapture, pull):
    kapture.set(html_every=2)
    answers = [pull(), pull()]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[1].headers["content-type"].startswith("text/html")
    assert answers[1].raw.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("is_packed", [False, True])
def test_drop_every(kapture, pull, is_packed):
    kapture.set(drop_every=2, gzip=is_packed)
    assert pull().status == 200
    with pytest.raises(http.client.IncompleteRead) as caught:
        pull(headers={"Accept-Encoding": "gzip"})
    assert caught.value.partial
    assert caught.value.expected
    assert pull().status == 200


def test_truncate_every(kapture, pull):
    kapture.set(truncate_every=2)
    whole, truncated = pull(), pull()
    assert truncated.status == 200
    assert int(truncated.headers["content-length"]) == len(truncated.raw)
    assert whole.raw.startswith(truncated.raw)
    with pytest.raises(json.JSONDecodeError):
        truncated.body  # noqa: B018


def test_bomb(kapture, pull):
    kapture.set(bomb=True)
    answer = pull()
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.raw) < 2**21
    unpacker, size, tail, packed = zlib.decompressobj(31), 0, b"", answer.raw
    while packed:
        chunk = unpacker.decompress(packed, 2**24)
        packed = unpacker.unconsumed_tail
        size += len(chunk)
        tail = chunk[-2:] or tail
    assert unpacker.eof
    assert size > 2**30
    assert tail == b"]}"


def test_offset_ignored(kapture, pull):
    kapture.set(offset_ignored=True)
    assert pull(limit="5", offset="5").ids == pull(limit="5").ids
    assert kapture.stats()["offsets"] == [5, 0]


def test_shuffle(kapture, pull):
    ordered = pull().ids
    kapture.set(shuffle=True)
    first, second = pull().ids, pull().ids
    assert first != second
    assert sorted(first) == sorted(second) == sorted(ordered)


def test_repeat_edge(kapture, pull):
    whole = pull().ids
    kapture.set(repeat_edge=2)
    assert pull(limit="10").ids == whole[:10]
    assert pull(limit="10", offset="10").ids == whole[8:18]
    assert pull(limit="10", offset="30").ids == []


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize(("position", "places"), [("top", {0, 1}), ("middle", {15, 16}), ("end", {30, 31})])
def test_insert(kapture, pull, order, position, places):
    kapture.set(order=order, insert_per_answer=2, insert_at=position)
    before, after = pull().ids, pull().ids
    inserted = [row for row in after if row not in before]
    assert {after.index(row) for row in inserted} == places
    assert [row for row in after if row in before] == before
    assert kapture.count(DAYS[0], DAYS[0]) == 34


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize(("position", "kept"), [("top", slice(2, 30)), ("end", slice(28))])
def test_delete(kapture, pull, order, position, kept):
    kapture.set(order=order, delete_per_answer=2, delete_at=position)
    before, after = pull().ids, pull().ids
    assert after == before[kept]


def test_delete_in_the_middle(kapture, pull):
    kapture.set(delete_per_answer=2, delete_at="middle")
    before, after = pull().ids, pull().ids
    assert after == [row for row in before if row in after]
    assert before[:10] + before[20:] == after[:10] + after[18:]
    assert len(after) == 28


def test_churn_at_random_is_the_same_each_time(kapture, pull):
    seen = []
    for _ in range(2):
        kapture.reset()
        kapture.set(insert_per_answer=3, insert_at="random", delete_per_answer=1, delete_at="random")
        seen.append([pull().ids for _ in range(4)])
    assert seen[0] == seen[1]
    assert [len(ids) for ids in seen[0]] == [30, 32, 34, 36]


@pytest.mark.parametrize("query", [ALL, {"unitId": "1,2,3"}, {"bookingStartDate": DAYS[0], "bookingEndDate": DAYS[1]}])
def test_churn_follows_any_listing(kapture, pull, query):
    before = pull(**query).ids
    kapture.set(insert_per_answer=2, insert_at="middle", delete_per_answer=1, delete_at="end")
    pull(**query)
    after = pull(**query).orders
    assert len(after) == len(before) + 1
    instants = [order["createDate"] for order in after]
    assert instants == sorted(instants, reverse=True)


def test_nothing_appears_in_an_empty_listing(kapture, pull):
    kapture.set(insert_per_answer=1, delete_per_answer=1)
    assert [pull(**NOTHING).ids for _ in range(2)] == [[], []]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"page_cpa": 3}, "did you mean 'page_cap'"),
        ({"page_cap": "3"}, "page_cap is '3': it must be a whole number or none"),
        ({"page_cap": 0}, "page_cap is 0: it must be 1 or more"),
        ({"page_cap": True}, "page_cap is True"),
        ({"latency": -1.0}, "latency is -1.0: it must be 0 or more"),
        ({"order": "random"}, "order is 'random': it must be one of newest, oldest"),
        ({"bad_auth": True}, "bad_auth is True"),
        ({"status": 99}, "status is 99"),
        ({"timezone": "Mars"}, "timezone is 'Mars'"),
        ({"date_format": None}, "date_format is None: it must be a text"),
    ],
)
def test_a_wrong_switch_is_named_and_changes_nothing(kapture, wrong, message):
    with pytest.raises(ValueError, match=message):
        kapture.set(**wrong)
    assert kapture.switches == Switches()


def test_every_switch_says_what_it_does():
    assert all(each.metadata["help"] for each in fields(Switches))


def test_switches_are_given_at_the_start_and_come_back_on_reset():
    with Emulator(switches=Switches(page_cap=9)) as kapture:
        kapture.set(page_cap=None, indent=True)
        kapture.reset()
        assert kapture.switches == Switches(page_cap=9)
