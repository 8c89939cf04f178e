"""Whatever the bytes, the numbers or the options: an end that the documentation knows.

Ordinary runs try a few hundred cases; HYPOTHESIS_PROFILE=deep more than 20,000, counted at the end
(`pytest -s`). Nothing may be written outside the output folder. The other commands' lines are in
`test_fuzz_commands.py`.
"""

import contextlib
import importlib.util
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from fuzzing import (
    cases,
    count,
    ended,
    folder,
    numbers,
    place,
    say_how_many,
    words,
)
from hypothesis import example, given
from hypothesis import strategies as st
from training_runs import USUAL, stopped_run, trainer

from minirnn import __main__ as door
from minirnn.data import Alphabet, load_names, printable, split
from minirnn.errors import CheckpointError, DataError
from minirnn.models import NameClassifier
from minirnn.storage import download
from minirnn.storage.checkpoints import Checkpoint, load_net, save_net
from minirnn.storage.files import read_npz, write_npz

__all__ = ["folder", "place", "say_how_many"]  # fixtures

# Data folders

HARD = [
    "\u202e",
    "\x00",
    "\x1b[31m",
    "e\u0301",
    "\u0301" * 99,
    "\ufeff",
    "\r",
    "\u2028",
    "ﬃ",
    "İ",
    "ß",
]
lines = st.one_of(
    st.text(max_size=20), st.sampled_from(HARD), st.text("abcdefgh", min_size=1, max_size=5),
    st.integers(1, 300).map("x".__mul__),
)  # fmt: skip
contents = st.one_of(
    st.binary(max_size=60),
    st.lists(lines, max_size=12).map(lambda found: "\n".join(found).encode("utf-8", "replace")),
    st.lists(st.text("abc", min_size=2, max_size=4), min_size=3, unique=True, max_size=12).map(
        lambda found: "\n".join(found).encode()
    ),
)
stems = st.text(
    st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=12
)


@given(st.dictionaries(stems, contents, max_size=4))
@example({"A": b"ab\nba\ncc", "$\\x": "ab\ncd\nef".encode("utf-16")})
@cases(60, 5000)
def test_data_folders(files):
    count("data folders")
    with tempfile.TemporaryDirectory() as folder:
        for stem, content in files.items():
            with contextlib.suppress(OSError):  # a name that this disk has not
                (Path(folder) / f"{stem}.txt").write_bytes(content)
        try:
            names = load_names(folder)
            parts = split(names, np.random.default_rng(0))
        except DataError as error:
            assert str(error).isprintable()
            return
    alphabet = Alphabet()
    for name in names.names:
        assert 1 <= len(name) <= 60 and any(letter.isalpha() for letter in name)
        assert all(0 <= k < len(alphabet) for k in alphabet.encode(name))
    assert sorted(np.concatenate(parts)) == list(range(len(names)))
    assert all(text.isprintable() for text in [*names.languages, *names.notes, names.source])


@given(st.text(max_size=100), st.integers(4, 40))
@cases(60, 2500)
def test_whatever_is_printed(text, longest):
    count("texts to print")
    found = printable(text, longest)
    assert found.isprintable() and len(found) <= longest


# Files of weights and of runs


def build(settings):
    return NameClassifier(
        5, 3, rng=np.random.default_rng(1), hidden_size=settings["hidden_size"], embedding=3
    )


@pytest.fixture(scope="module")
def model(folder):
    save_net(folder / "good.npz", build({"hidden_size": 4}), {"hidden_size": 4})
    return (folder / "good.npz").read_bytes()


@pytest.fixture(scope="module")
def run(folder):
    stopped_run(folder / "run.npz", dropout=0.0)
    return (folder / "run.npz").read_bytes()


@pytest.fixture(scope="module")
def saved_run(folder, run):
    """(arrays, facts as text) of a whole file."""
    (folder / "whole.npz").write_bytes(run)
    arrays = read_npz(folder / "whole.npz")
    (folder / "whole.npz").unlink()
    return arrays, arrays.pop("facts").tobytes()


def broken(good, data):
    """The bytes with a few changed, cut out, doubled or put in."""
    found = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(found) - 1)))
        how = data.draw(st.sampled_from(["change", "cut", "put in", "cut off", "double"]))
        size = data.draw(st.integers(1, 40))
        if how == "change":
            found[place : place + 1] = data.draw(st.binary(min_size=1, max_size=4))
        elif how == "cut":
            del found[place : place + size]
        elif how == "put in":
            found[place:place] = data.draw(st.binary(max_size=size))
        elif how == "double":
            found[place:place] = found[place : place + size]
        else:
            del found[place:]
    return bytes(found)


@given(st.data())
@cases(100, 6000)
def test_damaged_models(folder, model, data):
    path = folder / "model.npz"
    path.write_bytes(broken(model, data))
    count("damaged models")
    try:
        net, _ = load_net(path, build)
    except CheckpointError as error:
        assert str(path) in str(error)
    else:
        assert all(np.isfinite(a).all() for a in net.state_dict().values())
    assert {p.name for p in folder.iterdir()} <= {"good.npz", "model.npz", "run.npz"}


@given(st.data())
@cases(60, 3000)
def test_damaged_runs(folder, run, data):
    path = folder / "run.npz"
    path.write_bytes(broken(run, data))
    count("damaged runs")
    resumed_or_refused(path)


def inside(value, path=()):
    """The places in nested dicts and lists."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from inside(value[key], (*path, key))


@given(st.data())
@cases(60, 3000)
def test_runs_with_other_facts(folder, saved_run, data):
    """A whole file in which a fact or two are anything else."""
    arrays, text = saved_run
    facts = json.loads(text)
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(sorted(inside(facts), key=str)))
        owner = facts
        for key in way:
            owner = owner[key]
        owner[last] = data.draw(numbers)
        if way == [] and data.draw(st.booleans()):
            del owner[last]
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    write_npz(folder / "run.npz", {"facts": text, **arrays})
    count("runs with other facts")
    resumed_or_refused(folder / "run.npz")


def resumed_or_refused(path):
    taker = trainer(**{**USUAL, "dropout": 0.0})
    before = taker.state_dict()[1]
    try:
        Checkpoint(path, {"a": 1}).resume(taker)
    except CheckpointError as error:
        assert str(path) in str(error) and len(str(error)) < 1000
        assert taker.state_dict()[1] == before
    else:
        taker.fit()


# Archives from the network


@given(st.data())
@cases(60, 1500)
def test_damaged_archives(data):
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data/names/Greek.txt", b"Kartas\nVamvas\n" * 5)
        file.writestr("data/names/Czech.txt", b"Hajek\n")
    archive = broken(content.getvalue(), data)
    count("archives")
    try:
        lists = download.unpack(archive)
    except DataError:
        return
    assert all("/" not in name and "\\" not in name for name in lists)


# Command lines


@pytest.fixture(scope="module")
def names_script():
    path = Path(__file__).resolve().parents[1] / "examples" / "names.py"
    spec = importlib.util.spec_from_file_location("names_script", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


flags = st.sampled_from(
    "--model --cell --backend --hidden-size --num-layers --bidirectional --no-bidirectional "
    "--one-direction --embedding --one-hot --dropout --optimizer --lr --clip --patience --seed "
    "--resume --predict --help --unknown --batch-size --res --prior --compare --".split()
)
options = st.lists(st.one_of(flags, words), max_size=5)


@given(options)
@example(["--resume"])
@example(["--predict", "Bo"])
@cases(40, 700)
def test_names_command_lines(names_script, place, options):
    count("command lines")
    small = ["--data", "data", "--output", "out", "--epochs", "1"]
    sizes = ["--hidden-size", "2", "--embedding", "2", "--num-layers", "1"]
    argv = ["names.py", *sizes, *options, *sizes, *small]
    if "--" in options or "--predict" in options:  # what follows them is no option
        argv = ["names.py", *sizes, *small, *options]
        if any("output".startswith(o.lstrip("-")) for o in options if o.startswith("--o")):
            return
    ended(place, names_script.run, argv)


asked = st.sampled_from(
    "download gradcheck --url --sha256 --output --help -h --seed cell.py:C http://127.0.0.1:9/x "
    "file:///etc/passwd".split()
)


@pytest.fixture(scope="module")
def trained(names_script, tmp_path_factory):
    """(a folder with a trained model, its bytes)."""
    folder = tmp_path_factory.mktemp("trained")
    settings = {
        "model": "rnn", "hidden_size": 3, "num_layers": 1, "bidirectional": False,
        "embedding": 2, "dropout": 0.0, "alphabet": "abc", "languages": ["A", "B"],
        "counts": [3, 4],
    }  # fmt: skip
    net = NameClassifier(3, 2, rng=np.random.default_rng(0), cell="rnn", hidden_size=3, embedding=2)
    (folder / "out").mkdir()
    save_net(folder / "out" / "model.npz", net, settings)
    return folder, settings, net


@given(st.data())
@cases(40, 1500)
def test_guessing_with_a_strangers_model(names_script, trained, data):
    """The weights are right, and one setting is anything: text for the terminal too."""
    folder, settings, net = trained
    name = data.draw(st.sampled_from(sorted(settings)))
    value = data.draw(st.one_of(numbers, words, st.lists(words, max_size=3)))
    count("models of strangers")
    save_net(folder / "out" / "model.npz", net, {**settings, name: value})
    argv = ["names.py", "--output", "out", "--prior", "natural", "--predict", "abc"]
    out = ended(folder, names_script.run, argv)
    assert all(line.isprintable() for line in out.split("\n"))


@given(st.lists(st.one_of(words, asked), max_size=5))
@cases(40, 1500)
def test_commands_of_the_door(place, arguments):
    """Without a network: every address answers with something that is no archive."""
    count("commands")
    kept, download.fetch = download.fetch, no_archive
    try:
        ended(place, lambda: door.run(arguments), ["minirnn", *arguments])
    finally:
        download.fetch = kept


def no_archive(url):
    if not url.startswith("http"):
        raise DataError(f"{printable(url)} is not an address")
    return b"PK\x05\x06" + bytes(18)


def test_undocumented_errors_are_noticed(place):
    """The judge itself: a script that fails otherwise, or writes elsewhere, is found out."""
    with pytest.raises(ZeroDivisionError):
        ended(place, lambda: 1 / 0, [])
    with pytest.raises(AssertionError):
        ended(place, lambda: (place / "stray.txt").write_text("x") and 0, [])
    (place / "stray.txt").unlink()
    with pytest.raises(AssertionError):
        ended(place, lambda: 3, [])
