"""The real CuPy on a pretended card (`emulated_card/`): all that is marked gpu, without a GPU.

Slow, and skipped with the reason where the card cannot be built:

    pip install cupy-cuda13x && pytest -m slow tests/test_emulated_card.py
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from emulated_card import card

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow
MOST_ORDERS = 5  # of a step, each way, with all that a net sends besides


@pytest.fixture(autouse=True)
def there_is_a_card():
    if reason := card.missing():
        pytest.skip(reason)


def python(*arguments, **options):
    """Run Python in the project's folder, with the card's package and the library at hand."""
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    environment = os.environ | {"PYTHONPATH": path, "MPLBACKEND": "Agg"}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def printed(*arguments):
    """What a run prints that must succeed."""
    process = python(*arguments)
    out, err = process.communicate()
    assert process.returncode == 0, out[-3000:] + err[-3000:]
    return out


def test_all_that_is_marked_gpu_passes():
    out = printed("-m", "pytest", "-q", "-p", "emulated_card.plugin", "-m", "gpu",
                  "-p", "no:cacheprovider", "tests")  # fmt: skip
    last = out.strip().splitlines()[-1]
    assert "skipped" not in last and int(last.split()[0]) > 500, last


def test_orders_of_a_step():
    """What a step of training sends to the card, counted: a slip back shows as a larger number."""
    rows = json.loads(printed("tests/emulated_card/count.py", "--json"))
    for row in rows:
        for what in {"forward", "train"} & row.keys():
            assert row[what]["to_host"] == row[what]["synchronisations"] == 0, row["case"]
            assert row[what]["mallocs"] == 0, row["case"]  # CuPy's pool serves every array
        if row["steps"]:
            forward, train = (row[what]["orders"] for what in ("forward", "train"))
            assert forward <= MOST_ORDERS * row["steps"], row["case"]
            assert train - forward <= MOST_ORDERS * row["steps"], row["case"]
        if "dense" in row["case"]:  # two each way, and little besides
            assert row["train"]["orders"] <= 4.3 * row["steps"], row["case"]
    orders = {row["case"]: row["train"]["orders"] for row in rows}
    assert orders["names.py, batch 128"] <= 260


def test_the_stand_in_takes_nothing_that_cupy_refuses():
    assert " 0 places" in printed("tests/tools/compare_strict.py")


NAMES = "--hidden-size 12 --embedding 6 --seed 3 --epochs 2".split()


def test_names_script_stopped_and_taken_up_again(tmp_path):
    """The same bits as a run that was not stopped, and NumPy's guesses."""
    script = ["-m", "emulated_card", "examples/names.py", "--backend", "cupy", *NAMES]
    whole, parts, cpu = (tmp_path / name for name in ("whole", "parts", "cpu"))
    printed(*script, "--output", whole)
    process = python(*script, "--output", parts, start_new_session=True)
    while not (parts / "checkpoint.npz").exists():
        assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130 and "go on with --resume" in err
    printed(*script, "--output", parts, "--resume")
    with np.load(whole / "model.npz") as a, np.load(parts / "model.npz") as b:
        for name in a.files:
            assert a[name].tobytes() == b[name].tobytes(), name
    printed("examples/names.py", *NAMES, "--output", cpu)
    summaries = [json.loads((f / "summary.json").read_text()) for f in (whole, cpu)]
    for key in ("loss_first", "loss_last", "test_accuracy"):
        assert abs(summaries[0][key] - summaries[1][key]) < 2e-3, key
    guesses = [
        printed(*start, "--output", folder, "--predict", "Kowalski", "Nguyen").split(",")[0]
        for start, folder in [(script[:5], whole), (["examples/names.py"], whole)]
    ]
    assert guesses[0] == guesses[1]


def test_dry_run_of_all_that_a_gpu_is_asked(tmp_path):
    printed("tests/tools/gpu.py", "--backend", "emulated", "--output", tmp_path)
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert len(results["parts"]) == 8
    assert {part["outcome"] for part in results["parts"].values()} == {"done"}
    checks = results["parts"]["correct"]["checks"]
    assert len(checks) > 50 and all(check["right"] for check in checks)
    assert f"{len(checks)} checks, 0 wrong" in (tmp_path / "gpu.md").read_text()


# The card itself

FRESH = "import cupy; a = cupy.empty(5); assert cupy.isnan(a).all(); "
BEYOND = (
    "import cupy; a = cupy.zeros(5); "
    "k = cupy.RawKernel('extern \"C\" __global__ void k(double* a) { a[threadIdx.x] = 1; }', 'k'); "
    "k((1,), (%d,), (a,)); del a"
)


@pytest.mark.parametrize(
    "code, ends_well", [(FRESH, True), (BEYOND % 5, True), (BEYOND % 6, False)]
)
def test_what_is_not_written_is_nan_and_writing_beyond_an_array_ends_the_process(code, ends_well):
    process = python("-c", f"from emulated_card import card; card.insert(pool=False); {code}")
    _, err = process.communicate()
    assert (process.returncode == 0) == ends_well, err
    assert ends_well or "byte 0 beyond an array of 40 bytes was written" in err


def test_too_little_memory_is_said_in_one_sentence():
    process = python(
        "-c", "import ctypes; from emulated_card import card; card.insert(); "
        "card.device.card_set_memory(ctypes.c_size_t(1000)); from minirnn import backend, cli; "
        "import sys; sys.exit(cli.main(lambda: backend.use('cupy')))",
    )  # fmt: skip
    _, err = process.communicate()
    assert process.returncode == 2 and err.count("\n") == 1
    assert "the GPU has too little free memory" in err
