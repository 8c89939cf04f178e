"""Nets on disk: what is written comes back, and whatever else a file may be is refused."""

import io
import json
import os
import warnings
import zipfile

import numpy as np
import pytest

import minirnn
from minirnn.errors import CellError, CheckpointError, MinirnnError
from minirnn.models import NameClassifier
from minirnn.storage.checkpoints import load_net, save_net
from minirnn.storage.files import read_npz, write_atomic, write_npz

SETTINGS = {"hidden_size": 4, "cell": "lstm", "languages": ["Ελλάδα", "B"]}


def build(settings, seed=1):
    return NameClassifier(
        7, len(settings["languages"]), rng=np.random.default_rng(seed), cell=settings["cell"],
        hidden_size=settings["hidden_size"], embedding=3, bidirectional=True,
    )  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    """(path, net) of a net that was saved."""
    net, path = build(SETTINGS, seed=0), tmp_path / "model.npz"
    save_net(path, net, SETTINGS)
    return path, net


def facts(**change):
    """The facts about a net as text, with changes; `settings` changes single settings."""
    settings = {**SETTINGS, **change.pop("settings", {})}
    return json.dumps({"format": 1, "kind": "net", "settings": settings, **change})


def with_facts(path, text, state=None):
    """A whole file with these facts."""
    state = build(SETTINGS).state_dict() if state is None else state
    write_npz(path, {"facts": np.frombuffer(text.encode(), np.uint8), **state})


def refused(path, *words, build=build):
    with pytest.raises(CheckpointError) as error:
        load_net(path, build)
    for word in (str(path), *words):
        assert word in str(error.value)


def test_round_trip(saved):
    path, net = saved
    loaded, settings = load_net(path, build)
    assert settings == SETTINGS
    assert loaded.state_dict().keys() == net.state_dict().keys()
    for name, array in net.state_dict().items():
        assert loaded.state_dict()[name].tobytes() == array.tobytes()
        assert loaded.state_dict()[name].dtype == array.dtype
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def test_same_net_same_bytes(saved, tmp_path, monkeypatch):
    path, net = saved
    monkeypatch.setattr("time.time", lambda: 1e9)
    other = tmp_path / "other.npz"
    save_net(other, net, dict(reversed(SETTINGS.items())))
    assert other.read_bytes() == path.read_bytes()


def test_numpy_reads_it_too(saved):
    path, net = saved
    with np.load(path) as file:
        np.testing.assert_array_equal(file["linear.b"], net.linear.b.data)


def test_arrays_of_every_kind_come_back(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3), "b": np.array(7), "c": np.zeros((0, 2), "float32"),
        "d": np.array([True, False]), "e.f": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }  # fmt: skip
    write_npz(tmp_path / "x.npz", arrays)
    found = read_npz(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_no_such_file(tmp_path):
    refused(tmp_path / "model.npz", "there is no file")
    refused(tmp_path, "is a folder, not a file")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_cut_off(saved, share):
    path, _ = saved
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path, "not a whole .npz file")


def test_every_damaged_byte_is_noticed_or_harmless(saved):
    """Loading ends well or with a `CheckpointError`, wherever a byte is wrong."""
    path, _ = saved
    data = path.read_bytes()
    noticed = 0
    for place in range(0, len(data), 37):
        broken = bytearray(data)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        try:
            load_net(path, build)
        except MinirnnError:
            noticed += 1
    assert noticed > len(data) / 37 * 0.8


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7", b"\x93NUMPY\x01\x00junk", b"\x80\x04K\x01.", b"PK\x03\x04" + b"x" * 99]
)
def test_other_files(tmp_path, content):
    (tmp_path / "model.npz").write_bytes(content)
    refused(tmp_path / "model.npz", "not a whole .npz file")


def test_a_lone_npy(tmp_path):
    with open(tmp_path / "model.npz", "wb") as file:
        np.save(file, np.ones(3))
    refused(tmp_path / "model.npz", "not a whole .npz file")


def test_foreign_archives(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, a=np.ones(3))
    refused(path, "nothing that minirnn wrote")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    refused(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("facts", facts())
    refused(path)


@pytest.mark.parametrize("text", ["", "{", "3", "null", "[1]", '"text"', "{}", "[" * 100_000])
def test_facts_that_are_none(tmp_path, text):
    with_facts(tmp_path / "model.npz", text)
    refused(tmp_path / "model.npz", "nothing that minirnn wrote")


@pytest.mark.parametrize("found", [2, 0, "1", None])
def test_another_format(tmp_path, found):
    with_facts(tmp_path / "model.npz", facts(format=found))
    refused(tmp_path / "model.npz", f"has format {found}", "reads format 1")


OLDER = [({"version": "9.9.9"}, "minirnn 9.9.9"), ({}, "minirnn 0.1.0")]


@pytest.mark.parametrize("version, name", OLDER, ids=["another", "none"])
def test_another_version(tmp_path, version, name):
    """Of the same format it is read; of another it is refused, and both versions are named."""
    path = tmp_path / "model.npz"
    with_facts(path, facts(**version))
    assert load_net(path, build)[1] == SETTINGS
    with_facts(path, facts(format=2, **version))
    refused(path, "format 2", name, f"this is minirnn {minirnn.__version__}")


def test_the_version_is_written(saved):
    written = json.loads(read_npz(saved[0])["facts"].tobytes())
    assert written["version"] == minirnn.__version__


@pytest.mark.parametrize(
    "change, words",
    [
        ({"hidden_size": 5}, ["does not fit", "(4, 3, 4)", "(4, 3, 5)"]),
        ({"cell": "gru"}, ["does not fit", "shape"]),
        ({"languages": ["A", "B", "C"]}, ["does not fit", "linear.W"]),
        ({"hidden_size": "many"}, ["no net can be built"]),
        ({"hidden_size": None}, ["no net can be built"]),
        ({"hidden_size": 10**15}, ["no net can be built"]),
        ({"languages": 3}, ["no net can be built"]),
    ],
)
def test_settings_that_do_not_fit(tmp_path, change, words):
    with_facts(tmp_path / "model.npz", facts(settings=change))
    refused(tmp_path / "model.npz", *words)


ASKED = [  # each asks too much in one product alone: H H, H V, H K, E V, layers
    dict(hidden_size=10**4), dict(hidden_size=10, alphabet="ab" * 10**3),
    dict(hidden_size=10, languages=["a"] * 10**3),
    dict(hidden_size=1, embedding=100, alphabet="ab" * 100), dict(num_layers=10**4),
]  # fmt: skip


def test_an_array_that_is_there_twice(saved):
    path, _ = saved
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile knows that it is odd
        archive.writestr("linear.b.npy", archive.read("linear.b.npy"))
    refused(path, "has linear.b twice")


@pytest.mark.parametrize("settings", ASKED, ids=lambda s: ", ".join(s))
def test_a_net_larger_than_the_file_is_not_even_built(tmp_path, settings):
    built = []
    with_facts(tmp_path / "model.npz", facts(settings=settings))
    refused(tmp_path / "model.npz", "ask for a larger net than there are numbers",
            build=built.append)  # fmt: skip
    assert built == []


def test_a_missing_setting(tmp_path):
    path = tmp_path / "model.npz"
    with_facts(path, json.dumps({"format": 1, "kind": "net", "settings": {}}))
    refused(path, "lacks the setting 'languages'")
    with_facts(path, json.dumps({"format": 1, "kind": "net"}))
    refused(path, "lacks the setting 'settings'")


def test_a_file_of_another_kind(tmp_path):
    with_facts(tmp_path / "model.npz", facts(kind="training run"))
    refused(tmp_path / "model.npz", "holds a training run, but a net is needed")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda state: state.pop("linear.b"), "has no linear.b"),
        (lambda state: state.update(extra=np.ones(2)), "has extra, which this net has not"),
        (lambda state: state["linear.b"].fill(np.nan), "no finite number of float32"),
        (
            lambda state: state.update({"linear.b": np.array(["a", "b"])}),
            "is of <U1, but must be",
        ),
        (lambda state: state.update({"linear.b": np.ones(9)}), "shape (9,)"),
    ],
)
def test_weights_that_do_not_fit(tmp_path, change, words):
    state, built = build(SETTINGS, seed=0).state_dict(), build(SETTINGS)
    change(state)
    with_facts(tmp_path / "model.npz", facts(), state)
    before = built.state_dict()
    refused(tmp_path / "model.npz", "does not fit", words, build=lambda settings: built)
    for name, array in built.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg="half loaded")


def test_a_mistake_elsewhere_keeps_its_own_words(saved):
    def broken(settings):
        raise CellError("your cell is missing")

    with pytest.raises(CellError, match="^your cell is missing$"):
        load_net(saved[0], broken)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_pickles_are_never_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trap = np.array([Trap()], dtype=object)
    np.savez("model.npz", facts=trap, allow_pickle=True)
    with pytest.raises(CheckpointError, match="not a whole .npz"):
        load_net("model.npz", build)
    (tmp_path / "raw.npz").write_bytes(trap.dumps())
    with pytest.raises(CheckpointError, match="not a whole .npz"):
        load_net("raw.npz", build)
    assert not (tmp_path / "trapped").exists()
    with pytest.raises(ValueError, match="allow_pickle"):
        write_npz("new.npz", {"a": trap})
    assert not (tmp_path / "new.npz").exists()


def npy(array):
    data = io.BytesIO()
    np.lib.format.write_array(data, array)
    return data.getvalue()


def test_zip_bombs(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    monkeypatch.setattr("minirnn.storage.files.LARGEST", 2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("facts.npy", npy(np.zeros(2**18)))
    assert path.stat().st_size < 2**13
    refused(path, "unpacks to 2,097,280 bytes, more than 1,048,576")


@pytest.mark.parametrize(
    "header",
    [
        {"descr": "<f8", "fortran_order": False, "shape": (10**12,)},  # 8 TB
        {"descr": "<f8", "fortran_order": False, "shape": (2, 3)},  # less than follows
        {"descr": "<f8", "fortran_order": True, "shape": (10, 10)},  # would be read transposed
        {"descr": "|O", "fortran_order": False, "shape": (100,)},
    ],
)
def test_headers_that_do_not_fit_what_follows(tmp_path, header):
    path, data = tmp_path / "model.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(data, header)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("facts.npy", data.getvalue() + bytes(800))
    refused(path, "not a whole .npz")


# Whole or not at all


def test_write_atomic(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"one")
    write_atomic(str(path), b"two")
    assert path.read_bytes() == b"two" and [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("place", ["os.replace", "os.fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, place, error):
    def fail(*args):
        raise error

    path = tmp_path / "file"
    write_atomic(path, b"old")
    monkeypatch.setattr(place, fail)
    expected = CheckpointError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as raised:
        write_atomic(path, b"new")
    if expected is CheckpointError:
        expected = f"{path} cannot be written: No space left on device; what it held before is"
        assert str(raised.value).startswith(expected)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in ("missing/x", "file/x", "folder", "x" * 300, ""):
        with pytest.raises(CheckpointError, match="cannot be written"):
            write_atomic(tmp_path / path, b"new")
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", ".."):
        with pytest.raises(CheckpointError, match="cannot be written"):
            write_atomic(path, b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
