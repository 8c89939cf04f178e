"""The series script: the equation, least squares, running free, and what it writes."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from minirnn import cli
from minirnn.models import StepModel

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("series", ROOT / "examples" / "series.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_series_keeps_its_equation(script):
    series = script.mackey_glass(300)
    known = series[:240]
    assert series.shape == (300,) and abs(known.mean()) < 1e-12
    assert known.std() == pytest.approx(1)
    x = {k: 1.2 for k in range(-script.DELAY * script.FINE, 1)}
    for k in range(8000):
        late = x[k - script.DELAY * script.FINE]
        x[k + 1] = x[k] + (0.2 * late / (1 + late**10) - 0.1 * x[k]) / script.FINE
    raw = np.array([x[k] for k in range(8000 - 2990 - 9, 8001, script.FINE)])[:300]
    np.testing.assert_allclose(series, (raw - raw[:240].mean()) / raw[:240].std(), atol=1e-9)


def test_least_squares_finds_a_linear_rule(script):
    x = list(np.random.default_rng(0).standard_normal(script.ORDER))
    for _ in range(300):
        x.append(0.9 * x[-1] - 0.5 * x[-2] + 0.3 + 0.1 * x[-7])
    w = script.autoregression(np.array(x), 200)
    said = np.array(x[200 - script.ORDER : 200]) @ w[:-1] + w[-1]
    assert said == pytest.approx(x[200], abs=1e-6)


def test_running_free_is_reading_what_was_said(script):
    net = StepModel(1, 1, rng=np.random.default_rng(0), cell="lstm", hidden_size=4)
    series = np.sin(np.arange(30) / 3)
    said = script.run_free(net, series)
    assert len(said) == script.FREE
    from minirnn import Sequences, predict

    whole = np.concatenate([series, said[:-1]])
    one = Sequences([whole[:, None]], targets=[whole])
    expected = predict(net, one, [0])[0][len(series) - 1 :, 0]
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-5)


def test_the_script(script, monkeypatch, tmp_path, capsys):
    out = tmp_path / "out"
    options = f"--model gru --seeds 2 --epochs 2 --hidden-size 4 --output {out}".split()
    monkeypatch.setattr(sys, "argv", ["series.py", *options])
    assert cli.main(script.run) == 0
    said = capsys.readouterr().out
    for words in ("GRU, seed 1", "one step ahead", "free, 100 steps", "linear, of 20 values", "±"):
        assert words in said
    rows = json.loads((out / "summary.json").read_text())["rows"]
    assert len(rows["GRU"]) == 2 and rows["GRU"][0] != rows["GRU"][1]
    assert rows["linear, of 20 values"][0][0] < rows["the last value once more"][0][0]
    assert imread(out / "free.png").ndim == 3
