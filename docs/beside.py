"""A small Sphinx extension: the source beside the chapters, the API pages, the stepper.

The chapters are written for GitHub. Here a comment that quotes code becomes a mark that the script
of the page finds, the files that it names are put into the page, links that leave docs/ lead to
pages with the source, and docs/api.md becomes the API reference.
"""

import functools
import html
import importlib
import json
import re
import shutil
from pathlib import Path

import recall
import sync
from api import public
from docutils import nodes
from lesson import page as lesson
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, TextLexer

from minirnn.stepper import demo
from minirnn.stepper.page import page as page_of
from minirnn.stepper.page import widget

STEPPER = re.compile(r"^<!-- stepper: ([\w=&]+) -->$", re.M)
CHAPTER_LINK = re.compile(r"\]\(([\w.-]+)\.md[)#]")
EMPTY_HEAD = re.compile(r"<th[^>]*>(<p></p>)?</th>")  # of a table without a head
LABEL = re.compile(r"^<!-- eq: (\S+) -->$", re.M)
OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([\w./-]+)\)")


def on_source_read(app, name, source):
    text = source[0]
    marks, outside = app.env.minirnn_marks, app.env.minirnn_outside
    marks[name], outside[name] = [], []

    def mark(match):
        path = match["path"]
        kind = "quote" if match[0].startswith("<!-- code") else "quote unquoted"
        first, last = sync.place(path, match["name"], match["first"], match["last"])
        if path not in marks[name]:
            marks[name].append(path)
        label = f"{path}, line {first}" if first == last else f"{path}, lines {first} to {last}"
        return (
            f'<div class="{kind}" data-path="{path}" data-first="{first}" data-last="{last}">'
            f'<a href="{page(path)}.html#L{first}">{label}</a></div>'
        )

    def leave(match):
        path = match[2]
        if not (sync.ROOT / path).is_file():
            return match[1]
        outside[name].append(path)
        return f'<a href="{page(path)}.html">{html.escape(match[1])}</a>'

    text = STEPPER.sub(framed, OUTSIDE.sub(leave, sync.MARK.sub(mark, text)))
    text = numbered(name, text)
    if name == app.config.root_doc:
        text += contents(text)
    if name == "api":
        text = reference(text)
    source[0] = text


def numbered(name, text):
    """A page whose equations have numbers, each a link to an address made of the label."""
    chapter, count = re.match(r"(\d+)-", name), 0

    def number(match):
        nonlocal count
        count += 1
        shown = f"{int(chapter[1])}.{count}" if chapter else str(count)
        return (
            f'<div class="equation" id="eq-{match[1]}">'
            f'<a href="#eq-{match[1]}" aria-label="Equation {shown}">({shown})</a></div>'
        )

    return LABEL.sub(number, text)


def framed(match):
    """The stepper as it shall begin, folded: site.js loads it when it is unfolded."""
    return (
        '<details class="stepper-frame"><summary>The stepper, here</summary><iframe '
        f'title="The stepper" data-src="stepper-frame.html#stepper?{html.escape(match[1])}">'
        "</iframe></details>"
    )


@functools.cache
def stepped():
    """What the stepper's page shows; the nets of the names are trained now."""
    return demo.data() | {"more": [recall.task()]}


def contents(text):
    """The pages that README.md lists, in its order, as the site's table of contents."""
    listed = dict.fromkeys(CHAPTER_LINK.findall(text.partition("\n## All pages\n")[2]))
    lines = "\n".join(name for name in listed if (sync.DOCS / f"{name}.md").exists())
    return f"\n```{{toctree}}\n:hidden:\n:maxdepth: 2\n\n{lines}\n```\n"


def reference(text):
    """docs/api.md with the whole reference of a module instead of the list of its names."""
    head, *sections = re.split(r"^## ", text, flags=re.M)
    written = [head]
    for section in sections:
        module = section.splitlines()[0].strip()
        if not module.startswith("minirnn"):
            written.append(f"## {section}")
            continue
        names = ", ".join(public(importlib.import_module(module)))
        members = f"   :members: {names}\n   :special-members: __call__\n" if names else ""
        written.append(
            f"## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n{members}```\n\n"
        )
    return "".join(written)


def page(path):
    """The name of the page that shows a source file."""
    return f"source/{path}"


def coloured(path, prefix):
    """A source file as HTML, every line in a span with an id."""
    text = (sync.ROOT / path).read_text(encoding="utf-8")
    lexer = PythonLexer() if path.endswith(".py") else TextLexer()
    # Pygments numbers no lines without its own wrapping; it closes every colour at a line's end.
    lines = highlight(text, lexer, HtmlFormatter(nowrap=True)).rstrip("\n").split("\n")
    return "".join(f'<span id="{prefix}-{n}">{line}\n</span>' for n, line in enumerate(lines, 1))


def section_texts(doctree):
    """[(address, title, text without code)] of the sections of a page, for the search."""
    for section in doctree.findall(nodes.section):
        own = [part for part in section.children if not isinstance(part, nodes.section)]
        parts = [p.astext() for part in own[1:] for p in part.findall(nodes.paragraph)]
        yield section["ids"][0], own[0].astext(), " ".join(" ".join(parts).split())


def on_page_context(app, name, template, context, doctree):
    if doctree is not None and name != "api":
        app.env.minirnn_texts[name] = list(section_texts(doctree))
    paths = app.env.minirnn_marks.get(name, [])
    context["beside"] = [
        {"path": path, "page": page(path), "html": coloured(path, f"beside-{k}")}
        for k, path in enumerate(paths)
    ]
    if name == "stepper":  # below what it is, and above what there is to see in it
        text, end, rest = context["body"].partition("</p>")
        context["body"] = text + end + widget(stepped()) + rest
    if "body" in context:
        body = EMPTY_HEAD.sub("<td></td>", lesson.filled(context["body"]))
        wide = name == "stepper" or 'class="lesson"' in body
        context |= {"body": body, "sections_left": wide or paths}


def source_pages(app):
    """A page for every file that a chapter quotes or leads to."""
    places = [*app.env.minirnn_marks.values(), *app.env.minirnn_outside.values()]
    for path in sorted({path for paths in places for path in paths}):
        text = coloured(path, "L").replace('id="L-', 'id="L')
        yield page(path), {"title": path, "html": text}, "source.html"


INLINE = re.compile(r"(`[^`]+`)")


def on_docstring(app, what, name, thing, options, lines):
    """Docstrings here are plain text: what reStructuredText would take for markup is escaped."""
    written = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        rows = paragraph.strip("\n").splitlines()
        if not rows:
            continue
        if all(row.startswith("    ") for row in rows):
            example = rows[0].lstrip().startswith(">>> ")
            written += [".. code-block:: pycon" if example else "::", "", *rows, ""]
            continue
        parts = INLINE.split("\n".join(row.strip() for row in rows))
        parts[::2] = map(escaped, parts[::2])
        parts[1::2] = [f"`{part}`".replace("\n", " ") for part in parts[1::2]]
        written += "".join(parts).splitlines()
        written.append("")
    lines[:] = written


def skip(app, what, name, thing, skipped, options):
    """The fields of a named tuple have docstrings that nobody wrote."""
    return True if (thing.__doc__ or "").startswith("Alias for field number") else None


def escaped(text):
    return re.sub(r"([\\*_|`:<>\[\]-])", r"\\\1", text)


def on_init(app):
    app.env.minirnn_marks = getattr(app.env, "minirnn_marks", {})
    app.env.minirnn_outside = getattr(app.env, "minirnn_outside", {})
    app.env.minirnn_texts = {}


def on_finished(app, error):
    """What the search shows of a section; the first page under a folder's own name, too; and the
    stepper alone."""
    if error is None and app.builder.name == "html":
        texts = json.dumps(app.env.minirnn_texts, ensure_ascii=False)
        Path(app.outdir, "_static", "search-texts.js").write_text(
            f"const searchTexts = {texts};\n", encoding="utf-8"
        )
        first = Path(app.outdir, f"{app.config.root_doc}.html")
        shutil.copyfile(first, first.with_name("index.html"))
        first.with_name("stepper-frame.html").write_text(page_of(stepped()), "utf-8")


def setup(app):
    app.connect("builder-inited", on_init)
    app.connect("source-read", on_source_read)
    app.connect("html-page-context", on_page_context)
    app.connect("html-collect-pages", source_pages)
    app.connect("autodoc-process-docstring", on_docstring)
    app.connect("autodoc-skip-member", skip)
    app.connect("build-finished", on_finished)
    # Pages hold parts of other files, so nothing is taken from an earlier build.
    app.connect("env-get-outdated", lambda app, env, *changed: list(env.found_docs))
    return {"parallel_read_safe": False}
