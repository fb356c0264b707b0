import json

from airflow.providers.http.operators.http import HttpOperator
from requests import Response

PAGE = 500


def body(offset: int) -> str:
    """Return the body of a request."""
    return json.dumps(
        {
            "cmId": 1000298,
            "viewId": "2",
            "createStartDate": "2024-05-08",
            "createEndDate": "2024-05-08",
            "limit": str(PAGE),
            "offset": str(offset),
        }
    )


def next_page(page: Response) -> dict[str, str] | None:
    """Go on until a page is not full."""
    if len(page.json()["order_details"]) < PAGE:
        return None
    return {"data": body(int(json.loads(page.request.body)["offset"]) + PAGE)}


pull_orders = HttpOperator(
    task_id="pull_orders",
    http_conn_id="kapture_http",
    endpoint="ms/customer-search/order-search/api/v1/pull-internal",
    headers={"Content-Type": "application/json"},
    data=body(0),
    pagination_function=next_page,
    response_filter=lambda pages: [order for page in pages for order in page.json()["order_details"]],
)
