import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

# botocore's own, of datetime; and those of every provider's hooks, which Airflow imports for the first file system.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def connection(s3_conn_id):
    pass


def pull(destination):
    operator = KapturePullOrdersOperator(
        task_id="pull", window_start="2024-05-08", window_end="2024-05-11", destination=destination
    )
    return operator.execute({})


def test_objects_are_where_and_what_the_receipt_says(kapture, s3):
    receipt = pull("s3://store@orders/raw/")
    stored = s3.list_objects_v2(Bucket="orders", Prefix="raw/")["Contents"]
    assert {f"s3://store@orders/{each['Key']}": each["Size"] for each in stored} == {
        each["uri"]: each["bytes"] for each in receipt["files"]
    }
    assert receipt["rows"] == 300


def test_a_rerun_gives_the_same_object(kapture, s3):
    pull("s3://store@orders/one.jsonl")
    before = s3.get_object(Bucket="orders", Key="one.jsonl")["Body"].read()
    pull("s3://store@orders/one.jsonl")
    assert s3.get_object(Bucket="orders", Key="one.jsonl")["Body"].read() == before
    assert sorted(before.splitlines()) == sorted(kapture.records())


@pytest.mark.parametrize(
    ("destination", "message"),
    [("s3://store@nowhere/raw/", "'nowhere'"), ("foo://orders/raw/", "destination"), ("gs://orders/", r"\[gcs\]")],
)
def test_what_cannot_be_written_to_is_named_before_the_first_request(kapture, destination, message):
    with pytest.raises(AirflowFailException, match=message):
        pull(destination)
    assert kapture.stats()["requests"] == 0
