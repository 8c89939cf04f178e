"""The chapters are true: code, outputs, equations, links, names and letters are all checked.

Add a chapter to docs/, and every test here applies to it.
"""

import ast
import functools
import importlib
import importlib.util
import inspect
import json
import pkgutil
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

import minirnn

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
CHAPTERS = sorted(path.name for path in DOCS.glob("*.md"))


def load(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sync, equations, api, fill_gpu = map(load, ("sync", "equations", "api", "fill_gpu"))

DRAWN_ELSEWHERE = {"confusion", "performance"}  # by examples/names.py and examples/benchmark.py
COMING = {"performance.md"}  # chapters that messages may name before they are written

FENCED = re.compile(r"^( *)```.*?^\1```$", re.M | re.S)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}.*\n|\n(?= {4}))+", re.M)
COMMENT = re.compile(r"<!--.*?-->", re.S)
LABELLED = re.compile(r"<!-- eq: (\S+) -->\n\n((?:\$\$.+\$\$\n(?:\n|\Z))+)")


@functools.cache
def text(chapter):
    return (DOCS / chapter).read_text(encoding="utf-8")


def prose(chapter):
    """The chapter without code blocks and comments."""
    return COMMENT.sub("", INDENTED.sub("\n", FENCED.sub("", text(chapter))))


def spans(chapter):
    """The inline code of a chapter."""
    return re.findall(r"`([^`\n]+)`", prose(chapter))


# Code


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_quoted_code_is_the_source(chapter):
    assert sync.stale(text(chapter)) == [], "run: python docs/sync.py"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_python_block_is_typed(chapter):
    """Every Python block is quoted or run, and every comment that asks for one has one."""
    body = text(chapter)
    kept = {m.start("text") for m in sync.CODE.finditer(body)}
    kept |= {m.start("code") for m in sync.EXPERIMENT.finditer(body)}
    assert body.count("<!-- code:") + body.count("<!-- experiment -->") == len(kept)
    blocks = {m.end() for m in re.finditer(r"^```python\n", body, re.M)}
    assert blocks == kept


@pytest.mark.parametrize("chapter", [c for c in CHAPTERS if "<!-- experiment -->" in text(c)])
def test_experiments_print_what_the_page_says(chapter, monkeypatch):
    monkeypatch.chdir(ROOT)
    expected = [m["output"] for m in sync.EXPERIMENT.finditer(text(chapter))]
    for number, (ours, page) in enumerate(
        zip(sync.outputs(text(chapter), chapter), expected, strict=True), 1
    ):
        assert alike(ours, page), f"experiment {number} prints\n{ours}\nbut the page has\n{page}"


NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


def alike(ours, page):
    """Word for word, and number for number to one unit of the last digit that is printed."""
    if NUMBER.sub("#", ours).split() != NUMBER.sub("#", page).split():
        return False
    for a, b in zip(NUMBER.findall(ours), NUMBER.findall(page), strict=True):
        mantissa, _, exponent = b.partition("e")
        whole = "." not in mantissa and not exponent
        unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        if abs(float(a) - float(b)) > (0 if whole else 1.01 * unit):
            return False
    return True


def test_alike():
    assert alike("x 0.123 [1. 2.] 3", "x 0.124  [1. 2.]\n3")
    assert alike("1e-06", "2e-06")
    for ours, page in [("0.12", "0.14"), ("4", "5"), ("True", "False"), ("1 2", "1"), ("x", "y")]:
        assert not alike(ours, page)


def test_sync_fills_and_notices_stale_blocks():
    comment = "<!-- code: minirnn/functions.py d_tanh -->\n\n```python\n{}```\n"
    old = comment.format("def d_tanh(y): ...\n")
    assert sync.stale(old) == ["<!-- code: minirnn/functions.py d_tanh -->"]
    assert sync.stale(sync.filled(old)) == []
    assert "return 1 - y * y" in sync.filled(old)
    assert "no nothing" in sync.stale(old.replace("d_tanh -->", "nothing -->"))[0]
    lines = '<!-- code: minirnn/cells.py LSTMCell.forward from "i, f, o" to "g =" -->'
    assert sync.filled(f"{lines}\n\n```python\n```\n").splitlines()[3:5] == [
        "i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)",
        "g = tanh(ag)",
    ]
    assert "\n    r =" not in sync.quote("minirnn/functions.py", "softmax", bare=True)
    assert '"""' not in sync.quote("minirnn/functions.py", "softmax", bare=True)
    with pytest.raises(LookupError, match="more than one line"):  # which of the two is meant?
        sync.quote("minirnn/optim.py", "SGD.update", "p.data", "p.data")


# Equations


def test_every_displayed_equation_has_a_label_and_every_label_a_check():
    labels = [m[1] for c in CHAPTERS for m in re.finditer(r"<!-- eq: (\S+) -->", text(c))]
    assert sorted(labels) == sorted(equations.CHECKS)
    for chapter in CHAPTERS:
        body = FENCED.sub("", text(chapter))
        labelled = sum(m[2].count("$$") for m in LABELLED.finditer(body))
        assert body.count("$$") == labelled, f"{chapter} has an equation without a label"


def test_checks_know_the_equations_word_for_word():
    """Neither the page nor its check can be changed without the other."""
    found = {}
    for chapter in CHAPTERS:
        for label, block in LABELLED.findall(text(chapter)):
            found[label] = tuple(re.findall(r"\$\$(.+)\$\$", block))
    assert found == equations.TEXTS


@pytest.mark.parametrize("label", list(equations.CHECKS))
def test_equation_holds(label):
    for seed in range(3):
        equations.CHECKS[label](np.random.default_rng(seed))


def test_equation_checks_notice_a_difference():
    with pytest.raises(AssertionError):
        equations.same([1.0, 2.0], np.array([1.0, 2.0 + 1e-9]))
    with pytest.raises(AssertionError):
        equations.same([[1.0, 2.0]], np.array([1.0, 2.0]))


def test_a_derivative_is_no_quotient_of_gradients():
    """`dx` is a gradient, so dy/da would be something else; and f' has its input between brackets,
    so that tanh'(y) would be 1 - tanh(y)^2."""
    quotient = re.compile(
        r"\\frac\{d\w+\}\{d\w+\}|(?<![\w/])d(?!L)[a-zA-Z]\w?/d[a-zA-Z]\w?\b(?![\w/.])"
    )
    of_output = re.compile(r"(tanh|sigma|sigmoid)'(?!\(a\)|s\b)")
    for written in (r"\frac{dy}{da}", "dy/da = 1", r"\tanh'(h_t)", "sigmoid'(y)", "$tanh'$"):
        assert quotient.search(written) or of_output.search(written), written
    for path in [*DOCS.rglob("*.md"), *(p for d in ("minirnn", "examples", "docs")
                                        for p in (ROOT / d).rglob("*.py"))]:  # fmt: skip
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            wrong = quotient.search(line) or of_output.search(line)
            assert not wrong, f"{path.name}, line {number}: {line}"


def test_one_path_of_several_says_so():
    """Elsewhere a partial derivative counts all ways through a step."""
    for label, texts in equations.TEXTS.items():
        assert (r"\text{direct path: }" in texts[0]) == (label in ("lstm-carry", "gru-carry"))


# Letters


def letters(chapter):
    """Letters and commands of all formulas of a chapter."""
    body = re.sub(r"`[^`\n]+`", "", prose(chapter))
    formulas = re.findall(r"\$\$(.+?)\$\$", body)
    formulas += re.findall(r"\$([^$\n]+(?:\n[^$\n]+)?)\$", re.sub(r"\$\$.+?\$\$", "", body))
    formulas = [re.sub(r"\\(mathrm|text)\{[^}]*\}", "", f) for f in formulas]
    commands = {c for f in formulas for c in re.findall(r"\\([A-Za-z]+)", f)}
    return {x for f in formulas for x in re.findall(r"(?<![\\A-Za-z])[A-Za-z]+", f)}, commands


def test_letters_are_defined_in_the_notation():
    words, commands = letters("01-notation.md")
    defined = set("".join(words))
    greek = {"sigma", "pi", "varepsilon", "beta"} & commands
    assert len(greek) == 4
    plain = set(
        """frac sum log exp tanh sinh cosh sin cos partial left right top odot lVert rVert min max
        sqrt ldots leftarrow approx pm infty lfloor rfloor cdot""".split()
    )
    for chapter in CHAPTERS:
        words, commands = letters(chapter)
        assert set("".join(words)) <= defined, f"{chapter}: letters that 01 does not define"
        assert commands <= plain | greek, f"{chapter}: signs that 01 does not define"


def test_notation_agrees_with_the_code():
    from minirnn import cells

    notation = text("01-notation.md")
    for name in ("RNNCell", "LSTMCell", "GRUCell", "GRUBeforeCell"):
        assert re.search(rf'`{name}`.*\| `"{getattr(cells, name).gates}"`', notation)


# Links and pictures


def anchor(heading):
    """The anchor that GitHub makes of a heading."""
    heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(chapter):
    """The anchors of a chapter; of a heading that stands there again, with a number."""
    found = []
    for heading in re.findall(r"^#+ (.+)$", FENCED.sub("", text(chapter)), re.M):
        name = anchor(heading)
        number = sum(a == name or re.fullmatch(rf"{name}-\d+", a) is not None for a in found)
        found.append(f"{name}-{number}" if number else name)
    return found


def resolve(source, target):
    path, _, anchor = target.partition("#")
    file = (source.parent / path).resolve() if path else source
    assert file.exists(), f"{source.name} points to {target}, which is not there"
    if anchor and file.suffix == ".md":
        assert file.parent == DOCS and anchor in anchors(file.name), f"no anchor {target}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_links_and_pictures_are_there(chapter):
    for alt, target in re.findall(r"(!?\[[^]]*\])\(([^)\s]+)\)", prose(chapter)):
        if not target.startswith("https://"):
            resolve(DOCS / chapter, target)
        assert not alt.startswith("![]"), f"{target} has no description"


def test_messages_point_to_sections_that_are_there():
    found = set()
    for path in [*(ROOT / "minirnn").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]:
        for target in re.findall(r"docs/([\w-]+\.md(?:#[\w-]+)?)", path.read_text("utf-8")):
            found.add(target)
    promised = """03-softmax-and-loss.md#backward 04-one-step.md#derivatives 04-one-step.md#linear
        04-one-step.md#backward 05-through-time.md#backward-through-time
        05-through-time.md#variable-lengths 06-lstm.md#forward 06-lstm.md#backward
        07-gru.md#forward 07-gru.md#backward 07-gru.md#reset-before""".split()
    for target in sorted(found | set(promised)):
        if target.partition("#")[0] not in COMING or (DOCS / target.partition("#")[0]).exists():
            resolve(DOCS / "README.md", target)


def test_every_exercise_has_its_place_in_the_chapters_that_it_sends_to():
    from minirnn.exercises.catalogue import EXERCISES
    from minirnn.exercises.conventions import Conventions

    for exercise in EXERCISES:
        steps = exercise.steps(None, Conventions(), np.random.default_rng(0))
        sections = {section for _, section, *_ in steps}
        for target in sections:
            resolve(ROOT / "x", target)
        chapters = {target.partition("#")[0].removeprefix("docs/") for target in sections}
        chapters = {"08-gradient-checking.md"} if exercise.number == 9 else chapters
        for chapter in chapters:
            place = rf"\*\*[Ee]xercise {exercise.number}\*\*"
            assert re.search(place, text(chapter)), f"{chapter} has no exercise {exercise.number}"
        assert any(exercise.file in text(chapter) for chapter in chapters)


def test_the_contents_list_every_chapter():
    for chapter in CHAPTERS:
        if chapter != "README.md":
            assert f"({chapter})" in text("README.md"), f"README.md does not list {chapter}"


def test_pictures_are_drawn_by_the_script(tmp_path):
    figures = load("figures")
    for path in (DOCS / "figures").glob("*.png"):
        users = [DOCS / chapter for chapter in CHAPTERS] + [ROOT / "README.md"]
        used = any(f"figures/{path.name})" in user.read_text("utf-8") for user in users)
        assert used, f"{path.name} stands nowhere"
    figures.main(tmp_path)
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    here = {path.stem for path in (DOCS / "figures").glob("*.png")}
    assert drawn == set(figures.PICTURES) == here - DRAWN_ELSEWHERE
    for name in figures.PICTURES:
        assert (DOCS / "figures" / f"{name}.png").stat().st_size < 60_000


def test_the_gradient_dies_out_as_chapter_5_says():
    """Four lines fall by the same factor in every step; that of forget bias 3 hardly falls."""
    assert "Four of the five lines are straight" in text("05-through-time.md")
    for line in load("figures").gradient_flow().axes[0].lines:
        flow = np.log(np.asarray(line.get_ydata())[::-1])  # by steps back
        early, late = flow[30] - flow[10], flow[50] - flow[30]
        if line.get_label() == "LSTM, forget bias 3":
            assert flow.min() > np.log(0.3) and flow[-1] > np.log(0.9)
        else:
            assert early < -2 and late == pytest.approx(early, rel=0.2), line.get_label()


# Citations

NAME = r"[A-Z][a-zà-ÿ]+(?:[A-Z][a-z]+)?"
CITATION = re.compile(
    rf"(?<!\w)({NAME}(?:(?:,\s+{NAME})*\s+and\s+(?:{NAME}\s+)?{NAME}|\s+et\s+al\.)?)"
    rf"(?:,?\s+in)?\s+((?:19|20)\d\d)\b(?!-)"
)
NO_NAMES = {"In", "Since", "Until", "Before", "After"}


def citations(body):
    """{(first author, year, how many authors up to 3)} of all that a text cites."""
    found = set()
    for names, year in CITATION.findall(body):
        authors = re.split(r",\s+|\s+and\s+", names)
        if authors[0] not in NO_NAMES:
            many = 3 if "et al" in " ".join(names.split()) else min(3, len(authors))
            found.add((authors[0].split()[0], year, many))
    return found


@functools.cache
def references():
    """{citation: (anchor, what the list says)} of docs/references.md."""
    heads = re.findall(r"^### (.+)$", text("references.md"), re.M)
    bodies = re.split(r"^### .+$", text("references.md"), flags=re.M)[1:]
    assert heads == sorted(heads, key=lambda head: re.sub(r"[^\w ]|\band ", "", head))
    found = {}
    for head, body in zip(heads, bodies, strict=True):
        (citation,) = citations(head)
        assert citation not in found, head
        found[citation] = anchor(head), body
    return found


def test_citations_are_read():
    assert citations("(Gers and\nSchmidhuber 2000), Cho et al. 2014; Elman 1990. In 1997") == {
        ("Gers", "2000", 2), ("Cho", "2014", 3), ("Elman", "1990", 1),
    }  # fmt: skip
    assert citations("shown by Bengio, Simard and Frasconi in 1994") == {("Bengio", "1994", 3)}


@pytest.mark.parametrize("chapter", [c for c in CHAPTERS if c not in ("references.md", "api.md")])
def test_every_citation_leads_to_the_list(chapter):
    link = re.compile(r"\[([^]]+)\]\(references\.md#([\w-]+)\)")
    body = prose(chapter)
    assert citations(link.sub("", body)) == set(), "not a link to references.md"
    for words, target in link.findall(body):
        for citation in citations(words):
            assert references()[citation][0] == target, words


def test_the_list_has_what_is_cited_and_nothing_else():
    cited = set()
    for chapter in CHAPTERS:
        if chapter != "references.md":
            cited |= citations(prose(chapter)) | {
                citation for citation, (name, _) in references().items()
                if f"(references.md#{name})" in text(chapter)
            }  # fmt: skip
    for folder in ("minirnn", "examples", "tests/helpers"):  # a chapter quotes one of the helpers
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    found = citations(ast.get_docstring(node) or "")
                    cited |= found & references().keys() if folder == "tests/helpers" else found
    assert cited == references().keys()


def test_references_have_an_address():
    without = set()
    for (author, year, _), (_, body) in references().items():
        for shown, target in re.findall(r"\[(10\.\d{4,5}/\S+)\]\((\S+)\)", body):
            assert target == f"https://doi.org/{shown}"
        if "https://" not in body:
            without.add((author, year))
    # two reports and a thesis
    assert without == {("Blelloch", "1990"), ("Hochreiter", "1991"), ("Robinson", "1987")}


def test_the_citation_file_is_of_this_version():
    lines = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if re.match(r"[\w-]+: ", line))
    assert {"cff-version", "message", "title", "version", "license"} <= fields.keys()
    assert "authors:" in lines and any(line.startswith("  - name: ") for line in lines)
    assert fields["version"] == minirnn.__version__
    bibtex = re.search(r"```bibtex\n(.*?)```", text("references.md"), re.S)[1]
    assert f"version = {{{minirnn.__version__}}}" in bibtex
    assert f"{{{fields['title'].strip(chr(34))}}}" in bibtex


# Names


@functools.cache
def modules():
    """{name without the package: module} of everything in minirnn but scripts."""
    found = {"minirnn": minirnn}
    for info in pkgutil.walk_packages(minirnn.__path__, "minirnn."):
        if info.name.rpartition(".")[2] not in ("__main__", "child"):  # what only runs as a script
            found[info.name.removeprefix("minirnn.")] = importlib.import_module(info.name)
    return found


@functools.cache
def known_words():
    """Every identifier that occurs in the project's Python files."""
    words = set()
    for folder in ("minirnn", "examples", "tests", "docs"):
        for path in (ROOT / folder).rglob("*.py"):
            words |= set(re.findall(r"[A-Za-z_]\w+", path.read_text("utf-8")))
    return words


def has(thing, name):
    if hasattr(thing, name):
        return True
    source = inspect.getsource(thing) if inspect.isclass(thing) else ""
    return re.search(rf"\bself\.{name}\b|^    {name}:", source, re.M) is not None


def missing(name):
    """Why a dotted name of the library does not exist, or None; names of others pass."""
    first, *rest = name.removeprefix("minirnn.").split(".")
    if first == "product":  # what a cell is given, not the module
        things = [modules()["product"].ProductBackward]
    else:
        things = [m for n, m in modules().items() if n.rpartition(".")[2] == first]
    if not things:
        things = [getattr(m, first) for m in modules().values() if inspect.isclass(
            getattr(m, first, None))][:1]  # fmt: skip
    for thing in things:
        for part in rest:
            if not has(thing, part):
                break
            thing = getattr(thing, part, None)
        else:
            return None
    return f"there is no {name}" if things and rest else None


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_names_exist(chapter):
    own = set(re.findall(r"[A-Za-z_]\w+", " ".join(m[0] for m in FENCED.finditer(text(chapter)))))
    others = (
        "torch nn pytest nvidia smi numpy linear_before_reset PackedSequence set_flush_denormal"
    )
    others = set(others.split())
    for span in spans(chapter):
        if re.fullmatch(r"[\w/.-]+\.(py|md|npz|png|txt|csv|json|zip|html|css|js)", span):
            folders = (ROOT / "minirnn", ROOT / "examples")
            kept = (ROOT / span).exists() or any(any(f.rglob(span)) for f in folders)
            assert kept or not span.endswith(".py") or span.startswith("my_"), f"no file {span}"
            continue
        name = re.match(r"[A-Za-z_][\w.]*\w", span)
        if name and "/" not in span and (why := missing(name[0])):
            raise AssertionError(f"{chapter}: `{span}`: {why}")
        if re.fullmatch(r"[\w.]+(\(.*\))?", span) and not span[0].isdigit():
            for word in re.findall(r"[A-Za-z_]\w{3,}", span.partition("(")[0]):
                known = word in known_words() | own | others or word.lower().startswith("my")
                assert known, f"{chapter}: `{span}`: nothing is called {word}"


def test_missing_notices_names_that_do_not_exist():
    assert missing("LSTMCell.backwards") and missing("gradcheck.check_cells")
    assert missing("minirnn.optim.Adagrad") and missing("optim.SGD.velocity")
    assert not missing("Parameter.grad") and not missing("minirnn.convert")
    assert not missing("torch.nn.LSTM") and not missing("gradcheck.zoo.ZOO")


def test_commands_and_options_exist():
    from minirnn.__main__ import COMMANDS

    everything = "\n".join(text(c) for c in CHAPTERS)
    for command in re.findall(r"python -m minirnn ([a-z]\w*)", everything):
        assert command in COMMANDS, f"python -m minirnn {command}"
    source = (ROOT / "examples" / "names.py").read_text("utf-8")
    known = set(re.findall(r"--[a-z][\w-]*", source)) | {"--help"}
    for line in re.findall(r"python examples/names\.py.*", everything):
        for option in re.findall(r"--[a-z][\w-]*", line):
            assert option in known, f"examples/names.py {option}"


def test_messages_that_are_explained_are_raised():
    """The first column of the table of chapter 13, word for word."""
    table = text("13-gpu.md").partition("## When it goes wrong")[2]
    source = "".join(path.read_text("utf-8") for path in (ROOT / "minirnn").rglob("*.py"))
    source = re.sub(r'"\n +f?"', "", source)  # strings that go on in the next line
    messages = re.findall(r"^\| `([^`]+)`", table, re.M)
    assert len(messages) == 9
    for message in messages:
        for part in message.split("..."):
            assert part in source, part


def test_every_exercise_is_named_where_it_trains_something():
    """In every section that a rung of it points to, or in one below or beside it."""
    from minirnn.exercises.catalogue import EXERCISES
    from minirnn.exercises.conventions import Conventions

    for exercise in EXERCISES:
        chapters = {"08-gradient-checking.md"}
        if exercise.number != 9:  # which has bugs of all cells
            rungs = exercise.steps(None, Conventions(), np.random.default_rng(0))
            chapters = {section.partition("#")[0][5:] for _, section, *_ in rungs}
        for chapter in chapters:
            link = f"[`{exercise.file}`](../examples/exercises/{exercise.file})"
            assert link in text(chapter), f"{chapter} does not name {exercise.file}"
            assert f"xercise {exercise.number}**" in text(chapter)


# Sections

ELEMENTS = {
    "equation": re.compile(r"^<!-- eq: ", re.M),
    "code": re.compile(r"^<!-- code: ", re.M),
    "experiment": re.compile(r"^<!-- experiment -->", re.M),
    "practice": re.compile(r"\*\*(?:Try it\.|[Ee]xercise \d+)\*\*"),
}

# What a section of the chapters does without, and why. Chapter 1 only defines letters.
WITHOUT = {
    "02-arrays-and-backends.md#views-and-writing-in-place": {
        "equation": "about who holds the memory: in an equation nothing is overwritten",
    },
    "02-arrays-and-backends.md#types-of-numbers": {
        "equation": "about how numbers are stored; what rounding does is an equation of chapter 8",
    },
    "02-arrays-and-backends.md#backends": {
        "equation": "about where arrays live: the numbers are the same",
    },
    "04-one-step.md#a-plain-step": {
        "code": "the library's two lines are an exercise, which is asked two sections on",
    },
    "07-gru.md#other-frameworks": {
        "equation": "a table of conventions; both forms have their equations in the sections above",
    },
    "08-gradient-checking.md#the-ladder": {"equation": "an order of checks, not a computation"},
    "08-gradient-checking.md#the-report": {"equation": "what is printed, not a computation"},
    "08-gradient-checking.md#what-can-be-checked": {"equation": "a list of functions"},
    "08-gradient-checking.md#the-bug-zoo": {"equation": "a list of wrong lines"},
    "08-gradient-checking.md#when-it-says-wrong": {
        "equation": "advice on reading a report",
        "code": "it is the reader's own that is wrong",
        "experiment": "the report that is read stands three sections above",
    },
    "10-data.md#letters": {"equation": "characters are looked up, not computed with"},
    "10-data.md#three-parts": {"equation": "about who may look at which names"},
    "10-data.md#honest-splits": {"equation": "a rule on which names belong together"},
    "11-training.md#a-step-by-hand": {
        "equation": "puts the equations of the chapters 3 to 9 together, and adds none",
        "code": "the experiment is the code; the same lines of the library follow one section on",
    },
    "11-training.md#the-trainer": {"equation": "a loop around the step by hand"},
    "11-training.md#the-example": {"equation": "a command"},
    "11-training.md#weights-on-disk": {"equation": "numbers are written and read, not computed"},
    "12-reading-the-plots.md#the-gates": {
        "equation": "draws the values whose equations are in the chapters 6 and 7",
    },
    "13-gpu.md#switching": {"equation": "about where arrays live: the numbers are the same"},
    "13-gpu.md#what-happens-underneath": {"equation": "about when the host waits"},
    "13-gpu.md#the-same-on-both": {"equation": "about the order of one and the same sum"},
    "13-gpu.md#what-is-proven-without-a-card": {"equation": "about what is forbidden on a card"},
    "13-gpu.md#recipe-for-a-hosted-notebook": {
        "equation": "commands for another machine",
        "code": "commands for another machine",
        "experiment": "needs a card, which the tests have not",
        "practice": "is practice from the first line to the last",
    },
    "13-gpu.md#when-it-goes-wrong": {"equation": "a table of messages"},
    "14-your-own-data.md#names-of-your-own": {"equation": "about files"},
    "14-your-own-data.md#labelled-sequences": {"equation": "about a form of data"},
    "14-your-own-data.md#measurements-instead-of-letters": {
        "equation": "the net's is that of NameClassifier, in chapter 11",
    },
    "14-your-own-data.md#is-your-net-right": {"equation": "the check's are in chapter 8"},
    "15-text.md#a-net-that-writes-plays": {"equation": "a command"},
    "14-your-own-data.md#before-you-believe-a-result": {
        "equation": "a list of questions to oneself; their numbers are in the chapters 10 and 12",
        "code": "it is about the reader's own data",
    },
    "17-more-than-one-machine.md#the-same-step-on-every-rank": {
        "equation": "about which rank takes which rows: the numbers are those of one process",
    },
    "17-more-than-one-machine.md#many-runs-at-once": {
        "equation": "about runs that have nothing to exchange",
    },
    "18-after-the-lstm.md#what-was-measured": {
        "equation": "a table of results",
        "code": "the commands that made the table",
        "experiment": "takes minutes; the table is held to the stored results by a test",
    },
}


def sections():
    """{chapter#anchor: text} of the sections of the chapters from 2 on."""
    found = {}
    for chapter in CHAPTERS:
        if re.match(r"0[2-9]|1\d", chapter):
            names = re.findall(r"^## (.+)$", FENCED.sub("", text(chapter)), re.M)
            bodies = re.split(r"^## .+$", text(chapter), flags=re.M)[1:]
            for name, body in zip(names, bodies, strict=True):
                found[f"{chapter}#{anchor(name)}"] = body
    return found


def lacking(body):
    return {element for element, pattern in ELEMENTS.items() if not pattern.search(body)}


@pytest.mark.parametrize("section", list(sections()))
def test_section_has_equation_code_experiment_and_practice(section):
    """All four, but for what `WITHOUT` gives a reason for; and that is really left out."""
    assert lacking(sections()[section]) == set(WITHOUT.get(section, {})), section


FOLDED = re.compile(r"^<details>\n<summary>([^<]+)</summary>\n\n(.*?)^</details>$", re.M | re.S)


def test_what_is_folded_is_an_answer_a_solution_or_library_code():
    """So that GitHub and the site both fold it; never an equation or a task."""
    count = 0
    for chapter in CHAPTERS:
        body = text(chapter)
        folds = FOLDED.findall(body)
        assert body.count("<details>") == body.count("</details>") == len(folds), chapter
        for summary, inside in folds if re.match(r"\d\d-", chapter) else ():
            tasks = "<!-- eq:|\\*\\*(Try|Exer)|^#"
            assert not re.search(tasks, FENCED.sub("", inside), re.M), chapter
            if summary != "Answer":
                assert re.match("Solution of exercise|.*code .may be skipped at first", summary)
                assert "<!-- code:" in inside and "<!-- experiment" not in inside, chapter
                count += 1
    assert count >= 18


SOLVED = re.compile(  # what an exercise leaves blank, in `<!-- code: file name`
    r"<!-- code: minirnn/(?:functions\.py (?:d_)?(?:sigmoid|tanh)|functions\.py log_softmax"
    r"|layers\.py Linear\.\w+|losses\.py CrossEntropy\.(?:for|back)ward"
    r"|cells\.py (?:RNN|LSTM|GRU)Cell\.\w+|product\.py ProductBackward\.add_weight_gradient"
    r"|recurrent\.py Recurrent\.(?:forward|backward|_project|_add_gradients)"
    r"|optim\.py (?:SGD\.update|clip_grad_norm))(?=[ ])"
)


def shown_before_asked(bodies):
    """The quotations in a course of chapters that answer an exercise, and stand open before the
    answer has been folded behind it."""
    asked, solved, wrong = set(), set(), []
    fold = re.compile(
        r"\*\*[Ee]xercise (?P<asked>\d+)\*\*|<summary>Solution of exercise (?P<number>\d+)"
        rf"|(?P<end></details>)|(?P<quote>{SOLVED.pattern})"
    )
    for body in bodies:
        inside = None
        for part in fold.finditer(body):
            if part["asked"]:
                asked.add(part["asked"])
            elif part["number"]:
                inside = part["number"] if part["number"] in asked else None
            elif part["end"]:
                inside = None
            elif inside:
                solved.add(part["quote"])
            elif part["quote"] not in solved:
                wrong.append(part["quote"])
    return wrong, solved


def test_solutions_are_folded_behind_their_exercises():
    wrong, solved = shown_before_asked(text(c) for c in CHAPTERS if re.match(r"\d\d-", c))
    assert wrong == [] and len(solved) >= 18
    quote, asked = "<!-- code: minirnn/cells.py LSTMCell.forward -->", "**Exercise 5** is this.\n"
    folded = f"<summary>Solution of exercise 5</summary>\n{quote}\n</details>\n"
    assert shown_before_asked([asked + folded + quote])[0] == []
    orders = quote + asked + folded, folded + asked, asked + quote, asked + "</details>" + quote
    for early in orders:
        assert len(shown_before_asked([early])[0]) == 1, early


ANSWERED = [chapter for chapter in CHAPTERS if "**Try it.**" in text(chapter)]


def unanswered(body):
    """The first words of every question that has no answer folded behind it, in its section."""
    questions = re.split(r"^\*\*Try it\.\*\*", body, flags=re.M)[1:]
    parts = [re.split(r"^## ", question, flags=re.M)[0] for question in questions]
    return [part[:40] for part in parts if [s for s, _ in FOLDED.findall(part)][:1] != ["Answer"]]


@pytest.mark.parametrize("chapter", ANSWERED)
def test_every_question_has_its_answer_behind_it(chapter):
    assert unanswered(text(chapter)) == [] and len(ANSWERED) >= 20
    assert text(chapter).count("**Try it.**") == text(chapter).count("<summary>Answer</summary>")


def test_a_question_without_an_answer_is_noticed():
    answer = "<details>\n<summary>Answer</summary>\n\n4.\n\n</details>\n\n"
    asked = "**Try it.** What is 2 + 2?\n\n"
    assert unanswered(asked + answer + asked + answer) == []
    assert len(unanswered(asked + asked + answer)) == 1
    assert len(unanswered(asked + "## Next\n\n" + answer)) == 1
    assert len(unanswered(asked + answer.replace("Answer", "The code"))) == 1


def test_what_may_be_skipped_is_marked_and_told():
    marked = [c for c in CHAPTERS if re.search(r"^\*May be skipped at first\.\*$", text(c), re.M)]
    assert len(marked) >= 5
    for chapter in ("README.md", "00-a-beginning.md"):
        assert "*may be skipped at first*" in " ".join(text(chapter).split())


def test_exceptions_are_sections_with_reasons():
    assert set(WITHOUT) <= set(sections())
    assert all(len(reason) > 5 for reasons in WITHOUT.values() for reason in reasons.values())
    assert len(sections()) > 70 and sum(map(len, WITHOUT.values())) < len(sections()) / 2


def test_lacking_elements_are_noticed():
    whole = "<!-- eq: a -->\n<!-- code: b -->\n<!-- experiment -->\n**Exercise 3** is this.\n"
    assert lacking(whole) == set()
    assert lacking("nothing") == set(ELEMENTS)
    assert lacking(whole.replace("**Exercise 3**", "exercise 3")) == {"practice"}
    assert lacking(whole.replace("eq:", "eq")) == {"equation"}


def test_every_section_has_an_anchor_of_its_own():
    """One that stays: GitHub and the site number a heading that stands twice in a chapter."""
    for chapter in CHAPTERS:
        if chapter != "api.md":
            found = anchors(chapter)
            assert len(found) == len({re.sub(r"-\d{1,2}$", "", a) for a in found}), chapter


def test_every_exercise_stands_in_the_sections_that_it_sends_to():
    from minirnn.exercises.catalogue import EXERCISES
    from minirnn.exercises.conventions import Conventions

    for exercise in EXERCISES:
        if exercise.number not in (9, 10):  # which are about all cells, and about the reader's own
            rungs = exercise.steps(None, Conventions(), np.random.default_rng(0))
            for section in {section.removeprefix("docs/") for _, section, *_ in rungs}:
                place = rf"\*\*[Ee]xercise {exercise.number}\*\*"
                assert re.search(place, sections()[section]), f"{section}: {exercise.number}"


# Files


def rows():
    """[(chapter, the files beside it)] of the table of contents."""
    row = re.compile(r"^\|[ \d]*\| \[[^]]+\]\(([\w.-]+)\).*\| ([^|]+) \|$", re.M)
    return [(c, re.findall(r"`([\w/.]+)`", files)) for c, files in row.findall(text("README.md"))]


def test_every_file_has_a_chapter():
    """The table of contents names every file of the package; each chapter begins with its own."""
    listed = {file for _, files in rows() for file in files}
    files = {path.name for path in (ROOT / "minirnn").glob("*.py")}
    folders = {f"{path.parent.name}/" for path in (ROOT / "minirnn").glob("*/__init__.py")}
    assert listed == files | folders
    for chapter, files in rows():
        for file in files if re.match(r"\d\d-", chapter) else ():
            head = text(chapter).partition("\n## ")[0]
            assert f"`minirnn/{file}`" in head, f"{chapter} does not name {file}"


@pytest.mark.parametrize(
    "folder, chapter",
    [
        ("gradcheck", "08-gradient-checking.md"),
        ("exercises", "teaching.md"),
        ("stepper", "stepper.md"),
    ],
)
def test_every_file_of_a_folder_is_named_in_its_chapter(folder, chapter):
    for path in (ROOT / "minirnn" / folder).glob("[!_]*"):
        if path.is_file():
            assert f"`{path.name}`" in text(chapter), f"{chapter} does not name {path.name}"


# Docstrings

# Part of a contract that is told once, in the docstrings of `cells` and `layers`, and in api.md.
CONTRACT = {"forward", "backward"}


def public_names():
    """(dotted name, function or class, the class it is in) of everything that is public."""
    for module_name, module in api.modules().items():
        for name, thing in api.public(module).items():
            yield f"{module_name}.{name}", thing, None
            if inspect.isclass(thing):
                for method, function in api.methods(thing).items():
                    yield f"{module_name}.{name}.{method}", function, thing


def inherited(function, cls):
    """Whether a method that it overrides has a docstring."""
    return any(api.own_docstring(vars(c).get(function.__name__, None)) for c in cls.__mro__[1:-1])


def test_every_public_name_has_a_docstring():
    for name, module in api.modules().items():
        assert module.__doc__, name
    without = [
        name
        for name, thing, cls in public_names()
        if not api.own_docstring(thing)
        and not (cls and (thing.__name__ in CONTRACT or inherited(thing, cls)))
    ]
    assert without == []


def raised(function):
    """The exceptions that a function itself raises by name."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        return set()
    calls = [n.exc for n in ast.walk(tree) if isinstance(n, ast.Raise)]
    calls = [c.func for c in calls if isinstance(c, ast.Call)]
    return {f.id for f in calls if isinstance(f, ast.Name)}


def test_docstrings_name_the_errors_that_are_raised():
    """In the docstring of the function, or of its class."""
    for name, thing, cls in public_names():
        if inspect.isclass(thing):
            thing, cls = vars(thing).get("__init__"), thing
        text = f"{getattr(thing, '__doc__', '')} {cls.__doc__ if cls else ''}"
        missing = [error for error in raised(thing) if error not in text]
        assert not missing, f"{name} does not say: raises {missing}"


# The mathematics: what takes or gives arrays says their shapes, and who wrote the equation.
MATHEMATICS = """baselines cells cuda.kernels cuda.products cuda.recurrent evaluation functions
    gradcheck.oracles layers losses models optim packing parameters product recurrent reports.adding
    reports.nets stacked""".split()
ARRAYS = set(
    """x y dy a v da gx state dstate doutput dfinal logits dlogits labels target ids rows sizes
    sequence dloss Wh_T""".split()
)
FOR_ALL = ("cells", "functions", "cuda.kernels", "optim")  # told once, at the top of the file
SOURCED = """cells.RNNCell cells.LSTMCell cells.GRUCell cells.GRUBeforeCell layers.Dropout
    losses.CrossEntropy optim.Adam optim.AdamW optim.clip_grad_norm optim.cosine
    parameters.glorot_uniform parameters.orthogonal recurrent.Recurrent
    gradcheck.oracles.complex_step""".split()


def arrays_of(thing):
    """The arguments of a function, or of all that a class does, that are arrays."""
    functions = [thing]
    if inspect.isclass(thing):
        functions = [vars(thing).get(name) for name in ("forward", "backward", "__call__")]
    return {a for f in functions if f for a in inspect.signature(f).parameters} & ARRAYS


def test_docstrings_tell_shapes_and_sources():
    found = {name.removeprefix("minirnn."): thing.__doc__ for name, thing, _ in public_names()}
    shaped = 0
    for name, thing, cls in public_names():
        short = name.removeprefix("minirnn.")
        file = next((m for m in MATHEMATICS if short.startswith(f"{m}.")), None)
        if file is None or not arrays_of(thing):
            continue
        docs = [thing.__doc__, cls and cls.__doc__]
        if file in FOR_ALL:
            docs.append(api.modules()[f"minirnn.{file}"].__doc__)
        told = " ".join(filter(None, docs))
        assert re.search(r"\[[^\]]+\]|\b[Ss]hapes?\b", told), f"{name} does not tell its shapes"
        shaped += 1
    assert shaped > 80
    for name in SOURCED:
        assert re.search(r"\b(19|20)\d\d\b", found[name]), f"{name} does not tell its source"


def test_numbers_of_a_gpu_are_those_of_the_run():
    results = json.loads(fill_gpu.RESULTS.read_text("utf-8"))
    parts = set()
    for page in fill_gpu.PAGES:
        body = page.read_text("utf-8")
        assert fill_gpu.filled(body, results) == body, "run: python docs/fill_gpu.py"
        parts |= {mark[1] for mark in fill_gpu.MARK.findall(body)}
    assert parts == fill_gpu.PARTS.keys()


def test_the_list_of_names_is_up_to_date():
    assert text("api.md") == api.page(), "run: python docs/api.py"


# Style


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_plain_text(chapter):
    body = text(chapter)
    assert body.isascii() or not re.search(r"[\U0001f000-\U0001ffff\u2600-\u27bf]", body)
    assert not re.search(r"/(home|root|tmp|Users)/", body)
    assert not re.search(r"(?i)\b(powerful|seamless|blazing|cutting-edge|state-of-the-art)", body)
    ours = (
        re.sub(r"\*[^*]+\*", "", prose(chapter)) if chapter == "references.md" else prose(chapter)
    )
    assert not re.search(r"(?i)\b(initiali[z]e|neighbo[r]\b|behavio[r]\b|normali[z]ed)", ours)
    for number, line in enumerate(body.splitlines(), 1):
        allowed = line.startswith(("|", "<!--", "$$", "!["))
        assert allowed or len(line) <= 102, f"{chapter}, line {number} is {len(line)} long"


SAYS_IN_PLACE_OF = re.compile(r"\bin[\s\"']+place\s+of\b", re.I)
HARD_TO_LOOK_UP = re.compile(r"\b(anew|mend(s|ed|ing)?|to\s+and\s+fro)\b", re.I)


def test_instead_of():
    """Plain English says `instead of`, in the documents, in the code and in what it prints,
    and no word whose sense a learner of English does not find in a dictionary."""
    files = [*ROOT.glob("*.md"), *(p for d in ("docs", "minirnn", "examples")
                                   for p in (ROOT / d).rglob("*.*"))]  # fmt: skip
    files = [path for path in files if path.suffix in (".md", ".py", ".js", ".html")]
    for pattern in (SAYS_IN_PLACE_OF, HARD_TO_LOOK_UP):
        found = [path.name for path in files if pattern.search(path.read_text("utf-8"))]
        assert len(files) > 100 and found == []
    assert HARD_TO_LOOK_UP.search("was mended") and not HARD_TO_LOOK_UP.search("recommend, amended")
    assert SAYS_IN_PLACE_OF.search('"x in "\n    "place of y"')
