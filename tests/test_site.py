"""The site, built as docs/README.md says, and read in a headless Chromium without a network.

Skipped, with the reason, where Sphinx or a Chromium is missing: `pip install -e ".[docs]"`.
"""

import base64
import html
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from stepper_pages import Runs, command, run, saved

from minirnn.data import Alphabet

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))

pytestmark = pytest.mark.slow


def open_page(browser, site, name, width=1500, dark=False, anchor=""):
    browser.size(width, dark=dark)
    browser.open(site / f"{name}.html", anchor)


def test_site_names_no_other_place(site):
    """No page loads a script, a style, a font or a picture from somewhere else."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]*rel="(?:stylesheet|preload)"[^>]*href="([^"]+)"', text)
        assert not [url for url in loaded if re.match(r"(https?:)?//", url)], path
        for url in loaded:
            assert (path.parent / re.split(r"[?#]", url)[0]).exists(), f"{path}: {url}"


@pytest.mark.parametrize("name", [*CHAPTERS, "source/minirnn/cells.py", "search"])
def test_page_loads_and_fits(browser, site, name):
    for width, dark in [(1500, False), (1500, True), (380, False)]:
        open_page(browser, site, name, width, dark)
        assert browser.errors == []
        outside = [u for u in browser.requests if not u.startswith(("file:", "data:", "blob:"))]
        assert outside == []
        assert browser.run("document.documentElement.scrollWidth") <= width
        # Set by MathJax, every one of them, and without an error in it.
        assert browser.run("document.querySelectorAll('.math').length") == browser.run(
            "document.querySelectorAll('.math > mjx-container').length"
        )
        # No line begins with the comma after a formula.
        assert browser.run("""[...document.querySelectorAll('article span.math')].every((m) =>
            !/^[,.;:)]/.test(m.nextSibling?.data ?? '')
            || getComputedStyle(m.parentNode).whiteSpace === 'nowrap')""")
        assert browser.run("document.querySelectorAll('[data-mjx-error], mjx-merror').length") == 0
        broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        assert browser.run(broken) == []


def test_mathematics_is_drawn(browser, site):
    open_page(browser, site, "06-lstm")
    assert browser.run("document.querySelectorAll('.math').length") > 50
    heights = "[...document.querySelectorAll('div.math svg')].map(s => s.clientHeight)"
    assert min(browser.run(heights)) > 10


QUOTING = [
    path.stem
    for path in sorted((ROOT / "docs").glob("*.md"))
    if "<!-- code:" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", QUOTING)
def test_code_column_follows_the_text(browser, site, name):
    """Every quotation, brought to the reading line, is what the column marks and shows."""
    open_page(browser, site, name)
    browser.run("document.querySelectorAll('article details').forEach((d) => { d.open = true; })")
    count = browser.run("document.querySelectorAll('article .quote').length")
    assert count > 0
    checked = 0
    for k in range(count):
        seen = browser.run(f"""(async () => {{
            const quote = document.querySelectorAll('article .quote')[{k}];
            const y = quote.getBoundingClientRect().top + scrollY - innerHeight * 0.4 + 2;
            scrollTo({{ top: y, behavior: 'instant' }});
            for (let k = 0; k < 3; k++) await new Promise(requestAnimationFrame);
            const reached = Math.abs(scrollY - y) < 3;
            const box = document.querySelector('.beside-file:not([hidden])');
            const lines = [...box.querySelectorAll('pre > span')];
            const marked = lines.map((s, k) => s.classList.contains('marked') ? k + 1 : 0)
                .filter(Boolean);
            const place = lines[(marked[0] || 1) - 1].getBoundingClientRect();
            return {{ reached, path: box.dataset.path, marked, top: place.top,
                     text: marked.map(k => lines[k - 1].textContent).join(''),
                     want: {{ ...quote.dataset }} }};
        }})()""")
        if not seen["reached"]:
            continue  # too near an end of the page to be brought there
        checked += 1
        want = seen["want"]
        first, last = int(want["first"]), int(want["last"])
        assert seen["path"] == want["path"]
        assert seen["marked"] == list(range(first, last + 1))
        assert 0 <= seen["top"] < 900
        source = (ROOT / want["path"]).read_text(encoding="utf-8").splitlines()
        assert seen["text"].rstrip("\n").splitlines() == source[first - 1 : last]
    assert checked >= count - 1


def test_the_column_begins_where_the_chapter_does(browser, site):
    """Before the first section that quotes, it shows the lines that will be quoted first."""
    open_page(browser, site, "06-lstm")
    first = "document.querySelector('article .quote').dataset.first"
    for _ in range(2):
        browser.run("new Promise((done) => setTimeout(done, 300))")
        assert browser.run(f"""(() => {{
            const box = document.querySelector('.beside-file:not([hidden])');
            const line = box.querySelectorAll('pre > span[id]')[{first} - 1];
            const {{ top }} = line.getBoundingClientRect();
            return top > 0 && top < innerHeight;
        }})()""")


def test_two_columns_only_where_there_is_room(browser, site):
    shown = "getComputedStyle(document.querySelector('.beside')).display !== 'none'"
    for width, expected in [(1900, True), (1500, True), (1000, False), (380, False)]:
        open_page(browser, site, "06-lstm", width)
        assert browser.run(shown) is expected
        box = "document.querySelector('article').getBoundingClientRect()"
        if expected:
            left = browser.run("document.querySelector('.beside').getBoundingClientRect().left")
            assert browser.run(f"{box}.right") <= left


def test_the_first_page_says_what_this_is(site):
    """Under the name that a folder is opened by, with a picture and a description."""
    text = (site / "index.html").read_text(encoding="utf-8")
    assert text == (site / "README.html").read_text(encoding="utf-8")
    for target in (
        "lstm-backpropagation",
        "00-a-beginning",
        "microlstm",
        "stepper",
        "teaching",
        "api",
    ):
        assert f'href="{target}.html"' in text
    assert "stepper.gif" in text
    metas = [meta for meta in re.findall(r"<meta [^>]*>", text) if "content=" in meta]
    for name in ('name="description"', 'property="og:title"', 'property="og:description"'):
        (meta,) = [meta for meta in metas if name in meta]
        assert len(re.search(r'content="([^"]*)"', meta)[1]) > 5, name


def test_folded_code_opens_and_is_followed(browser, site):
    """Nothing that is folded away is marked in the column; what is opened is."""
    open_page(browser, site, "05-through-time")
    quotes = "document.querySelectorAll('article details:not([open]) .quote').length"
    assert browser.run(quotes) > 3
    browser.run("document.querySelector('article details summary').click()")
    assert browser.run("document.querySelector('article details').open")
    assert browser.errors == []


def test_solutions_are_covered_until_they_are_opened(browser, site):
    """In the column too, where the lines of the text that is open are marked."""
    open_page(browser, site, "06-lstm", anchor="#from-h-to-o-and-c")
    line = """[...document.querySelectorAll('.beside-file:not([hidden]) pre > span')]
        .filter((s) => s.textContent.includes('do = dh * tanh_c'))[0]"""
    seen = f"getComputedStyle({line}.firstElementChild).visibility"
    assert browser.run(f"{line}.classList.contains('marked')") and browser.run(seen) == "hidden"
    assert "do = dh * tanh_c" not in browser.run("document.querySelector('article').innerText")
    browser.run("""[...document.querySelectorAll('article summary')]
        .filter((s) => s.textContent === 'Solution of exercise 6')[0].click()""")
    browser.until(f"{seen} === 'visible'")
    assert not browser.run("document.querySelector('.beside-title button').hidden")  # exercise 5
    browser.run("document.querySelector('.beside-title button').click()")
    assert browser.run("document.querySelectorAll('.covered').length") == 0
    assert browser.errors == []


def test_links_between_chapters_work(browser, site):
    open_page(browser, site, "README")
    browser.run("document.querySelector('article a[href^=\"06-lstm.html\"]').click()")
    browser.until("document.title.startsWith('6 LSTM') && document.readyState === 'complete'")
    for path in site.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        for page, anchor in re.findall(r'<a [^>]*href="([\w./-]*\.html)?#([\w.-]+)"', text):
            target = (path.parent / page).read_text(encoding="utf-8") if page else text
            assert f'id="{anchor}"' in target, f"{path.name}: {page}#{anchor}"


def test_dark_and_light(browser, site):
    colours = []
    for dark in (False, True):
        open_page(browser, site, "06-lstm", dark=dark)
        colours.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, re.findall(r"\d+", c)[:3])) for c in colours)
    assert light > 600 > 200 > dark


def test_search_finds_a_chapter(browser, site):
    browser.size(1500)
    browser.open(site / "search.html", "?q=peephole")
    browser.until("document.querySelectorAll('#search-results li').length > 0")
    assert browser.errors == []


def test_api_reference_has_every_public_name(site):
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import api
    finally:
        sys.path.remove(str(ROOT / "docs"))
    text = (site / "api.html").read_text(encoding="utf-8")
    for module, found in api.modules().items():
        for name, thing in api.public(found).items():
            if api.own_docstring(thing):
                assert f'id="{module}.{name}"' in text, f"{module}.{name}"


def test_search_shows_sections_and_a_line_of_each(browser, site):
    browser.size(1500)
    browser.open(site / "search.html", "?q=forget+gate")
    browser.until("document.querySelectorAll('.search-sections li').length > 5")
    text = browser.run("document.querySelector('#search-results').textContent")
    assert "Why it remembers: " in text and "(Gers and Schmidhuber 2000)" in text
    for href in browser.run(
        "[...document.querySelectorAll('.search-sections a')].map((a) => a.href)"
    ):
        page, _, anchor = href.partition("#")
        assert f'id="{anchor}"' in (site / Path(page).name).read_text("utf-8"), href


EQUATIONS = {
    path.stem: re.findall(r"^<!-- eq: (\S+) -->$", path.read_text("utf-8"), re.M)
    for path in sorted((ROOT / "docs").glob("*.md"))
}


def test_every_equation_has_a_number_and_an_address(browser, site):
    for name, labels in EQUATIONS.items():
        text = (site / f"{name}.html").read_text("utf-8")
        links = re.findall(r'id="eq-([^"]+)"><a href="#eq-([^"]+)"[^>]*>\(([\d.]+)\)</a>', text)
        assert [link[:2] for link in links] == [(label, label) for label in labels], name
        chapter = re.match(r"\d+", name)
        start = f"{int(chapter[0])}." if chapter else ""
        assert [link[2] for link in links] == [f"{start}{k}" for k in range(1, len(labels) + 1)]
    for width in (380, 1500):
        open_page(browser, site, "06-lstm", width, anchor="#eq-lstm-dc")
        assert browser.run("""(() => {
            const number = document.querySelector('#eq-lstm-dc a').getBoundingClientRect();
            const box = document.querySelector('#eq-lstm-dc + div').getBoundingClientRect();
            return number.top >= 0 && number.top < 450 && box.right <= number.left + 1
                && number.top < box.bottom;
        })()""")


@pytest.mark.parametrize(
    "name, section, title",
    [
        (
            "06-lstm",
            "from-the-gates-to-the-pre-activations",
            "From the gates to the pre-activations",
        ),
        ("lstm-backpropagation", "backward", "Backward"),
        ("stepper", "what-to-look-for", "What to look for"),
    ],
)
def test_the_sections_are_in_view_and_marked(browser, site, name, section, title):
    """Where something wide takes the place of the theme's own contents."""
    for width in (1320, 1500):
        open_page(browser, site, name, width, anchor=f"#{section}")
        browser.until("document.querySelectorAll('.sections [aria-current]').length === 1")
        mark = "document.querySelector('.sections [aria-current]')"
        assert browser.run(f"{mark}.textContent") == title
        assert browser.run(f"{mark}.getBoundingClientRect().bottom") < 900


def test_code_can_be_copied_and_what_scrolls_has_a_focus(browser, site):
    open_page(browser, site, "05-through-time", 1500)
    assert browser.run("document.querySelectorAll('article .copybtn').length") > 20
    assert browser.run("document.querySelectorAll('.beside .copybtn').length") == 0
    assert browser.run("""[...document.querySelectorAll('article pre, .beside-file')].every((box) =>
        !box.clientWidth || box.closest('details:not([open])') || (box.tabIndex === 0)
            === (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight))""")
    browser.call("Emulation.setEmulatedMedia", media="print")
    shown = "getComputedStyle(document.querySelector('.skip-to-content')).display"
    assert browser.run(shown) == "none"
    browser.call("Emulation.setEmulatedMedia", media="")


COPIED = """[...document.querySelectorAll('article .copybtn')].map((button) => {
    let text;
    document.execCommand = () => { text = document.querySelector('body > textarea').value; };
    button.click();
    return [text, button.parentNode.querySelector('pre').textContent];
})"""


@pytest.mark.parametrize("name", ["README", "06-lstm", "14-your-own-data", "api"])
def test_what_is_copied_can_be_run(browser, site, name):
    """Code and commands have a button, what they print has none; prompts and answers stay."""
    open_page(browser, site, name)
    code = "article div[class^=highlight-]:is(.highlight-python, .highlight-pycon, .highlight-none)"
    blocks = browser.run(f"document.querySelectorAll('{code} pre').length")
    copied = browser.run(COPIED)
    assert len(copied) == blocks > 2
    assert browser.run("document.querySelectorAll('.highlight-text .copybtn').length") == 0
    for text, shown in copied:
        lines = [line for line in shown.splitlines() if re.match(r">>> |\.\.\. ", line)]
        whole = "\n".join(line[4:] for line in lines) if lines else shown
        assert text.split() == whole.split() and ">>>" not in text


def test_without_javascript_a_page_says_so(browser, site):
    text = (site / "06-lstm.html").read_text("utf-8")
    assert '<html class="no-js"' in text and "<noscript><p" in text.partition("<article")[2]
    open_page(browser, site, "06-lstm")
    assert browser.run("""(() => {
        document.documentElement.classList.add('no-js');  // what a script of the theme takes away
        const hidden = getComputedStyle(document.querySelector('.beside')).display === 'none';
        document.documentElement.classList.remove('no-js');
        return hidden;
    })()""")


OFFERED = """[...document.querySelectorAll(
    'a[href], button, input, select, summary, iframe, [tabindex], [role=button]')].filter((one) =>
    !one.disabled && one.type !== 'hidden' && one.checkVisibility({ visibilityProperty: true })
    && one.getClientRects().length && !one.closest('[aria-hidden=true]'))"""
PRESSED = """(() => {
    const missed = [], all = OFFERED;
    for (const one of all) {
        if (one.matches('.skip-to-content, .sidebar-toggle')) continue;  // for the keyboard alone
        one.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
        const hit = [...one.getClientRects()].some((box) => {
            const x = box.left + box.width / 2, y = box.top + box.height / 2;
            const at = document.elementFromPoint(x, y);
            return at && (one.contains(at) || at.closest('label')?.control === one);
        });
        if (!hit) missed.push(one.outerHTML.slice(0, 200));
    }
    return missed;
})()""".replace("OFFERED", OFFERED)
# Of what the arrows lead to one is enough: the others have tabindex -1.
TABBED = f"""{OFFERED}.filter((one) => one.tabIndex >= 0
    && !one.matches('input[type=radio]:not(:checked)'))"""


@pytest.mark.parametrize("width", [390, 1024, 1440])
@pytest.mark.parametrize("name", [*CHAPTERS, "source/minirnn/cells.py", "search"])
def test_all_is_reached_by_touch_and_by_keyboard(browser, site, name, width):
    """Nothing lies on what can be touched; Tab goes to all of it, and nothing covers that."""
    open_page(browser, site, name, width)
    assert browser.run(PRESSED) == []
    browser.run("scrollTo({ top: 0, behavior: 'instant' })")
    browser.run(f"window.left = new Set({TABBED}); document.activeElement.blur()")
    count = browser.run("window.left.size")
    assert count > 5
    unseen = """(async () => {
        const one = document.activeElement;
        window.left.delete(one);
        if (one === document.body) return '';  // after the last one
        const inside = (low, high, end) => (Math.max(0, low) + Math.min(end, high)) / 2;
        const seen = () => {
            const { left, right, top, bottom } = one.getBoundingClientRect();
            if (!one.checkVisibility({ visibilityProperty: true })) return false;
            if (right <= 0 || left >= innerWidth || bottom <= 0 || top >= innerHeight) return false;
            return one.matches('.sidebar-toggle') || [...one.getClientRects()].some((box) => {
                const at = document.elementFromPoint(inside(box.left, box.right, innerWidth),
                    inside(box.top, box.bottom, innerHeight));
                return at && (one.contains(at) || at.contains(one) ||
                    at.closest('label')?.control === one);
            });
        };
        for (let k = 0; k < 90 && !seen(); k++) await new Promise(requestAnimationFrame);
        return seen() ? '' : one.outerHTML.slice(0, 200);
    })()"""
    seen = []
    for _ in range(count + 20):
        type_key(browser, "Tab")
        seen.append(browser.run(unseen))
        if not browser.run("window.left.size"):
            break
    # Of a group, the focus on another of its things has made that one the one for Tab.
    assert (
        browser.run("""[...window.left].filter((one) => one.tabIndex >= 0).map((one) =>
        one.outerHTML.slice(0, 200))""")
        == []
    )
    assert [one for one in seen if one] == []
    assert browser.errors == []


@pytest.mark.parametrize("name", ["06-lstm", "README", "lstm-backpropagation", "stepper"])
def test_the_lists_of_a_narrow_window_open_by_the_keyboard(browser, site, name):
    open_page(browser, site, name, 390)
    for box, drawer in [("__navigation", ".sidebar-drawer"), ("__toc", ".toc-drawer li li")]:
        inside = (
            f"document.querySelector('{drawer} a').checkVisibility({{visibilityProperty: true}})"
        )
        assert not browser.run(inside)
        browser.run(f"document.getElementById('{box}').focus()")
        type_key(browser, "Space")
        browser.until(inside)
        type_key(browser, "Escape")
        browser.until(f"!{inside}")


def axe():
    """The text of axe-core, from a package that carries it, or None."""
    spec = importlib.util.find_spec("axe_playwright_python")
    return spec and (Path(spec.origin).parent / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("name", [*CHAPTERS, "source/minirnn/cells.py", "search"])
def test_axe_finds_nothing_serious(browser, site, name):
    """In both themes. Needs the package axe-playwright-python, for the one file in it."""
    if not axe():
        pytest.skip("axe-playwright-python is not installed")
    for dark in (False, True):
        open_page(browser, site, name, dark=dark)
        browser.run(f"{axe()};0")
        found = browser.run("""axe.run(document, { resultTypes: ['violations'] }).then((r) =>
            r.violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) =>
                [v.id, v.nodes.length, ...v.nodes.slice(0, 3).map((n) => n.html)]))""")
        assert found == []


# The stepper


def page_data(path):
    text = path.read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="stepper-data">(.*?)</script>', text, re.S)[1])
    if "weights" in data:  # then the page computes, and the library says what is right
        for task in (data, *data["more"]):
            task["runs"] = Runs(task)
    return data


def numbers(data, key, back=None):
    """(panel, values [columns, H]) of a run, as the page has them; of sums, after so many steps
    back, all if left out."""
    kind, name, _, layer = (int(k) for k in key.split("/"))
    H, ids = data["kinds"][kind]["hidden"], data["names"][name]["ids"]
    layer, T = data["kinds"][kind]["layers"][layer], len(ids)
    flat = np.frombuffer(base64.b64decode(data["runs"][key]["values"]), "<f4")
    start, factors = 0, {None: np.ones((T, 1))}
    factors["letter"] = np.eye(len(data["alphabet"]))[ids[::-1] if layer["reversed"] else ids]
    for panel in layer["panels"]:
        if panel["phase"] != "sum":
            yield panel, flat[start : start + T * H].reshape(T, H)
            start += T * H
    for factor in layer["factors"]:
        size = T * factor["width"]
        factors[factor["name"]] = flat[start : start + size].reshape(T, -1).astype(float)
        start += size
    for panel in layer["panels"]:
        if panel["phase"] == "sum":
            left, right = factors[panel["left"]], factors[panel["right"]]
            first = 0 if back is None else T - back
            yield panel, left[first:].T @ right[first:]


SHOWN = """(([k, column, unit]) => {
    const figure = document.querySelectorAll('.stepper figure')[k];
    const canvas = figure.querySelector('canvas'), box = canvas.getBoundingClientRect();
    const columns = %d, hidden = %d;
    canvas.dispatchEvent(new PointerEvent('pointermove', { bubbles: true,
        clientX: box.left + (column + 0.5) / columns * box.width,
        clientY: box.top + (unit + 0.5) / hidden * box.height }));
    return document.querySelector('[data-is=number]').textContent;
})(%s)"""


def point(browser, variable, unit):
    """Move the pointer to a number in a box of the drawing."""
    browser.run(f"""(() => {{
        const box = document.querySelector('.stepper-cell [data-forward={variable}]');
        const {{ left, top, width }} = box.querySelector('image').getBoundingClientRect();
        const at = {{ clientX: left + ({unit} + 0.5) / 8 * width, clientY: top + 1 }};
        box.dispatchEvent(new PointerEvent('pointerenter', at));
        box.dispatchEvent(new PointerEvent('pointermove', at));
    }})()""")


KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "PageUp": 33, "PageDown": 34, "End": 35,
        "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}  # fmt: skip


def type_key(browser, name):
    text = {"Enter": {"text": "\r"}, "Space": {"text": " "}}.get(name, {})
    for kind in ("rawKeyDown" if not text else "keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=text.get("text", name), code=name,
                     windowsVirtualKeyCode=KEYS[name], **text)  # fmt: skip


def choose(browser, name, value):
    browser.run(f"""(() => {{
        const box = document.querySelector('.stepper [data-is="{name}"]');
        box.value = {value};
        box.dispatchEvent(new Event(box.type === 'range' ? 'input' : 'change'));
    }})()""")


def unfold(browser):
    browser.run("document.querySelectorAll('.stepper details').forEach((d) => { d.open = true; })")


def press(browser, to):
    browser.run(f"document.querySelector('.stepper [data-to={to}]').click()")


def check_numbers(browser, data, key):
    """Every panel's numbers as hovering shows them; the page must be at its last step."""
    kind = data["kinds"][int(key.split("/")[0])]
    H, rng = kind["hidden"], np.random.default_rng(0)
    unfold(browser)
    for k, (_, values) in enumerate(numbers(data, key)):
        for _ in range(3):
            column, unit = int(rng.integers(len(values))), int(rng.integers(H))
            text = browser.run(SHOWN % (len(values), H, [k, column, unit]))
            small = 1e-7 * float(abs(values).max())
            right = pytest.approx(float(values[column, unit]), rel=4e-6, abs=small)
            assert float(text.rpartition(": ")[2]) == right
            assert f"unit {unit + 1}:" in text


def test_stepper_shows_the_librarys_numbers(browser, site):
    """The page computes them itself, from the nets' weights."""
    open_page(browser, site, "stepper")
    data = page_data(site / "stepper.html")
    for kind, name, epoch in [(0, 0, 0), (1, 2, 3), (2, 1, 5)]:
        for what, value in [("kind", kind), ("name", name), ("epoch", epoch)]:
            choose(browser, what, value)
        press(browser, "last")
        check_numbers(browser, data, f"{kind}/{name}/{epoch}/0")
    assert browser.errors == []


def test_stepper_goes_forward_and_then_backward(browser, site):
    open_page(browser, site, "stepper")
    data = page_data(site / "stepper.html")
    T = len(data["names"][0]["text"])
    where = "document.querySelector('.stepper [data-is=where]').textContent"
    press(browser, "first")
    panels = [panel for panel, _ in numbers(data, "1/0/0/0")]
    forward = next(k for k, p in enumerate(panels) if p["variable"] == "h")
    backward = next(k for k, p in enumerate(panels) if p["variable"] == "dh")
    H = data["kinds"][1]["hidden"]

    def known(panel, column):
        text = browser.run(SHOWN % (T, H, [panel, column, 0]))
        return "not computed yet" not in text

    assert browser.run(where) == "nothing is read yet" and not known(forward, 0)
    for step in range(1, 2 * T + 1):
        press(browser, "on")
        letter = step if step <= T else 2 * T - step + 1
        way = "forward" if step <= T else "backward"
        assert browser.run(where) == f"{way}, letter {letter} of {T}"
        for t in range(T):
            assert known(forward, t) == (t < step)
            assert known(backward, t) == (t >= 2 * T - step)
    press(browser, "back")
    assert browser.run(where) == f"backward, letter 2 of {T}"


def test_stepper_adds_up_the_gradients_of_the_weights(browser, site):
    """After k steps back a sum holds the shares of the last k letters; also after going back."""
    open_page(browser, site, "stepper")
    data = page_data(site / "stepper.html")
    ids, key = data["names"][0]["ids"], f"1/0/{len(data['epochs']) - 1}/0"
    T, H = len(ids), data["kinds"][1]["hidden"]
    for steps in (0, 1, 3, T, 2):
        press(browser, "first")
        for _ in range(T + steps):
            press(browser, "on")
        unfold(browser)
        for k, (panel, values) in enumerate(numbers(data, key, steps)):
            if panel["variable"] in ("dWx_f", "dWh_o", "dbx_g"):
                column = {"letter": ids[-1], None: 0}.get(panel["left"], 1)
                text = browser.run(SHOWN % (panel["rows"], H, [k, column, 3]))
                if steps:
                    right = pytest.approx(float(values[column, 3]), rel=2e-6)
                    assert float(text.rpartition(": ")[2]) == right and right != 0
                else:
                    assert "not computed yet" in text


def test_stepper_comes_first_and_its_bar_stays(browser, site):
    """Also on a phone, and in a window at twice its size."""
    top = "document.querySelector('.stepper-top').getBoundingClientRect().top"
    for width in (390, 720, 1024, 1440):
        open_page(browser, site, "stepper", width)
        assert browser.run("document.querySelector('.stepper').getBoundingClientRect().top") < 400
        browser.run("""document.querySelectorAll('.stepper figure')[20].scrollIntoView(
            { block: 'start', behavior: 'instant' })""")
        header = browser.run("""(() => {
            const bar = document.querySelector('.mobile-header');
            return getComputedStyle(bar).display === 'none' ? 0 : bar.offsetHeight;
        })()""")
        assert abs(browser.run(top) - header) <= 1, width


def test_stepper_tells_numbers_to_the_keyboard(browser, site):
    open_page(browser, site, "stepper")
    data = page_data(site / "stepper.html")
    press(browser, "last")
    assert browser.run("document.querySelectorAll('.stepper canvas[tabindex=\"0\"]').length") == 1
    browser.run("document.querySelector('.stepper canvas[tabindex=\"0\"]').focus()")

    def key(name):
        type_key(browser, name)
        return browser.run("document.querySelector('[data-is=number]').textContent")

    panels = [values for _, values in numbers(data, f"1/0/{len(data['epochs']) - 1}/0")]
    for moves, panel, column, unit in [
        (["ArrowRight", "ArrowRight", "ArrowDown"], 0, 2, 1),
        (["PageDown"], 1, 2, 1),
        (["PageDown", "ArrowDown"], 2, 2, 2),
        (["PageUp", "PageUp", "PageUp"], 0, 2, 2),
    ]:
        for move in moves:
            text = key(move)
        right = float(panels[panel][column, unit])
        assert float(text.rpartition(": ")[2]) == pytest.approx(right, rel=2e-6), moves
    where = "document.querySelector('.stepper [data-is=where]').textContent"
    assert "letter 1 of" in browser.run(where)  # the arrows did not move the step
    assert browser.errors == []


def test_stepper_draws_the_cell(browser, site):
    """A box shows its numbers at this step; with it light up its panel, its line, its equation."""
    data = page_data(site / "stepper.html")
    T, last = len(data["names"][0]["text"]), len(data["epochs"]) - 1
    lit = """(() => {
        const lit = [...document.querySelectorAll('.stepper .marked')];
        const of = (kind) => lit.filter((one) => one.matches(kind));
        return { number: document.querySelector('[data-is=number]').textContent,
                 boxes: of('.box').map((box) => box.dataset.forward),
                 panels: of('figure').map((one) => one.dataset.phase + one.dataset.variable),
                 lines: of('.stepper-source span').map((one) => one.textContent.trim()),
                 ways: of('.line').map((one) => one.dataset.from + '>' + one.dataset.to),
                 equation: document.querySelector('[data-is=equation]').textContent };
    })()"""
    for width in (390, 1440):
        open_page(browser, site, "stepper", width, anchor=f"#stepper?cell=LSTM&step={T - 2}")
        assert browser.run("document.querySelectorAll('.stepper-cell .box').length") == 17
        assert browser.run("""(() => {
            const cell = document.querySelector('.stepper-cell').getBoundingClientRect();
            const panels = document.querySelector('[data-is=panels]').getBoundingClientRect();
            return cell.top > 0 && cell.bottom <= panels.top && cell.right <= innerWidth;
        })()""")
        values = {(p["phase"], p["variable"]): v for p, v in numbers(data, f"1/0/{last}/0")}
        for steps, phase, t in [(0, "forward", T - 3), (5, "backward", T - 3)]:
            for _ in range(steps):
                press(browser, "on")
            point(browser, "c", 3)
            shown = browser.run(lit)
            right = values[phase, "c" if phase == "forward" else "dc"][t, 3]
            assert float(shown["number"].rpartition(": ")[2]) == pytest.approx(right, rel=4e-6)
            assert f"letter {t + 1} (" in shown["number"] and "unit 4" in shown["number"]
            assert shown["boxes"] == ["c"]
            if phase == "forward":
                assert shown["panels"] == ["forwardc"]
                assert shown["lines"] == ["c = f * c_prev + i * g"]
                assert sorted(shown["ways"]) == sorted(
                    ["c_prev>c", "f c_prev>c", "f>c", "i g>c", "g>c", "i>c"]
                )
                assert shown["equation"] == "ct = f ⊙ ct−1 + i ⊙ g"
            else:
                assert shown["panels"] == ["backwarddc"] * 2  # what is given, and what is added
                assert shown["lines"][-1] == "dc = dc + dh * o * d_tanh(tanh_c)"
                assert shown["ways"] == ["c>tanh_c"]
        # By keyboard: Tab reaches one box, the arrows the others, Enter the numbers of the panel.
        tabbed = "[...document.querySelectorAll('.stepper-cell .box')].map((b) => b.tabIndex)"
        assert sorted(browser.run(tabbed)) == [-1] * 16 + [0]
        browser.run("document.querySelector('.stepper-cell .box[tabindex=\"0\"]').focus()")
        for name in ("ArrowDown", "ArrowRight", "ArrowLeft", "End", "ArrowUp", "ArrowUp"):
            type_key(browser, name)
        assert browser.run(lit)["boxes"] == ["c"]
        assert f"letter {T - 2} of" in browser.run(
            "document.querySelector('.stepper [data-is=where]').textContent"
        )  # the arrows did not move the step
        type_key(browser, "Enter")
        assert browser.run("document.activeElement.closest('figure').dataset.variable") == "dc"
        # A line of the source lights its boxes.
        browser.run("""[...document.querySelectorAll('.stepper-source [role=button]')].find((row) =>
            row.textContent.includes('df, dc_prev')).focus()""")
        assert sorted(browser.run(lit)["boxes"]) == ["c_prev", "f"]
    assert browser.errors == []


PAINTED = """(async () => {
    const dots = (canvas) => canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data;
    const panels = [...document.querySelectorAll(
        '[data-is=panels] > section canvas')].map((canvas) => {
        const data = dots(canvas), wide = canvas.width / %(T)d, high = canvas.height / %(H)d;
        const middle = (k, size) => Math.floor(k * size + (size - 1) / 2);
        return Array.from({ length: %(T)d }, (_, t) => Array.from({ length: %(H)d }, (_, unit) => {
            const at = 4 * (middle(unit, high) * canvas.width + middle(t, wide));
            return [...data.slice(at, at + 3)];
        }));
    });
    const boxes = {};
    for (const box of document.querySelectorAll('.stepper-cell .box:not(.empty)')) {
        const image = new Image(), canvas = document.createElement('canvas');
        image.src = box.querySelector('image').getAttribute('href');
        await image.decode();
        [canvas.width, canvas.height] = [image.width, image.height];
        canvas.getContext('2d').drawImage(image, 0, 0);
        const data = dots(canvas);
        boxes[box.dataset.forward] = Array.from({ length: %(H)d },
            (_, unit) => [...data.slice(4 * unit, 4 * unit + 3)]);
    }
    const points = (path) => [...path.getAttribute('d').matchAll(/[\\d.]+ [\\d.]+/g)].map(
        (point) => point[0].split(' ').map(Number));
    return { panels, boxes, letter: [...document.querySelectorAll(
        '[data-is=letters] button')].findIndex((one) => one.matches('.here')),
        sizes: points(document.querySelector('.stepper-strip .size.here:not(.memory)')),
        now: points(document.querySelector('.stepper-strip .now'))[0][0],
        answers: [...document.querySelectorAll('[data-is=answer] meter')].map(
            (one) => [one.value, one.parentNode.textContent]) };
})()"""


def test_stepper_paints_the_numbers(browser, site):
    """In its panel the colour of every number, in its box the column of the step; the sizes on
    their axis, the letter and the answers."""
    data = page_data(site / "stepper.html")
    T, H = len(data["names"][0]["text"]), data["kinds"][1]["hidden"]
    key = f"1/0/{len(data['epochs']) - 1}/0"

    def colours(values):
        share = abs(values) / abs(values).max()
        end = np.where(values[..., None] < 0, [33, 102, 172], [178, 24, 43])
        return 247 + (end - 247) * share[..., None]

    right = [(panel, values) for panel, values in numbers(data, key) if panel["phase"] != "sum"]
    last = {(panel["phase"], panel["variable"]): values for panel, values in right}
    boxes = dict(re.findall(r'data-forward="(\w*)" data-backward="(\w*)"',
                            data["kinds"][1]["layers"][0]["drawing"]))  # fmt: skip
    for step, here in [(T - 2, T - 3), (T + 3, T - 3), (2 * T, 0)]:
        open_page(browser, site, "stepper", anchor=f"#stepper?cell=LSTM&step={step}")
        seen = browser.run(PAINTED % {"T": T, "H": H})
        assert len(seen["panels"]) == len(right)
        for (panel, values), painted in zip(right, seen["panels"], strict=True):
            first = here if panel["phase"] == "backward" else 0
            end = T if step > T else here + 1
            if panel["phase"] == "forward" or step > T:
                known = slice(first, end)
                assert abs(np.array(painted)[known] - colours(values)[known]).max() <= 1, panel
        way = "forward" if step <= T else "backward"
        for forward, painted in seen["boxes"].items():
            values = last[way, forward if way == "forward" else boxes[forward]]
            assert abs(np.array(painted) - colours(values)[here]).max() <= 1, (step, forward)
        assert seen["letter"] == here
        sizes = np.log10(np.linalg.norm(last["backward", "dh"], axis=1))
        x, y = np.array(seen["sizes"]).T
        slope, start = np.polyfit(sizes, y, 1)
        assert slope < 0 and abs(start + slope * sizes - y).max() < 0.1
        assert abs(seen["now"] - x[here]) < 0.1
        likely = sorted(data["runs"][key]["p"], reverse=True)[:4]
        assert [value for value, _ in seen["answers"]] == pytest.approx(likely, abs=1e-4)
        assert all(text.endswith(f" {value:.2f}") for value, text in seen["answers"])


def test_only_the_gradients_that_the_code_names_are_in_the_drawing(browser, site):
    """Going back, the box of tanh c is empty: no line of the cell assigns its gradient."""
    open_page(browser, site, "stepper", anchor="#stepper?cell=LSTM&step=16")
    empty = "[...document.querySelectorAll('.stepper .box.empty')].map((b) => b.dataset.forward)"
    assert browser.run(empty) == ["tanh_c"]
    press(browser, "first")
    assert browser.run(empty) == []


def test_stepper_draws_the_sizes_of_all_cells_gradients(browser, site):
    open_page(browser, site, "stepper")
    data = page_data(site / "stepper.html")
    for name, epoch in [(0, 5), (2, 0), (5, 3)]:
        choose(browser, "name", name)
        choose(browser, "epoch", epoch)
        sizes = {}
        for kind, label in enumerate(k["label"] for k in data["kinds"]):
            for panel, values in numbers(data, f"{kind}/{name}/{epoch}/0"):
                if panel["phase"] == "backward" and panel["variable"] in ("dh", "dc"):
                    # the last panel of a name has the sum
                    sizes[f"{label} |{panel['variable']}|"] = np.linalg.norm(values, axis=1)
        said = dict(re.findall(r"([A-Z]+ \|d.\|): ([\d.e-]+)", browser.run(
            "document.querySelector('.stepper-strip').lastChild.textContent")))  # fmt: skip
        ratios = {line: size[0] / size[-1] for line, size in sizes.items()}
        assert {k: float(v) for k, v in said.items()} == pytest.approx(ratios, rel=0.06)
        assert browser.run("document.querySelectorAll('.stepper-strip .size').length") == 4
        assert browser.run("document.querySelectorAll('.stepper-strip .size.here').length") == 2


def test_stepper_of_a_trained_model(browser, tmp_path):
    out = tmp_path / "out.html"
    name = "<b>Anna</b>"
    assert command(name, "--model", saved(tmp_path / "model.npz"), "-o", out) == 0
    for width in (1500, 380):
        browser.size(width)
        browser.open(out)
        assert browser.errors == []
        assert [url.partition(":")[0] for url in browser.requests if url[:5] != "data:"] == ["file"]
        assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('.stepper b b').length") == 0
    assert browser.run("document.querySelector('.stepper-epochs').hidden")
    choose(browser, "layer", 1)
    letters = browser.run("document.querySelector('[data-is=letters]').textContent")
    assert letters == page_data(out)["names"][0]["text"][::-1]
    press(browser, "last")
    check_numbers(browser, page_data(out), "0/0/0/1")
    models = [saved(tmp_path / f"epoch-{k:03d}.npz", seed=k) for k in range(3)]
    assert command(name, "--model", *models, "-o", out) == 0
    browser.open(out)
    assert not browser.run("document.querySelector('.stepper-epochs').hidden")
    press(browser, "last")
    for epoch in (0, 2, 1):
        choose(browser, "epoch", epoch)
        text = browser.run("document.querySelector('[data-is=epoch-text]').textContent")
        assert text == f"epoch-{epoch:03d}"
        check_numbers(browser, page_data(out), f"0/0/{epoch}/0")


def test_stepper_works_in_a_page_without_an_address(browser, site, tmp_path):
    """As a notebook shows it, in a frame whose text is an attribute."""
    page = html.escape((site / "stepper-frame.html").read_text("utf-8"))
    (tmp_path / "frame.html").write_text(f'<iframe srcdoc="{page}" width="900"></iframe>', "utf-8")
    browser.size(1000)
    browser.open(tmp_path / "frame.html")
    said = browser.run("""(async () => {
        const inside = document.querySelector('iframe').contentDocument;
        inside.querySelector('[data-to=on]').click();
        await new Promise((done) => setTimeout(done, 400));
        return inside.querySelector('[data-is=where]').textContent;
    })()""")
    assert said.startswith("backward") and browser.errors == []


TYPE = """(() => {
    const box = document.querySelector('.stepper [data-is=own]');
    box.value = %s;
    box.dispatchEvent(new Event('input'));
    return document.querySelector('.stepper [data-is=told]').textContent;
})()"""


def test_stepper_reads_any_name_that_is_typed(browser, site):
    """As the library does, for every cell, and says what the alphabet has not got."""
    open_page(browser, site, "stepper")
    data = page_data(site / "stepper.html")
    names = ("Kow4lski", "Müller", "Nguyen-O'Hara", "ab" * 40)
    for kind, (typed, told) in enumerate(zip(names, [
        "Read as Kowlski. The net's alphabet has no 4.", "Read as Muller.", "",
        f"Read as {'ab' * 30}. A name ends after 60 letters here.",
    ], strict=True)):  # fmt: skip
        kind = kind % 3
        choose(browser, "kind", kind)
        assert browser.run(TYPE % json.dumps(typed)) == told
        press(browser, "last")
        text = Alphabet().clean(typed)[:60]
        letters = browser.run("document.querySelector('[data-is=letters]').textContent")
        assert letters == text
        label = int(np.argmax(run(data, kind, 5, text, 0)["p"]))
        shown = browser.run("document.querySelector('[data-is=answer]').textContent")
        assert f"if {data['languages'][label]} is right (the net's own answer)" in shown
        ids = [data["alphabet"].index(c) for c in text]
        page = data | {"names": [{"text": text, "ids": ids, "label": label}], "runs": {}}
        page["runs"] = Runs(page)
        check_numbers(browser, page, f"{kind}/0/5/0")
    assert "no letter" in browser.run(TYPE % '"李"')
    assert browser.errors == []
    assert all(u.startswith(("file:", "data:")) for u in browser.requests)


def test_stepper_of_fifty_letters(browser, site):
    open_page(browser, site, "stepper", anchor="#stepper?task=1&cell=RNN&training=3&step=100")
    (task,) = page_data(site / "stepper.html")["more"]
    check_numbers(browser, task, "0/0/3/0")
    said = browser.run("document.querySelector('.stepper-strip').lastChild.textContent")
    assert float(re.search(r"RNN \|dh\|: ([\d.e-]+)", said)[1]) < 1e-6


def test_what_the_stepper_shows_is_in_the_address(browser, site):
    """And the address shows it again."""
    open_page(browser, site, "stepper")
    choose(browser, "kind", 2)
    choose(browser, "epoch", 3)
    browser.run(TYPE % '"Anna"')
    for to in ("last", "back"):
        press(browser, to)
    browser.until("location.hash.includes('step=7')")
    address = browser.run("location.hash")
    answer = "document.querySelector('[data-is=answer]').textContent"
    before = browser.run(answer)
    assert all(part in address for part in ("name=Anna", "cell=GRU", "training=3", "step=7"))
    open_page(browser, site, "stepper", anchor=address)
    assert browser.run(answer) == before
    where = "document.querySelector('.stepper [data-is=where]').textContent"
    assert browser.run(where) == "backward, letter 2 of 4"
    open_page(browser, site, "stepper", anchor="#stepper?task=9&cell=X&training=-1&step=x&right=7")
    assert browser.errors == [] and browser.run(where) == "forward, letter 8 of 8"


def test_stepper_shows_the_lines_of_the_step(browser, site):
    """Forward or backward; the line of the panel that is looked at; weights are folded away."""
    for width in (390, 1440):
        open_page(browser, site, "stepper", width)
        source = "document.querySelector('.stepper-source section:not([hidden])').className"
        assert browser.run(source) == "forward"
        press(browser, "on")
        assert browser.run(source) == "backward"
        assert not browser.run("document.querySelector('.stepper details').open")
        assert browser.run("""(() => {
            const figure = document.querySelector('.stepper [data-variable=tanh_c]');
            figure.querySelector('canvas').focus();
            const line = document.querySelector('.stepper-source .marked');
            return line.textContent.includes('tanh_c = tanh(c)') &&
                document.querySelector('.stepper-line').textContent.endsWith('tanh_c = tanh(c)');
        })()""")
        assert browser.run(source) == "forward"


@pytest.mark.parametrize(
    "name, cell", [("05-through-time", "RNN"), ("06-lstm", "LSTM"), ("07-gru", "GRU")]
)
def test_chapters_hold_the_stepper_folded(browser, site, name, cell):
    """It is loaded when it is unfolded, and is as dark as the page says."""
    open_page(browser, site, name)
    frame = "document.querySelector('.stepper-frame iframe')"
    assert browser.run(f"{frame}.src") == ""
    browser.run(f"""new Promise((loaded) => {{
        {frame}.addEventListener('load', loaded);
        {frame}.parentNode.open = true;
    }}).then(() => 1)""")
    address = browser.run(f"{frame}.src")
    assert browser.errors == [] and address.startswith("file:")
    browser.open(site / "stepper-frame.html", address.partition(".html")[2])
    assert browser.run("document.querySelector('[data-is=kind]').selectedOptions[0].text") == cell
    for theme, dark in [("dark", True), ("light", False)]:
        browser.run(f"window.postMessage({{ theme: '{theme}' }}, '*')")
        browser.until(f"document.body.dataset.theme === '{theme}'")
        colour = browser.run("getComputedStyle(document.body).backgroundColor")
        assert (colour == "rgb(24, 24, 27)") == dark
    assert browser.errors == []
