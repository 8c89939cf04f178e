"""The worked LSTM: every number is the library's, its four faces are one, and all can be reached.

The numbers are compared with the library's as the stepper's trace notes them, not with the page's
own run; the sums are calculated from what is printed; the gradients are compared with differences.
"""

import html
import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from minirnn.cells import LSTMCell
from minirnn.gradcheck import zoo
from minirnn.recurrent import Recurrent
from minirnn.stepper.trace import TracedCell

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))
try:
    from lesson import bugs, net, page
    from lesson.formulas import number
finally:
    sys.path.remove(str(DOCS))

TEXT = (DOCS / "lstm-backpropagation.md").read_text(encoding="utf-8")
WALKS = ["forward", "backward", "weights"]


class Element:
    """An element of a page: its tag, attributes, parts and text."""

    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.parts = tag, dict(attributes), []

    def text(self):
        return "".join(part if isinstance(part, str) else part.text() for part in self.parts)

    def all(self, kind=None, **wanted):
        """The elements inside with this class, and these attributes (None: with any value)."""
        for part in self.parts:
            if isinstance(part, Element):
                has = {k.replace("_", "-"): v for k, v in wanted.items()}
                if (kind is None or kind in part.attributes.get("class", "").split()) and all(
                    k in part.attributes and v in (None, part.attributes[k]) for k, v in has.items()
                ):
                    yield part
                yield from part.all(kind, **wanted)


class Tree(HTMLParser):
    """A parsed page; every element of ours is closed, but for what has no end."""

    def __init__(self, text):
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(text)
        assert self.open == [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, attrs)
        self.open[-1].parts.append(element)
        self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].parts.append(Element(tag, attrs))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].parts.append(data)


@pytest.fixture(scope="module")
def parts():
    """{part: its HTML as a tree}"""
    return {name: Tree(make()).root for name, make in page.PARTS.items()}


def steps(parts):
    return [step for name in WALKS for step in parts[name].all("step")]


@pytest.fixture(scope="module")
def library():
    """{key: the library's number}, noted by the stepper's trace, and the net's gradients."""
    cell = TracedCell(LSTMCell())
    made = Recurrent(cell, 2, 2, biases=1, dtype="float64")
    made.Wx.data[...], made.Wh.data[...], made.bx.data[...] = net.WX, net.WH, net.B
    x, y = np.array(net.X, float)[:, None], np.array(net.Q, float)[:, None]
    output, _, cache = made.forward(x)
    made.backward(output - y, cache)
    keys = {"loss": ((output - y) ** 2).sum() / 2}
    for letter, noted in (("f", cell.forwards), ("b", cell.backwards[::-1])):
        for t, step in enumerate(noted, 1):
            for _, name, value in step:
                if isinstance(value, np.ndarray) and value.shape == (1, 2):
                    keys |= {f"{letter}{t}.{name}.{u}": value[0, u] for u in (0, 1)}
    for kind, parameter in (("dWx", made.Wx), ("dWh", made.Wh), ("db", made.bx)):
        for k, gate in enumerate("ifgo"):
            table = parameter.grad[k].reshape(-1, 2)
            keys |= {f"w.{kind}{gate}.{j}{u}": table[j, u] for j, u in np.ndindex(table.shape)}
    return keys


# Numbers


def test_every_number_is_the_librarys_to_the_digits_shown(parts, library):
    seen = set()
    for step in steps(parts):
        for element in step.all(data_k=None):
            key = element.attributes["data-k"]
            assert element.text() == number(library[key]), key
            seen.add(key)
    computed = r"f\d\.(?!gx_|v )|b\d\.(?!da )d|w"  # not what is only handed in, or noted twice
    assert seen == {key for key in library if re.match(computed, key)}


def test_no_number_in_a_drawing_is_without_its_origin(parts):
    """Inputs, targets, h - q, the tanh of the backward drawings: all others have a key."""
    given = {str(v).replace("-", "−") for v in np.array([net.X, net.Q]).ravel()}
    for step in steps(parts):
        for box in step.all("plain"):
            for value in box.all("value"):
                plain = value.text() in given | {"0.000"} or "data-k" in value.attributes
                assert plain or box.text().startswith(("h − q", "tanh"))
        for value in step.all("value"):
            if "data-k" not in value.attributes and value.text() not in given | {"0.000"}:
                assert any(value in list(box.all("value")) for box in step.all("plain"))


def calculated(text):
    """The value of a sum as it is printed."""
    for sign, other in (("−", "-"), ("×", "*"), ("²", "**2"), ("σ", "sigmoid")):
        text = text.replace(sign, other)
    space = {"sigmoid": lambda a: 1 / (1 + math.exp(-a)), "tanh": math.tanh}
    return eval(text, {"__builtins__": {}}, space)


def test_every_sum_gives_its_result(parts):
    """With the rounded numbers that are printed: a reader's calculator says the same."""
    count = 0
    for step in steps(parts):
        for put in step.all("put"):
            for text in put.all("sum"):
                (result,) = put.all("num")
                off = calculated(text.text()) - calculated(result.text())
                assert abs(off) < 0.0025, put.text()
                count += 1
    assert count == 2 * 3 * (11 + 12) + 40


def test_weights_gradients_are_those_of_differences(library):
    def loss():
        made = net.net()
        for parameter, value in zip((made.Wx, made.Wh, made.bx), tables, strict=True):
            parameter.data[...] = value
        output, _, _ = made.forward(np.array(net.X, float)[:, None])
        return ((output[:, 0] - net.Q) ** 2).sum() / 2

    tables = [np.array(table, float) for table in (net.WX, net.WH, net.B)]
    for kind, table in zip(("dWx", "dWh", "db"), tables, strict=True):
        for at in np.ndindex(table.shape):
            ends = []
            for sign in (1, -1):
                table[at] += sign * 1e-5
                ends.append(loss())
                table[at] -= sign * 1e-5
            k, *place = at
            key = f"w.{kind}{'ifgo'[k]}.{''.join(map(str, place)).rjust(2, '0')}"
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(library[key], abs=1e-8)


def test_numbers_in_the_text(library):
    marks = re.findall(r"<!-- is: (.+?) -->(\S*\d)", TEXT)
    assert len(marks) == TEXT.count("<!-- is: ") > 5
    assert "\n<!-- is: " not in TEXT.replace("\n  <", "\n<")  # it would begin a block of HTML
    for keys, text in marks:
        first, *others = [library[key] for key in keys.split(" - ")]
        assert text == number(first - sum(others)), keys


def test_given_numbers_are_those_of_the_program_in_the_text(parts):
    code = re.search(r"<!-- experiment -->\n\n```python\n(.*?)^```$", TEXT, re.M | re.S)[1]
    space = {}
    exec(code.partition("h, _, cache")[0], space)
    made = space["net"]
    for ours, theirs in [(space["x"][:, 0], net.X), (space["q"][:, 0], net.Q),
                         (made.Wx.data, net.WX), (made.Wh.data, net.WH),
                         (made.bx.data, net.B)]:  # fmt: skip
        assert np.array_equal(ours, theirs)
    shown = [
        float(span.text().replace("−", "-"))
        for cell in parts["net"].all()
        if cell.tag == "td"
        for span in cell.all()
        if span.tag == "span" and "class" not in span.attributes
    ]
    weights = [v for k in range(4) for table in (net.WX[k], net.WH[k], [net.B[k]]) for v in
               np.ravel(table)]  # fmt: skip
    assert shown == [*np.ravel(net.X), *np.ravel(net.Q), *weights]


# Four faces


def test_every_quantity_has_its_four_faces(parts):
    for step in steps(parts):
        names = [row.attributes["data-v"] for row in step.all("row")]
        assert len(names) == len(set(names)) > 10
        for kind in ("node", "code-line"):
            there = {v for e in step.all(kind, data_v=None) for v in e.attributes["data-v"].split()}
            assert there == set(names), (step.attributes["id"], kind)
        drawn = {v for e in step.all("edge") for v in e.attributes["data-v"].split()}
        assert set(names) - drawn <= {"h_prev", "c_prev"}
        for row in step.all("row"):
            assert list(row.all("eq")) and list(row.all("put")) and list(row.all("num"))


def test_code_is_the_source_with_its_line_numbers(parts):
    count = 0
    for step in steps(parts):
        for line in step.all("code-line", data_at=None):
            path, _, n = line.attributes["data-at"].partition(":")
            source = (ROOT / path).read_text("utf-8").splitlines()[int(n) - 1]
            shown = line.text()
            assert shown.startswith(n) and shown[len(n) :].strip() == source.strip()
            count += 1
            for variable in line.attributes.get("data-v", "").split():
                computes = re.search(rf"\b{variable}\b", source) or "product.backward" in source
                assert computes or path != "minirnn/cells.py", (variable, source)
    assert count > 70


def test_all_lines_of_the_cell_stand_there(parts):
    for name in ("forward", "backward"):
        quoted = page.sync.quote("minirnn/cells.py", f"LSTMCell.{name}").splitlines()
        for step in parts[name].all("step"):
            lines = [line.text().lstrip("0123456789") for line in step.all("code-line")]
            assert [s.strip() for s in lines[-len(quoted) :]] == [s.strip() for s in quoted]


# Mistakes


@pytest.mark.parametrize("name", bugs.NAMES)
def test_mistake_is_the_zoos_and_its_numbers_are_wrong(parts, library, name):
    bug = next(one for one in zoo.ZOO if one.name == name)
    (panel,) = parts["broken"].all("bug", id=name)
    assert html.escape(bug.when, quote=False) in html.escape(panel.text(), quote=False)
    for seen in filter(None, [bug.seen]):
        assert seen in panel.text()
    wrong, right = page.run(name), page.run()
    for t in range(net.T):  # forward is the right one
        for key, value in right.forward[t].items():
            assert np.array_equal(value, wrong.forward[t][key]), key
    changed = page.changes()[name]["numbers"]
    assert len(changed) > 10 and not any(key.startswith("f") for key in changed)
    assert all(text != number(library[key]) for key, text in changed.items())
    heat, _ = panel.all("drawing")
    squares = [text.text() for text in heat.all("value") if "right" not in
               text.attributes["class"].split()]  # fmt: skip
    order = [(k, t, u) for k in "ifgo" for t in range(3) for u in (0, 1)]
    assert squares == [number(wrong.backward[t][f"da{k}"][u]) for k, t, u in order]
    there = [text.text() for text in heat.all("right")]
    assert there == [number(right.backward[t][f"da{k}"][u]) for k, t, u in order
                     if number(wrong.backward[t][f"da{k}"][u])
                     != number(right.backward[t][f"da{k}"][u])]  # fmt: skip
    old = [line.text()[1:] for line in panel.all("old")]
    source = [line.strip() for line in zoo.source(bug.target).splitlines()]
    assert all(line in source for line in old)


def test_the_claims_about_single_mistakes():
    right = page.run()

    def clean(name, t):
        return all(np.allclose(page.run(name).backward[t][f"da{k}"], right.backward[t][f"da{k}"])
                   for k in "ifgo")  # fmt: skip

    for name in ("lstm-future-dc-lost", "time-wh-not-transposed"):
        assert clean(name, 2) and not clean(name, 1)
    for name in ("time-h-for-h-prev", "time-last-step-weights"):
        assert all(clean(name, t) for t in range(3))
    assert not page.run("time-last-step-weights").gradients["dWh"].any()
    assert page.run("time-h-for-h-prev").gradients["dWh"].all()


def test_training_curves_are_those_of_the_zoos_cells():
    """Their first points, trained again; all of them by `python docs/lesson/bugs.py`."""
    curves = json.loads(bugs.RESULTS.read_text("utf-8"))
    assert list(curves) == ["right", *bugs.NAMES]
    for name, runs in curves.items():
        assert [len(run) for run in runs] == [bugs.ITERATIONS // bugs.EVERY] * len(bugs.SEEDS)
        again = bugs.losses(None if name == "right" else name, 0, bugs.EVERY)
        assert again == pytest.approx(runs[0][:1], abs=2e-3), name


def test_right_nets_learn_best():
    ends = {k: [run[-1] for run in runs]
            for k, runs in json.loads(bugs.RESULTS.read_text("utf-8")).items()}  # fmt: skip
    right = max(ends.pop("right"))
    assert all(min(runs) > right for runs in ends.values())
    assert max(ends["lstm-tanh-of-tanh-c"]) < 0.3  # it learns all the same


# The page


def test_script_and_style_are_small():
    sizes = [(DOCS / "lesson" / f"lesson.{kind}").stat().st_size for kind in ("js", "css")]
    assert sum(sizes) < 60_000


def test_text_can_be_read_without_a_script():
    """Mathematics is set by a script on the site, so there is none in this page's own text."""
    assert "$" not in re.sub(r"```.*?```", "", TEXT, flags=re.S)


def test_every_mark_is_filled():
    marks = re.findall(r'<div data-lesson="(\w+)">', TEXT)
    assert marks == list(page.PARTS)
    filled = page.filled('<div data-lesson="net"><em>x</em></div>')
    assert "data-lesson" not in filled and 'data-part="net"' in filled
    assert page.filled("<p>nothing</p>") == "<p>nothing</p>"


# In a browser

WIDTHS = [390, 1024, 1440]
KINDS = [".node[data-v]", ".code-line[data-v]", ".eq", ".put"]
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40}

LIT = """(() => {
    const on = document.activeElement, step = on.closest('.step');
    const names = (on.closest('[data-v]')?.dataset.v || '').split(' ');
    const has = (one) => one.dataset.v.split(' ').some((name) => names.includes(name));
    const all = [...step.querySelectorAll('[data-v]')];
    const style = getComputedStyle(on.matches('.node') ? on.querySelector('rect') : on);
    return {
        right: all.every((one) => one.classList.contains('lit') === has(one)),
        faces: ['node', 'code-line', 'row'].every((kind) => step.querySelector(`.${kind}.lit`)),
        seen: style.outlineStyle === 'solid' || style.strokeWidth === '4px',
        said: on.getAttribute('aria-label') || on.textContent,
        pressed: on.getAttribute('aria-pressed'),
        card: document.querySelector('.lesson-card').textContent,
    };
})()"""


def press(browser, key):
    for kind in ("rawKeyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                     windowsVirtualKeyCode=KEYS[key])  # fmt: skip
        if kind == "rawKeyDown" and key == "Enter":
            browser.call("Input.dispatchKeyEvent", type="char", key=key, text="\r")


def touch(browser, selector, k=0):
    """A finger on the middle of an element."""
    x, y = browser.run(f"""(() => {{
        const one = document.querySelectorAll({json.dumps(selector)})[{k}];
        one.scrollIntoView({{ block: 'center', behavior: 'instant' }});
        const box = one.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    }})()""")
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)


def opened(browser, site, width, anchor="", dark=False):
    browser.size(width, dark=dark)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.open(site / "lstm-backpropagation.html", anchor)
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")  # a finger waits for none


def quiet(browser):
    assert browser.errors == []
    assert [u for u in browser.requests if not u.startswith(("file:", "data:", "blob:"))] == []


def count(browser, selector):
    return browser.run(f"document.querySelectorAll({json.dumps(selector)}).length")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_face_by_keyboard(browser, site, width):
    """Tab leads from face to face of one quantity, the arrows to the next; every step is seen."""
    opened(browser, site, width)
    flow = browser.run("[...document.querySelectorAll('.lesson .step')].map((one) => one.id)")
    assert flow == ["f1", "f2", "f3", "b3", "b2", "b1", "w"]
    browser.run("document.querySelector('.lesson-bar [data-to]').focus()")
    for step in flow:
        shown = "document.querySelectorAll('.lesson .step:not([hidden])')"
        assert step in browser.run(f"[...{shown}].map((one) => one.id)")
        browser.run(f"document.querySelector('#{step}').closest('.lesson')"
                    ".querySelector('.lesson-bar button:not([hidden])').focus()")  # fmt: skip
        for kind in KINDS:
            for _ in range(9):  # the buttons of the bar, and links to the source
                press(browser, "Tab")
                if browser.run(f"document.activeElement.matches('#{step} {kind}')"):
                    break
            for k in range(count(browser, f"#{step} {kind}")):
                press(browser, "ArrowDown" if k else "Home")
                at = f"[...document.querySelectorAll('#{step} {kind}')]"
                assert browser.run(f"{at}.indexOf(document.activeElement)") == k
                lit = browser.run(LIT)
                assert lit["right"] and lit["faces"] and lit["seen"] and lit["said"].strip()
                assert lit["pressed"] == "true" and lit["card"]
        press(browser, "Escape")
        assert count(browser, ".lesson .lit") == 0
        if step != flow[-1]:
            browser.run(f"document.querySelector('#{step}').closest('.lesson')"
                        ".querySelector('[data-way=next]').focus()")  # fmt: skip
            press(browser, "Enter")
    quiet(browser)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_face_by_touch(browser, site, width):
    opened(browser, site, width)
    for step in ("f1", "f2", "f3", "b3", "b1", "b2", "w"):
        if step != "w":
            touch(browser, f".lesson-bar [data-to={step}]")
        assert not browser.run(f"document.getElementById('{step}').hidden")
        if step not in ("f3", "b2", "w"):
            continue  # its faces are made by the same lines
        for kind in KINDS:
            for k in range(count(browser, f"#{step} {kind}")):
                touch(browser, f"#{step} {kind}", k)
                at = f"[...document.querySelectorAll('#{step} {kind}')]"
                assert browser.run(f"{at}.indexOf(document.activeElement)") == k, (step, kind, k)
                lit = browser.run(LIT)
                assert lit["right"] and lit["faces"]
        shown = "getComputedStyle(document.querySelector('.lesson-card')).display !== 'none'"
        assert browser.run(shown) is (width < 750)
    assert browser.run("document.documentElement.scrollWidth") <= width
    quiet(browser)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_an_address_leads_to_its_place(browser, site, width):
    """To a heading, to a quantity of a step, to a mistake."""
    for anchor, highest, lowest in [("backward", 0, 150), ("b1-daf", 100, 600),
                                    ("time-future-lost", 40, 200)]:  # fmt: skip
        opened(browser, site, width, f"#{anchor}")
        top = browser.run(f"document.getElementById('{anchor}').getBoundingClientRect().top")
        assert highest <= top <= lowest, anchor


@pytest.mark.slow
def test_lines_of_the_drawing_light_up_under_a_pointer(browser, site):
    opened(browser, site, 1440, "#b2-dc")
    assert browser.run("document.querySelector('#b2-dc').classList.contains('lit')")
    for variable in ("df", "dc_prev", "dag"):
        x, y = browser.run(f"""(() => {{
            const path = document.querySelector('#b2 .edge[data-v={variable}] path.hit:last-of-type'
                + ', #b2 .edge[data-v={variable}] .hit');
            path.scrollIntoView({{ block: 'center', behavior: 'instant' }});
            const all = [...document.querySelectorAll('#b2 .edge[data-v={variable}] .hit')];
            const last = all[all.length - 1], end = last.getTotalLength();
            const point = last.getPointAtLength(end * 0.7).matrixTransform(last.getScreenCTM());
            return [point.x, point.y];
        }})()""")
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        lit = browser.run("[...document.querySelectorAll('#b2 .row.lit')].map((r) => r.dataset.v)")
        assert lit == [variable]
        for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
            browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        assert browser.run("document.activeElement.dataset.v") == variable
    press(browser, "Escape")
    browser.run("document.querySelector('#b2-dc .eq').blur()")
    browser.run("document.querySelector('#b2-dc .eq').focus()")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    lit = browser.run("[...document.querySelectorAll('#b2 .row.lit')].map((r) => r.dataset.v)")
    assert lit == ["dc"]  # what was chosen stays


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_mistake_can_be_switched_on_and_off(browser, site, width):
    opened(browser, site, width)
    before = browser.run("[...document.querySelectorAll('.step')].map((s) => s.textContent)")
    names, changes = ["", *bugs.NAMES], page.changes()
    browser.run("document.querySelector('.lesson [name=lesson-bug]').focus()")
    for k, name in enumerate(names):
        if k % 2:
            touch(browser, ".lesson [name=lesson-bug]", k)
        elif k:
            press(browser, "ArrowDown")
        chosen = browser.run("document.querySelector('.lesson [name=lesson-bug]:checked').value")
        assert chosen == name
        shown = "[...document.querySelectorAll('.bug:not([hidden])')].map((b) => b.id)"
        assert browser.run(shown) == ([name] if name else [])
        wanted = changes[name]["numbers"] if name else {}
        assert wanted == browser.run("""Object.fromEntries(
            [...document.querySelectorAll('.num[data-wrong]')].map(
                (one) => [one.dataset.k, one.dataset.wrong]))""")
        for key, text in list(wanted.items())[:3]:  # what is read aloud
            said = browser.run(f"""document.querySelector('.num[data-k="{key}"]')
                .closest('.put').getAttribute('aria-label')""")
            assert said.endswith(f"wrong: {text}")
        drawn = browser.run("""[...document.querySelectorAll('.step text.wrong')].map(
            (one) => [one.dataset.k, one.textContent])""")
        assert {key for key, _ in drawn} == set(wanted)
        assert all(wanted[key] == text for key, text in drawn)
        lines = browser.run("[...document.querySelectorAll('.code-line.changed')].map((l) =>"
                            " l.dataset.at + l.querySelector('span').textContent)")  # fmt: skip
        there = changes[name]["lines"] if name else {}
        there = {at: text for at, text in there.items() if count(browser, f'[data-at="{at}"]')}
        assert {re.sub(r"\s+", "", line) for line in lines} == {
            re.sub(r"\s+", "", key + text) for key, text in there.items()
        }
        assert browser.run("document.documentElement.scrollWidth") <= width
    touch(browser, ".lesson-bar .broken:not([hidden]) button")
    after = browser.run("[...document.querySelectorAll('.step')].map((s) => s.textContent)")
    assert after == before and not browser.run(shown)
    quiet(browser)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_all_stands_there_without_a_script_and_in_print(browser, site, parts, width):
    everything = """[...document.querySelectorAll('.lesson .num, .lesson text, .lesson td')].every(
        (one) => one.getBoundingClientRect().width > 0)"""
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        opened(browser, site, width)
        assert browser.run(everything)
        numbers = [e.text() for step in steps(parts) for e in step.all("num")]
        assert numbers == browser.run("[...document.querySelectorAll('.num')].map("
                                      "(one) => one.textContent)")  # fmt: skip
        assert count(browser, ".bug") == len(bugs.NAMES)
        assert count(browser, ".lesson button, .lesson input, .lesson [tabindex]") == 0
        assert browser.run("document.documentElement.scrollWidth") <= width
        quiet(browser)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    opened(browser, site, width)
    assert not browser.run(everything)
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.run(everything)
        assert browser.run("getComputedStyle(document.querySelector('.lesson-bar')).display") == (
            "none"
        )
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_colours_can_be_told_apart(browser, site, dark):
    """Contrast as WCAG 2 asks of text: 4.5 to 1, on every ground on which it stands."""
    opened(browser, site, 1440, dark=dark)

    def colour(name):
        text = browser.run(f"""(() => {{
            const one = document.createElement('i');
            one.style.color = 'var(--{name})';
            document.querySelector('.lesson').append(one);
            const colour = getComputedStyle(one).color;
            one.remove();
            return colour;
        }})()""")
        return np.array([int(v) for v in re.findall(r"\d+", text)[:3]])

    def light(rgb):
        c = rgb / 255
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [
            0.2126, 0.7152, 0.0722
        ]  # fmt: skip

    def contrast(a, b):
        dim, bright = sorted((light(a), light(b)))
        return (bright + 0.05) / (dim + 0.05)

    for ground in ("paper", "box", "lit"):
        for ink in ("ink", "soft", "wrong", "right"):
            assert contrast(colour(ink), colour(ground)) >= 4.5, (ink, ground)
    off = 0.68 * colour("box") + 0.32 * np.array([217, 64, 42])  # the darkest square of a picture
    assert min(contrast(colour(ink), off) for ink in ("deep", "ink")) >= 4.5
    assert contrast(colour("carry"), colour("paper")) >= 4.5
    for line in ("focus", "lit-edge"):
        assert contrast(colour(line), colour("paper")) >= 3
