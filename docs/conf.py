"""How Sphinx makes a site of these pages: ``make docs``."""

from wbox_notify import __version__

project = "wbox_notify"
author = "The wbox_notify authors"
version = release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"wbox_notify {version}"
html_static_path: list[str] = []
