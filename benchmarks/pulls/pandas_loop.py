"""The usual loop: requests, a list of dicts, a data frame, a Parquet file."""

import measure
import pandas as pd
import requests


def pull(job: measure.Job) -> int:
    orders = []
    with requests.Session() as session:
        session.auth = (measure.USER, measure.PASSWORD)
        while True:
            answer = session.post(job.origin + measure.PATH, json=job.body(len(orders)))
            answer.raise_for_status()
            page = answer.json()["order_details"]
            if not page:
                break
            orders += page
    frame = pd.DataFrame(orders)
    frame.to_parquet(f"{job.folder}/orders.parquet")
    return len(frame)


def ids(job: measure.Job) -> list[int]:
    return pd.read_parquet(f"{job.folder}/orders.parquet", columns=["id"])["id"].tolist()


measure.main(pull, ids)
