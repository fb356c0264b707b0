"""Pull orders out of Kapture CRM by date window, complete or not at all."""

__version__ = "0.1.0"
