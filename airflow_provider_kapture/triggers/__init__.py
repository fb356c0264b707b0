"""Waiting for orders."""
