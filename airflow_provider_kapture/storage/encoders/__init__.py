"""Orders to bytes: one encoder for each file format."""
