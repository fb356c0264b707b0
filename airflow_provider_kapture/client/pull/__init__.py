"""The listings of a window's days, and what is checked about them. No I/O."""
