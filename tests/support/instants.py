"""An instant in each form in which Airflow, or a DAG's author, hands one over."""

import datetime as dt
from zoneinfo import ZoneInfo

import pendulum
import pytest

KINDS = {
    "plain-utc": lambda moment: moment.astimezone(dt.UTC),
    "plain-fixed": lambda moment: moment.astimezone(dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
    "plain-zone": lambda moment: moment.astimezone(ZoneInfo("America/New_York")),
    "pendulum-utc": lambda moment: pendulum.instance(moment).in_timezone("UTC"),
    "pendulum-fixed": lambda moment: pendulum.instance(moment).in_timezone(pendulum.FixedTimezone(20_700)),
    "pendulum-new-york": lambda moment: pendulum.instance(moment).in_timezone("America/New_York"),
    "pendulum-kolkata": lambda moment: pendulum.instance(moment).in_timezone("Asia/Kolkata"),
    "pendulum-other-zone": lambda moment: pendulum.instance(moment.astimezone(dt.UTC)).astimezone(
        ZoneInfo("Asia/Kolkata")
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
