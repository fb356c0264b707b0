"""How the documentation is built: `make docs`."""

from __future__ import annotations

import os
import tempfile

import airflow_provider_kapture

# Importing Airflow makes a home; what is documented is imported.
_HOME = tempfile.TemporaryDirectory(prefix="kapture-docs-")
os.environ |= {"AIRFLOW_HOME": _HOME.name, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}

project = "airflow-provider-kapture"
author = "The airflow-provider-kapture authors"
release = version = airflow_provider_kapture.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "coming_from"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["diagrams.css"]
html_title = "Kapture CRM for Apache Airflow"
html_show_copyright = False
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"show-inheritance": True}
autodoc_class_signature = "mixed"

# Names that other projects document, and those of this one that are no part of its public interface.
_INTERNAL = (
    r"airflow_provider_kapture\."
    r"(airflow_internals|arguments|client\.base|privacy|operators\.(progress|lineage|map_label)|schedules)\..*"
)
nitpick_ignore_regex = [
    ("py:.*", _INTERNAL),
    ("py:.*", r"airflow\..*|Airflow\w+Exception"),
    ("py:.*", r"msgspec\..*"),
    ("py:.*", r".*\._[A-Za-z].*"),
]
