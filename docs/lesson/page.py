"""The worked example as HTML: every number stands in it; the script only lights up and switches."""

import difflib
import functools
import html
import json
import re
import textwrap
from pathlib import Path

import numpy as np
import sync

from minirnn.gradcheck import zoo

from . import bugs, drawing, net
from .formulas import (
    LOOP,
    WEIGHTS,
    number,
    numbers,
    place_of,
    short,
    step_rows,
    weight_rows,
)

HERE = Path(__file__).resolve().parent
MARK = re.compile(r'<div data-lesson="(\w+)">.*?</div>', re.S)
GUESS = float(np.log(bugs.LETTERS))


def filled(body):
    """Put the parts of the example into the body of a page where it has marks for them."""
    if not MARK.search(body):
        return body
    body = MARK.sub(lambda match: PARTS[match[1]](), body)
    style, script = ((HERE / f"lesson.{kind}").read_text("utf-8") for kind in ("css", "js"))
    data = json.dumps(changes(), separators=(",", ":"))
    return (
        f"<style>\n{style}</style>\n{body}"
        f'<script type="application/json" id="lesson-data">{data}</script>\n'
        f"<script>\n{script}</script>\n"
    )


@functools.cache
def run(name=None):
    """Run the right net, or the one with the mistake of this name."""
    return net.run(*bugs.parts(name))


def lesson(part, content):
    return f'<div class="lesson" data-part="{part}">{content}</div>'


# What is given


def given():
    steps = [f"step {t + 1}" for t in range(net.T)]
    inputs = table(
        ["", *steps],
        [
            ["x<sub>t</sub>", *(row(x) for x in net.X)],
            ["q<sub>t</sub>", *(row(q) for q in net.Q)],
        ],
        "The inputs and the targets",
    )
    gates = {"i": "i, input", "f": "f, forget", "g": "g, candidate", "o": "o, output"}
    weights = table(
        ["gate", "W<sub>x</sub>", "W<sub>h</sub>", "b"],
        [
            [gates[k], matrix(net.WX[n]), matrix(net.WH[n]), row(net.B[n])]
            for n, k in enumerate(net.GATES)
        ],
        "The weights",
    )
    return lesson("net", f'<div class="tables">{inputs}{weights}</div>')


def row(values):
    return " ".join(f"<span>{short(v)}</span>" for v in values)


def matrix(rows):
    return "".join(f'<span class="line">{row(values)}</span>' for values in rows)


def table(head, rows, caption):
    cells = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f"<table><caption>{caption}</caption><thead><tr>{cells}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


# The steps


def forward():
    return lesson("forward", "".join(step("forward", t) for t in range(net.T)))


def backward():
    return lesson("backward", "".join(step("backward", t) for t in reversed(range(net.T))))


def step(phase, t):
    rows = step_rows(run(), phase, t)
    names = variables(rows)
    files = [("minirnn/cells.py", f"LSTMCell.{phase}")]
    if phase == "backward":
        names[place_of(("minirnn/cells.py", "LSTMCell.backward", "da = ("))] = net.DA
        files.insert(0, (*LOOP, LOOP[2]))
    return section(
        f"{phase[0]}{t + 1}", f"Step {t + 1}, {phase}", drawing.cell(run(), phase, t),
        code(files, names), rows,
    )  # fmt: skip


def weights():
    rows = weight_rows(run())
    (path, name, first), (*_, last) = WEIGHTS["dWx"], WEIGHTS["db"]
    files = [(path, name, first, last), (*WEIGHTS["dWh"], WEIGHTS["dWh"][2])]
    content = section(
        "w", "The weights, over all steps", drawing.sums(run()), code(files, variables(rows)), rows
    )
    return lesson("weights", content)


def variables(rows):
    """Return {(path, line): the quantities that it computes}."""
    names = {}
    for one in rows:
        for place in one.places:
            names.setdefault(place, []).append(one.variable)
    return names


def section(key, title, picture, lines, rows):
    return (
        f'<section class="step" id="{key}" data-step="{key}" aria-label="{title}">'
        f'<p class="step-title">{title}</p>'
        f'<div class="pictures">{picture}{lines}</div>'
        f'<div class="rows">{"".join(map(shown, rows))}</div></section>'
    )


def shown(one):
    """Show a quantity: its equation, and its numbers put in."""
    key = one.entries[0][3].split(".")[0]
    puts = ""
    for what, text, value, name in one.entries:
        before = f'<span class="sum">{text}</span> = ' if text else ""
        puts += (
            f'<div class="put"><span class="what">{what}</span> <span class="all">{before}'
            f'<b class="num" data-k="{name}">{number(value)}</b></span></div>'
        )
    return (
        f'<div class="row" id="{key}-{one.variable}" data-v="{one.variable}">'
        f'<div class="eq">{one.equation}</div>{puts}</div>'
    )


def code(files, names):
    """Quote the source with its line numbers; each line that computes something says what."""
    written = ""
    for path, name, *ends in files:
        first, last = sync.place(path, name, *ends)
        source = (sync.ROOT / path).read_text("utf-8").splitlines()[first - 1 : last]
        source = textwrap.dedent("\n".join(source)).splitlines()
        spans = ""
        for n, line in enumerate(source, first):
            here = " ".join(names.get((path, n), ()))
            data = f' data-v="{here}"' if here else ""
            kind = ' class="comment"' if line.strip().startswith("#") else ""
            spans += (
                f'<span class="code-line"{data} data-at="{path}:{n}"><i>{n}</i>'
                f"<span{kind}>{html.escape(line)}</span></span>"
            )
        where = f'<a href="source/{path}.html#L{first}">{path.removeprefix("minirnn/")}</a>'
        written += (
            f'<figure class="code"><figcaption>{where}, {name}</figcaption>'
            f"<pre>{spans}</pre></figure>"
        )
    return written


# The mistakes


@functools.cache
def changes():
    """Return {mistake: {"title", "numbers": {key: wrong}, "lines": {path:line: wrong}}}."""
    right = {key: number(value) for key, value in numbers(run()).items()}
    mistakes = {}
    for name in bugs.NAMES:
        wrong = {key: number(value) for key, value in numbers(run(name)).items()}
        mistakes[name] = {
            "title": bugs.TITLES[name][0],
            "numbers": {key: text for key, text in wrong.items() if text != right[key]},
            "lines": {f"{path}:{n}": new for path, n, old, new in changed(name)[:1] if old},
        }
    return mistakes


@functools.cache
def changed(name):
    """Return [(path, line, old, new)] of what a mistake changes; old is "" for a line put in."""
    bug = bugs.bug(name)
    module, target = bug.target.split(".")
    path = f"minirnn/{module}.py"
    start = sync.place(path, target)[0]
    old = zoo.source(bug.target).splitlines()
    new = zoo.source(bug.target).replace(bug.old, bug.new).splitlines()
    lines = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            for k in range(max(b - a, d - c)):
                one = old[a + k] if a + k < b else ""
                other = new[c + k] if c + k < d else ""
                lines.append((path, start + a + k, one, other))
    return lines


def broken():
    curves = json.loads(bugs.RESULTS.read_text("utf-8"))
    return lesson("broken", "".join(panel(name, curves) for name in bugs.NAMES))


def panel(name, curves):
    title, why = bugs.TITLES[name]
    bug, wrong, right = bugs.bug(name), run(name), run()
    lines = ""
    for path, n, old, new in changed(name):
        for sign, line in (("−", old), ("+", new)):
            if line:
                kind = "old" if sign == "−" else "new"
                lines += (
                    f'<span class="code-line {kind}"><i>{sign}</i>'
                    f"<span>{html.escape(line.strip())}</span></span>"
                )
        where = f"{path.removeprefix('minirnn/')}, line {n}"
    seen = f" Met in public: {html.escape(bug.seen)}." if bug.seen else ""
    end = {kind: [run[-1] for run in curves[kind]] for kind in ("right", name)}
    said = {k: f"{min(v):.2f} to {max(v):.2f}" for k, v in end.items()}
    off = sum(number(a) != number(b) for a, b in pairs(wrong, right))
    return (
        f'<section class="bug" id="{name}" data-bug="{name}">'
        f"<h3>{title}</h3><p>This is what you get when {html.escape(bug.when)}. {why}{seen}</p>"
        f'<figure class="code"><figcaption>{where}</figcaption><pre>{lines}</pre></figure>'
        f'<div class="results"><figure>{heat(wrong, right, title)}'
        "<figcaption>Gates and steps, both units: where two numbers stand, the upper one is wrong "
        "and the lower one right. The darker, the further off.</figcaption></figure>"
        f"<figure>{curve(name, curves, title)}<figcaption>The loss in training, three seeds each: "
        f'<span class="key right">right</span>, {said["right"]} at the end, and '
        f'<span class="key wrong">wrong</span>, {said[name]}.</figcaption></figure></div>'
        f"{compared(wrong, right, off)}</section>"
    )


def pairs(wrong, right):
    for kind in right.gradients:
        yield from zip(wrong.gradients[kind].ravel(), right.gradients[kind].ravel(), strict=True)


def heat(wrong, right, title):
    values, others = (
        {(k, t): one.backward[t][f"da{k}"] for k in net.GATES for t in range(net.T)}
        for one in (wrong, right)
    )
    return drawing.heat(values, others, f"{title}: the gradients of gates and steps, listed above")


def curve(name, curves, title):
    label = f"{title}: the loss in training of the right and of the wrong net"
    return drawing.curves(curves["right"], curves[name], bugs.EVERY, GUESS, label)


def compared(wrong, right, off):
    """Set the gradients of the weights side by side, wrong and right."""
    if not off:
        return "<p>The gradients of the weights are right.</p>"
    rows = []
    for kind, name in (("dWx", "dW<sub>x</sub>"), ("dWh", "dW<sub>h</sub>"), ("db", "db")):
        shape = right.gradients[kind].shape[1:]
        for at in np.ndindex(shape):
            place = ", ".join(str(k + 1) for k in at)
            cells = []
            for k in range(len(net.GATES)):
                a, b = (number(one.gradients[kind][(k, *at)]) for one in (wrong, right))
                cells.append(
                    f"{b}" if a == b
                    else f'<b class="is-wrong">{a}</b> <span class="is-right">{b}</span>'
                )  # fmt: skip
            rows.append([f"{name}[{place}]", *cells])
    caption = (
        f"The gradients of the weights: {off} of {sum(1 for _ in pairs(wrong, right))} are wrong, "
        "and stand before the right ones"
    )
    return f'<div class="tables">{table(["", *net.GATES], rows, caption)}</div>'


PARTS = {
    "net": given,
    "forward": forward,
    "backward": backward,
    "weights": weights,
    "broken": broken,
}
