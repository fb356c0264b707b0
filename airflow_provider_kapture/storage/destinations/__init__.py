"""Bytes to an object: spooled on local disk, checked, then put in place atomically."""
