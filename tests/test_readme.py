"""What the README shows runs, and its pictures and links are there."""

import ast
import importlib.util
import inspect
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from minirnn.cells import LSTMCell
from minirnn.exercises.catalogue import EXERCISES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOME = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def load(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_code_runs_and_learns(capsys):
    blocks = re.findall(r"(?<!experiment -->\n\n)```python\n(.*?)```", README, re.S)
    assert len(blocks) == 2
    first = {}
    exec(blocks[0], first)
    assert first["output"].shape == (7, 3, 256) and first["dx"].shape == (7, 3, 57)
    exec(blocks[1], {})
    assert float(capsys.readouterr().out) > 0.9
    assert len(blocks[1].strip().splitlines()) <= 15


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_and_pictures_are_there(target):
    assert (ROOT / target).exists()


def test_two_commands_each_on_one_line():
    commands = re.findall(r"^    python3 -m venv .*$", README, re.M)
    assert [c.rsplit(" ", 1)[1] for c in commands] == ["examples/names.py", "pytest"]


@pytest.mark.parametrize("file", re.findall(r"`([\w/]+/\w+\.py)`", README))
def test_files_that_are_named_exist(file):
    assert (ROOT / file).exists()


def test_every_chapter_is_linked():
    """And every other page of docs/ too."""
    for path in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{path.name})" in README, path.name


def test_the_report_is_what_the_check_prints():
    sync = load("sync")
    (page,) = [match["output"] for match in sync.EXPERIMENT.finditer(README)]
    assert sync.outputs(README, "README.md") == [page], "run: python docs/sync.py --run README.md"
    assert "overwritten" in page and "#" in page


def test_the_first_screen_says_what_is_true():
    """The numbers of blocks and of equations, of lines, of exercises; the speed."""
    sync, equations = load("sync"), load("equations")
    pages = [README, *(path.read_text("utf-8") for path in sync.chapters())]
    run = sum(len(sync.EXPERIMENT.findall(text)) for text in pages)
    computed = sum(len(texts) for texts in equations.TEXTS.values())
    flat = " ".join(README.split())
    for pattern, number in [(r"more than (\d+) blocks", run), (r"than (\d+) equations", computed)]:
        (said,) = re.findall(pattern, flat)
        assert int(said) < number < int(said) + 100, (pattern, number)
    (lines,) = re.findall(r"write names, in (\d+) lines", flat)
    assert len((ROOT / "examples" / "microlstm.py").read_text("utf-8").splitlines()) == int(lines)
    backward = inspect.getsource(LSTMCell.backward).splitlines()[1:]
    assert "pass is ten lines" in flat
    assert sum(not line.strip().startswith("#") for line in backward) == 10
    assert len(EXERCISES) == 10 and "Ten exercises" in flat
    results = json.loads((ROOT / "docs" / "results" / "cpu.json").read_text("utf-8"))
    ratios = [
        case["ratios"]["train"]["torch"][1] for case in results["cases"]
        if case["group"] == "names" and case["threads"] == 1
    ]  # fmt: skip
    fast = f"half the time of `torch.nn` ({min(ratios):.1f} to {max(ratios):.1f} times as fast"
    performance = " ".join((ROOT / "docs" / "performance.md").read_text("utf-8").split())
    assert fast in flat and fast in performance


@pytest.mark.parametrize("page", [README, HOME], ids=["README", "home"])
def test_alone_leads_through_every_exercise_in_turn(page):
    alone = page.partition("## Alone? Start here")[2].partition("\n## ")[0]
    for system in ("source .venv/bin/activate", r".venv\Scripts\Activate.ps1", "activate.bat"):
        assert system in page
    assert "python -m minirnn exercises start my-work" in alone
    rows = re.findall(r"^\| .+ \| (?:exercises? )([\d and]+) \|$", alone, re.M)
    assert [int(k) for row in rows for k in re.findall(r"\d+", row)] == list(range(1, 11))


def test_what_each_row_of_exercises_reads_is_what_the_exercise_sends_to():
    import numpy as np

    from minirnn.exercises.conventions import Conventions

    alone = HOME.partition("## Alone? Start here")[2].partition("\n## ")[0]
    read = ""
    for row in re.findall(r"^\| (.+) \|$", alone, re.M):
        before, _, then = row.rpartition(" | ")
        read += before
        for number in map(int, re.findall(r"\d+", then) if "exercise" in then else ()):
            exercise = EXERCISES[number - 1]
            for _, section, *_ in exercise.steps(None, Conventions(), np.random.default_rng(0)):
                chapter = section.removeprefix("docs/").partition("#")[0]
                assert f"({chapter}" in read, f"exercise {number} sends to {chapter}"


def test_the_film_is_small_and_goes_there_and_back():
    path = ROOT / "docs" / "figures" / "stepper.gif"
    assert path.stat().st_size < 600_000
    with Image.open(path) as film:
        assert film.n_frames == 2 * len("Kowalski") + 1 and film.width <= 900
    shown = ast.parse((ROOT / "docs" / "animation.py").read_text("utf-8"))
    assert "stepper.gif" in ast.unparse(shown) and "(docs/figures/stepper.gif)" in README
