"""The page: the numbers, and the HTML, style and script that draw them, in one file."""

import html
import json
from importlib import resources


def widget(data):
    """The stepper as a piece of HTML, to be put into a page; `data` as `pages` makes it."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    text = text.replace("<", "\\u003c")  # so that nothing in a name can end the script element
    return (
        f"<style>\n{_read('stepper.css')}</style>\n{_read('stepper.html')}"
        f'<script type="application/json" id="stepper-data">{text}</script>\n'
        f"<script>\n{_read('nets.js')}{_read('stepper.js')}</script>\n"
    )


def page(data):
    """A whole page of its own, which fetches nothing."""
    title = html.escape(data["title"])
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>body {{ margin: 0; }}</style>\n</head>\n"
        f'<body class="stepper-page">\n<main>\n<h1>{title}</h1>\n{widget(data)}'
        "</main>\n</body>\n</html>\n"
    )


def _read(name):
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
