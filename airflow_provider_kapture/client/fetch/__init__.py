"""Who fetches pages, how many at a time, and when a failed page is tried again."""
