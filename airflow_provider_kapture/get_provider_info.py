"""What Airflow's discovery reads in every component, before configuration is ready: pure data."""

from typing import Any

from airflow_provider_kapture.connection_form import (
    CONNECTION_TYPE,
    HIDDEN_FIELDS,
    LABELS,
    PLACEHOLDERS,
    get_conn_fields,
)

_INTEGRATION = "Kapture CRM"


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": _INTEGRATION, "python-modules": list(names)}]


def get_provider_info() -> dict[str, Any]:
    """Declare the provider to Airflow: its name, its modules and its connection type."""
    return {
        # Must be the name of the distribution: Airflow compares the two, and fails at start where they differ.
        "package-name": "airflow-provider-kapture",
        "name": "Kapture CRM",
        "description": "Pull orders out of `Kapture CRM <https://www.kapture.cx/>`__ by date window.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://www.kapture.cx/",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("airflow_provider_kapture.hooks.kapture"),
        "operators": _modules("airflow_provider_kapture.operators.kapture"),
        "sensors": _modules("airflow_provider_kapture.sensors.kapture"),
        "triggers": _modules("airflow_provider_kapture.triggers.kapture"),
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "airflow_provider_kapture.hooks.kapture.KaptureHook",
                "hook-name": "Kapture CRM",
                "ui-field-behaviour": {
                    "hidden-fields": HIDDEN_FIELDS,
                    "relabeling": LABELS,
                    "placeholders": PLACEHOLDERS,
                },
                "conn-fields": get_conn_fields(),
            }
        ],
        "config": {
            "kapture": {
                "description": "Pulls of orders out of Kapture CRM.",
                "options": {
                    "spool_dir": {
                        "description": "The folder on a worker's disk where the files of a pull are written before "
                        "they are uploaded to an object store, with room for one task's largest file for each task at "
                        "a time. Empty: the folder for temporary files. A local destination is spooled beside it.\n",
                        "type": "string",
                        "version_added": "0.1.0",
                        "example": "/var/spool/kapture",
                        "default": "",
                    }
                },
            }
        },
    }
