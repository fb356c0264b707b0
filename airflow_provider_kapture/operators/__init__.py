"""Pulls of orders, from Kapture to files."""
