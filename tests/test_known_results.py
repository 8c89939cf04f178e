"""`examples/known_results.py`, its data, and the page that is filled in from its results."""

import copy
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from minirnn.reports import mnist1d

ROOT = Path(__file__).resolve().parent.parent


def load(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


known, fill = load("examples/known_results.py"), load("docs/fill_known.py")


def test_mnist1d_is_drawn_as_described():
    x, labels = mnist1d.dataset(np.random.default_rng(0), 200)
    assert x.shape == (40, 200, 1) and x.dtype == "float32"
    assert abs(x.mean()) < 1e-5 and abs(x.std() - 1) < 1e-5
    assert np.bincount(labels).tolist() == [20] * 10
    again, same = mnist1d.dataset(np.random.default_rng(0), 200)
    assert np.array_equal(x, again) and np.array_equal(labels, same)
    other, _ = mnist1d.dataset(np.random.default_rng(1), 200)
    assert not np.array_equal(x, other)


def test_smooth_is_a_gaussian_filter():
    noise = np.random.default_rng(0).standard_normal(72)
    impulse = np.zeros(41)
    impulse[20] = 1
    window = mnist1d.smooth(impulse)
    assert np.allclose(window[20 + 2] / window[20], np.exp(-0.5), rtol=1e-12)
    assert np.isclose(mnist1d.smooth(np.ones(72)), 1).all()
    assert mnist1d.smooth(noise).std() < 0.6 * noise.std()


def test_parity_of_bits():
    x, even = known.bits(np.random.default_rng(0), 7, 50)
    assert [sum(column) % 2 for column in x.T.tolist()] == even.tolist()


@pytest.mark.parametrize("problem, net", [("mnist1d", 2), ("parity", "minGRU")])
def test_a_stopped_run_ends_as_one_that_was_not(tmp_path, problem, net):
    runs = []
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
        runs.append(known.Run(problem, net, 0, 6, str(tmp_path / folder)))
    whole, parts = runs
    count = iter(range(100))
    assert known.work(parts, lambda n: None, lambda: next(count) >= 3) is None and parts.begun()
    errors = [known.work(run, lambda n: None, lambda: False)["error"] for run in runs]
    assert errors[0] == errors[1]
    whole, parts = (np.load(run.path("npz")) for run in (whole, parts))
    for name in whole.files:
        assert np.array_equal(whole[name], parts[name]), name


def test_the_page_is_filled_in_from_the_results():
    for page in fill.PAGES:
        text = page.read_text("utf-8")
        assert fill.filled(text) == text, "run: python docs/fill_known.py"
        assert "<!-- known: " in text


def results():
    return json.loads((fill.RESULTS / "known.json").read_text("utf-8"))


def test_results_that_do_not_fit_are_refused():
    runs = results()
    fill.tables(runs)
    with pytest.raises(fill.ResultsError, match="LSTM has 0 runs with seed 1, but must have one"):
        fill.tables(
            [r for r in runs if (r["problem"], r["net"], r["seed"]) != ("parity", "LSTM", 1)]
        )
    twice = [*runs, next(r for r in runs if r["problem"] == "adding")]
    with pytest.raises(fill.ResultsError, match="RNN has 2 runs with seed 0"):
        fill.tables(twice)
    other = copy.deepcopy(runs)
    other[0]["iterations"] = 5
    with pytest.raises(fill.ResultsError, match=r"6 has runs with iterations = \[5, 9000\]"):
        fill.tables(other)


def test_nothing_is_filled_in_from_half_a_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "results.json").write_text(json.dumps(results()[1:]))
    monkeypatch.setattr("sys.argv", ["fill_known.py", "--take", str(tmp_path)])
    before = (fill.RESULTS / "known.json").read_bytes()
    with pytest.raises(SystemExit, match="6 has 0 runs with seed 0.*; nothing was filled in"):
        fill.main()
    assert (fill.RESULTS / "known.json").read_bytes() == before


def test_the_script_is_short():
    assert len((ROOT / "examples" / "known_results.py").read_text("utf-8").splitlines()) <= 150
