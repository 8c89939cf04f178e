"""Hypothesis profiles, figures without a screen, and the reason why GPU tests are skipped."""

import functools
import importlib.util
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from browser import Browser, chromium
from hypothesis import HealthCheck, Phase, settings

os.environ.setdefault("MPLBACKEND", "Agg")

# A shell ignores Ctrl-C in what it starts in the background, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Never a deadline: the first call of a test pays for imports, and a busy machine is no bug.
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile(
    "ci", deadline=None, max_examples=30, derandomize=True, database=None, print_blob=True
)
settings.register_profile(
    "deep", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(  # for planted changes: that a test fails is all that is asked
    "planted", deadline=None, max_examples=20, derandomize=True, database=None,
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


# The mathematics and its training: `pytest -m core`, in less than a minute.
CORE = """backends batches checkpoints data forward gold gradients laws losses numbers
    optim parameters structure training""".split()


def pytest_collection_modifyitems(items):
    for item in items:
        core = item.path.stem.removeprefix("test_") in CORE
        if core and not item.get_closest_marker("slow"):
            item.add_marker("core")


@pytest.fixture
def without_figures():
    """Figures are empty files, for tests of something else: to draw them is most of a short run."""
    from minirnn.storage import files, summary

    def write_nothing(path, figure):
        files.write_atomic(path, b"")

    with pytest.MonkeyPatch.context() as patch:
        for owner in (files, summary):
            patch.setattr(owner, "write_figure", write_nothing)
        yield


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built as docs/README.md says."""
    needed = ("sphinx", "myst_parser", "furo", "sphinx_copybutton", "sphinxext")
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("site") / "html"
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", folder],
        cwd=Path(__file__).resolve().parent.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    after = os.times()  # the processor's time: on a busy machine the clock's says nothing
    assert after.children_user + after.children_system - before.children_user < 60
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium without a network."""
    if chromium() is None:
        pytest.skip("there is no chromium on this machine")
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@functools.cache
def no_gpu():
    """Why the CuPy backend cannot be used here, or None where it can."""
    from minirnn import backend
    from minirnn.errors import BackendError

    before = backend.current()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what CuPy says on import is not ours to judge
            backend.use("cupy")
    except BackendError as error:
        return str(error)
    finally:
        backend.use(before)
    return None


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and (reason := no_gpu()):
        pytest.skip(reason)
