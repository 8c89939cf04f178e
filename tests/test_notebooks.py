"""The notebooks run from top to bottom, and show their figures; what a cell ends with is short."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from minirnn import plotting
from minirnn.batches import Sequences
from minirnn.data import load_names
from minirnn.losses import CrossEntropy
from minirnn.measures import Evaluation, History, Regression
from minirnn.models import NameClassifier
from minirnn.optim import Adam
from minirnn.training import Trainer

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def trainer(epochs=2, **options):
    rng = np.random.default_rng(0)
    net = NameClassifier(2, 2, hidden_size=4, rng=rng)
    sequences = Sequences([[0, 1], [1, 0, 1], [0], [1]] * 8, labels=[0, 1, 0, 1] * 8)
    return Trainer(net, CrossEntropy(), Adam(net.parameters(), lr=0.05), sequences, np.arange(24),
                   np.arange(24, 32), rng=rng, epochs=epochs, batch_size=8, **options)  # fmt: skip


# What a cell shows


def test_what_a_cell_ends_with_is_one_short_line():
    names, done = load_names(), trainer()
    done.fit()
    shown = {
        repr(thing): thing
        for thing in (names, done, done.history, done.sequences, done.sequences.batch([0, 1]),
                      trainer(), History(), done.evaluate(), Evaluation.of([0, 1], [0, 0], 2),
                      Evaluation(np.nan, np.zeros((2, 2))),
                      Regression.of(np.ones((2, 1)), np.zeros((2, 1))))
    }  # fmt: skip
    for text, thing in shown.items():
        assert text.startswith(f"{type(thing).__name__}(") and text.endswith(")"), text
        assert len(text) <= 150 and not re.search(r"nan|\n|0x", text), text
    assert repr(names) == "Names(20,071 names of 18 languages, embedded)"
    assert repr(done.sequences.batch([0, 1])) == "Batch(2 sequences, 5 rows, 3 steps)"
    assert repr(Evaluation.of([0, 1], [0, 0], 2)) == (
        "Evaluation(2 targets, accuracy=0.5, balanced_accuracy=0.5)"
    )
    assert repr(done).startswith("Trainer(epoch 2 of 2, step 6; History(2 epochs, best balanced_")


def test_a_name_has_its_language():
    names = load_names()
    assert names[0] == (names.names[0], "Arabic")
    assert names[-1] == (names.names[-1], names.languages[-1])
    assert sum(1 for _ in names) == len(names)


@pytest.mark.parametrize("magic", ["", "%matplotlib inline\n"])
def test_figures_are_shown_once(magic):
    """As a notebook asks for them; pyplot's own way comes first where it is switched on."""
    figure = plotting.plot_curves({"": {"a": ([0, 1], [0, 1])}}, "x", "y")
    assert figure._repr_png_().startswith(b"\x89PNG")
    shell = pytest.importorskip("IPython.core.interactiveshell", reason="pip install ipykernel")
    formatter = shell.InteractiveShell().display_formatter
    if magic:
        tools = pytest.importorskip("IPython.core.pylabtools")
        tools.select_figure_formats(formatter.parent, {"png"})
    data, _ = formatter.format(figure)
    assert set(data) == {"text/plain", "image/png"}


def test_a_bar_is_shown_when_asked_for(capsys):
    done = trainer()
    done.fit(progress=True)
    shown = capsys.readouterr().out.split("\r")[-1]
    assert "100%" in shown and "6/6" in shown and "epoch=2/2" in shown and "sequences/s" in shown
    done.fit(progress=True)  # nothing is left to do, and the bar says so
    assert "6/6" in capsys.readouterr().out
    trainer().fit()
    assert capsys.readouterr().out == ""


# The notebooks


def cells(path, kind):
    found = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_clean_and_linked(path):
    assert f"notebooks/{path.name}" in (ROOT / "docs" / "README.md").read_text("utf-8")
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    everything = "\n".join(cells(path, "markdown") + cells(path, "code"))
    assert all(len(line) <= 102 for line in everything.splitlines())
    assert "%matplotlib" not in everything


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    reason = 'the notebooks need a kernel: pip install -e ".[notebook]"'
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    import nbformat

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for place in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(place, str(tmp_path / place.lower()))
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    client = nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": tmp_path}})
    client.execute()
    outputs = [cell.outputs for cell in book.cells if cell.cell_type == "code"]
    flat = [output for several in outputs for output in several]
    kinds = [kind for output in flat for kind in output.get("data", ())]
    said = "".join(str(output.get("text", output.get("data", ""))) for output in flat)
    assert kinds.count("image/png") == 3 and "100%" in said
    for part in ("Names(", "derivative of tanh is left out", "RightCell: right", "<iframe srcdoc="):
        assert part in said, part
    for several in outputs:
        for output in several:
            text = output.get("text", "").rpartition("\r")[2]
            text += output.get("data", {}).get("text/plain", "")
            assert len(text) < 2000 and not re.search(r"\bnan\b", text), text
