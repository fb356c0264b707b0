import dlt
from dlt.sources.rest_api import rest_api_source

orders = rest_api_source(
    {
        "client": {
            "base_url": dlt.config["kapture.origin"],
            "auth": {
                "type": "http_basic",
                "username": dlt.secrets["kapture.user"],
                "password": dlt.secrets["kapture.password"],
            },
        },
        "resources": [
            {
                "name": "orders",
                "endpoint": {
                    "path": "/ms/customer-search/order-search/api/v1/pull-internal",
                    "method": "POST",
                    "json": {
                        "cmId": 1000298,
                        "viewId": "2",
                        "createStartDate": "2024-05-08",
                        "createEndDate": "2024-05-08",
                    },
                    "data_selector": "order_details",
                    "paginator": {
                        "type": "offset",
                        "limit": 500,
                        "offset_body_path": "offset",
                        "limit_body_path": "limit",
                        "total_path": None,
                    },
                },
            }
        ],
    }
)
pipeline = dlt.pipeline("kapture", destination="filesystem", dataset_name="kapture")
pipeline.run(orders, loader_file_format="parquet")
