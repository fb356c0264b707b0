"""One listing, page by page. No I/O."""
