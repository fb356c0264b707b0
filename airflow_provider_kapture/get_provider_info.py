"""The provider's metadata, which Airflow's provider discovery reads in every component before configuration is ready.

Plain data only: the fields of the connection form are in ``connection_form``.
"""

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
    """Return the provider's name, modules, connection type and configuration, in the shape that Airflow defines."""
    return {
        # Must be the distribution's name: Airflow compares the two, and fails at start if they differ.
        "package-name": "airflow-provider-kapture",
        "name": "Kapture CRM",
        "description": "Pull orders from `Kapture CRM <https://www.kapture.cx/>`__ by date window.",
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
        "extra-links": [
            "airflow_provider_kapture.operators.links.FilesLink",
            "airflow_provider_kapture.operators.links.AccountLink",
        ],
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
                "description": "Pulls of orders from Kapture CRM.",
                "options": {
                    "spool_dir": {
                        "description": "Folder on the worker's disk where files are written before they are uploaded "
                        "to an object store. It needs space for the largest file of each task that runs at the same "
                        "time. Empty: the folder for temporary files. Files for a local destination are spooled next "
                        "to the destination instead.\n",
                        "type": "string",
                        "version_added": "0.1.0",
                        "example": "/var/spool/kapture",
                        "default": "",
                    }
                },
            }
        },
    }
