"""The pull of a window: the listings of its days, checks of settings, and the proof of empty windows. No I/O.

One listing is paginated in `../pagination/`; requests are carried out in `../fetch/`.
"""
