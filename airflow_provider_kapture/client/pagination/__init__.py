"""The reading of one listing, page by page. No I/O, no clock, no threads.

``paginator`` is the state machine, ``state`` with its ``state_parts`` all that it knows. Its phases are handled in
``reading``, ``recovery``, ``end_detector``, ``growth`` (with ``end_search``), ``offset_checks``, ``passes`` and
``refusals``. ``seen`` holds the orders read, over ``spill``; ``drift``, ``page_size`` and ``stall_guard`` what is
learnt from them. ``whole_pages`` computes requests for page numbers; ``unpaged`` reads listings that one response
holds.

Which listings a pull has, and what their orders are checked for, is decided in ``client.pull``.
"""
