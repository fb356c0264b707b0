"""Encoders: one for each file format. They write to an open file, and know nothing of destinations."""
