"""Orders to files: encode, spool, check, publish."""
