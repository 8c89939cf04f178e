"""Command lines and files made up at random, and what a command may answer."""

import contextlib
import io
import os
import sys

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from minirnn import cli

DEEP = settings.default.max_examples >= 1000


COUNTED, CODES = {}, {}


def cases(ordinary, deep):
    """Settings for a test: so many examples, and so many in the deep profile."""
    return settings(
        max_examples=deep if DEEP else min(ordinary, settings.default.max_examples),
        suppress_health_check=list(HealthCheck),
    )


def count(what):
    COUNTED[what] = COUNTED.get(what, 0) + 1


@pytest.fixture(scope="module", autouse=True)
def say_how_many():
    yield
    print("\n" + ", ".join(f"{n:,} {what}" for what, n in COUNTED.items()), end="")
    print(f": {sum(COUNTED.values()):,} cases")
    print("exit codes of command lines:", ", ".join(f"{c}: {n:,}" for c, n in CODES.items()))
    COUNTED.clear(), CODES.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none(), st.text(max_size=5),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, a cell, and a trained model."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "data").mkdir()
    for language, end in {"Ab": "ov", "Cd": "ez"}.items():
        names = [f"{a}{b}{end}" for a in "bdk" for b in "ae"]
        (folder / "data" / f"{language}.txt").write_text("\n".join(names) + "\n")
    (folder / "cell.py").write_text("class C:\n    gates, states = 'g', ('h',)\n")
    return folder


words = st.one_of(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(
        ["0", "1", "2", "-1", "1e-3", "nan", "inf", "1e309", "9" * 5000, "lstm", "gru", "numpy",
         "cupy", "data", "cell.py:C", "cell.py", "out", "", ".", "--", "-", "Bo", "\x1b[31m"]
    ),
)  # fmt: skip


def ended(place, function, arguments, codes=(0, 2, None)):
    """Run it in `place`, and see to its exit code, its words and its files."""
    before = listing(place)
    kept, argv, out, err = os.getcwd(), sys.argv, io.StringIO(), io.StringIO()
    os.chdir(place)
    sys.argv = arguments
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(function)
            except SystemExit as stopped:  # argparse
                code = stopped.code
    finally:
        os.chdir(kept)
        sys.argv = argv
    CODES[code or 0] = CODES.get(code or 0, 0) + 1
    assert code in codes, (code, arguments)
    if code == 2:
        assert "error: " in err.getvalue() and "Traceback" not in err.getvalue(), err.getvalue()
    assert listing(place) == before, arguments
    return out.getvalue()


def listing(place):
    """Every file outside the output folder, with its bytes."""
    return {
        path: path.is_file() and path.read_bytes()
        for path in place.rglob("*")
        if "out" not in path.relative_to(place).parts[:1] and "__pycache__" not in path.parts
    }
