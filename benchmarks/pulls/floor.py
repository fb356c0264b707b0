"""The floor: download every page, one after another, and discard it."""

import measure
import requests


def pull(job: measure.Job) -> int:
    with requests.Session() as session:
        session.auth = (measure.USER, measure.PASSWORD)
        offset = 0
        while True:
            answer = session.post(job.origin + measure.PATH, json=job.body(offset))
            answer.raise_for_status()
            # Only the end is searched, which takes no time.
            if len(answer.content) < 100:
                return offset
            offset += job.page_size


measure.main(pull)
