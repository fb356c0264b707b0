"""How one listing is read page by page, so that no order is lost or repeated. Pure: no I/O, no clock, no threads."""
