"""The sensor that waits for orders."""
