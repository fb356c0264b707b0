"""One HTTP exchange with the Pull Order API: requests, responses, failures. No I/O.

Bytes are moved in `transport/`; which page is requested next is decided in `pagination/` and `pull/`.
"""
