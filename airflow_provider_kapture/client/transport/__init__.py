"""Bytes over HTTP, with requests or aiohttp: deadlines, decompression, network errors."""
