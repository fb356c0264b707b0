"""Fetching the pages of a pull: worker pools, the throttle they share, and retries.

Which pages are fetched is decided in ``client.pull``; how a request is sent in ``client.transport``.
"""
