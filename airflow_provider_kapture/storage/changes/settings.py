"""Check the operator's argument ``changes``. No I/O, except for links of the local file system."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.destinations.destination import local_path


def check_changes(changes: str, destination: str) -> None:
    """Check that changes have a folder of their own.

    :param changes: path or URL of the folder of changes
    :param destination: as for the operator
    :raises KaptureSettingsError: one of the two is inside the other
    """
    places = _place(changes), _place(destination)
    if places[0].startswith(places[1]) or places[1].startswith(places[0]):
        raise KaptureSettingsError(
            f"`changes` {changes!r} and `destination` {destination!r} contain one another, so that readers of the "
            "orders would read the changes; choose a folder beside it"
        )


def _place(uri: str) -> str:
    """Return where a folder is, whichever connection or spelling leads there."""
    local = local_path(uri)
    if local is not None:
        return f"{local}/".replace("//", "/")
    parts = urlsplit(uri)
    return f"//{parts.netloc.rpartition('@')[2]}{parts.path}"
