"""Pictures for the documentation, which the tests of the UI take in a real browser.

The variable ``SCREENSHOTS`` names their folder; without it, none are taken. Run as a program, this file joins two of
them to the picture at the top of the README.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
# The halves of the README's picture: they are not published themselves.
HALVES = ROOT / "docs" / "_build" / "screenshots"
AUDIT, LOG = "result-audit", "result-log"
WIDTH = 900  # CSS pixels: about as wide as GitHub shows a README
# Pixels for each CSS pixel of the README's picture: sharp, and not too large a file.
SCALE = 1.25

# Each length is a whole number of pixels, or the browser would blur the halves.
RESULT = """<!doctype html>
<style>
  body { margin: 0; color: #1b1f24; background: #fff; font: 600 22px/32px system-ui, sans-serif }
  figure { margin: 0; padding: 16px 16px 20px; border-bottom: 4px solid #d0d7de }
  img { display: block }
</style>
<figure><figcaption>Log of the task pull_orders</figcaption><img srcset="LOG.png SCALEx"></figure>
<img srcset="AUDIT.png SCALEx">
"""


def new_page(playwright: Playwright, width: int, height: int, *, scripts: bool = True) -> Page:
    """Return a page of Debian's chromium, which has no sandbox for root."""
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    viewport = {"width": width, "height": height}
    return browser.new_page(viewport=viewport, device_scale_factor=SCALE, java_script_enabled=scripts)


def take(page: Page, name: str, clip: FloatRect | None = None) -> None:
    """Keep a picture of a page, or of a part of it, for the documentation."""
    if folder := os.environ.get("SCREENSHOTS"):
        path = ROOT / folder / f"{name}.png"
        page.screenshot(path=path, clip=clip, scale="css", animations="disabled")


def take_half(page: Page, name: str, clip: FloatRect) -> None:
    """Keep a part of a page for the README's picture."""
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=HALVES / f"{name}.png", clip=clip, animations="disabled")


def main() -> None:
    """Join the two halves of the README's picture."""
    from playwright.sync_api import sync_playwright

    document = HALVES / "result.html"
    text = RESULT.replace("LOG", LOG).replace("AUDIT", AUDIT).replace("SCALE", str(SCALE))
    document.write_text(text, encoding="utf-8")
    with sync_playwright() as playwright:
        page = new_page(playwright, WIDTH, 100)
        page.goto(document.as_uri())
        page.screenshot(path=ROOT / os.environ["SCREENSHOTS"] / "result.png", full_page=True)


if __name__ == "__main__":
    main()
