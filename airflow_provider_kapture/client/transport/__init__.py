"""Bytes over HTTP, with requests or aiohttp: deadlines, decompression, cookies, network errors.

What a request contains and what a response means is in `api/`; when a request is sent and retried is in `fetch/`.
"""
