"""The house: every file in the map, no import of a later one, a small core, names that tell."""

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "minirnn"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MOST_IN_THE_ROOT, MOST_CODE_OF_THE_CORE = 26, 1500
FORBIDDEN = "kept rows jobs lab flow scripts sense practice online2 writing snapshots".split()


def sources():
    """{dotted name: path} of every file of the package, but for the empty heads of folders."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


SOURCES = sources()


def mapped():
    """The files and folders of the map, in its order, as dotted names."""
    table = ARCHITECTURE.partition("## The map")[2].partition("**The core**")[0]
    for row in re.findall(r"^\| (`.*?) \|", table, re.M):
        for name in re.findall(r"`([\w/]+?)(?:\.py|/)`", row):
            yield name.replace("/", ".")


def room(name, order):
    """The entry of the map to which a file belongs: itself, or the folder that it is in."""
    while name not in order and "." in name:
        name = name.rpartition(".")[0]
    return name


def imported(path, name):
    """Dotted names of the modules of this package that a file imports, anywhere in it."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            base += node.module.split(".") if node.module else []
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                yield whole if whole in SOURCES else ".".join(base)
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "minirnn":
            yield ".".join(node.module.split(".")[1:])


def test_the_map_names_every_file():
    order = list(mapped())
    assert len(order) == len(set(order))
    heads = {"__init__", "storage", "reports", "cuda", "mpi"}  # their files stand in the map
    assert {room(name, order) for name in SOURCES} - heads == set(order)


def test_no_file_imports_a_later_one():
    """Neither at its top nor inside a function; files of a folder of the map go by that folder."""
    order = list(mapped())
    place = {name: k for k, name in enumerate(order)}
    for name, path in SOURCES.items():
        here = room(name, order)
        if here not in place:
            continue
        for other in imported(path, name):
            there = room(other, order)
            assert place.get(there, 0) <= place[here], f"{name} imports {other}, which is later"


def code_lines(path):
    """Lines that hold code: no blank ones, no comments, no docstrings."""
    text = path.read_text(encoding="utf-8")
    left_out = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
                tokenize.ENDMARKER)  # fmt: skip
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in left_out:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def test_code_lines_are_counted_rightly(tmp_path):
    path = tmp_path / "a.py"
    head = '"""Doc.\n\nMore."""\n\n# why\nx = [\n    1,\n]  # how\n\n\n'
    path.write_text(head + 'def f():\n    """Doc."""\n    return 1\n')
    assert code_lines(path) == 5


def test_the_core_is_small():
    words = ARCHITECTURE.partition("**The core**")[2].partition("1,500 lines")[0]
    core = re.findall(r"`(\w+)\.py`", words)
    assert len(core) == 15
    lines = {name: code_lines(SOURCES[name]) for name in core}
    assert sum(lines.values()) < MOST_CODE_OF_THE_CORE, (sum(lines.values()), lines)


def test_what_the_core_does_not_count_is_told():
    told = re.findall(r"`(check|measures)(?:/|\.py)`, some (\d+)", ARCHITECTURE)
    assert [name for name, _ in told] == ["check", "measures"]
    for name, number in told:
        theirs = [path for file, path in SOURCES.items() if file.partition(".")[0] == name]
        assert abs(sum(map(code_lines, theirs)) - int(number)) <= 40, name


def test_the_loop_for_a_card_can_be_taken_out(tmp_path):
    """As the architecture says: three files less, and one name in `stacked.py`."""
    shutil.copytree(PACKAGE, tmp_path / "minirnn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("recurrent", "kernels", "products"):
        (tmp_path / "minirnn" / "cuda" / f"{name}.py").unlink()
    stacked = tmp_path / "minirnn" / "stacked.py"
    text = stacked.read_text("utf-8")
    assert text.count("CudaRecurrent") == 2
    text = text.replace("from .cuda.recurrent import CudaRecurrent\n", "")
    stacked.write_text(text.replace("CudaRecurrent", "Recurrent"), "utf-8")
    program = "import minirnn; print(minirnn.LSTM(2, 3).layers[0], minirnn.__file__)"
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True,
                           text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)})  # fmt: skip
    assert ended.stdout.startswith(f"Recurrent(LSTMCell, 2, 3) {tmp_path}"), ended.stderr


def test_the_root_holds_few_files():
    files = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(files) <= MOST_IN_THE_ROOT, files


def test_names():
    """No file has a name that only its author understands, and only three classes are RNN, LSTM,
    GRU."""
    assert not {name.rpartition(".")[2] for name in SOURCES} & set(FORBIDDEN)
    classes = [
        (node.name, name)
        for name, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and node.name in ("RNN", "LSTM", "GRU")
    ]
    assert sorted(classes) == [(name, "stacked") for name in ("GRU", "LSTM", "RNN")]


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda p: p.name)
def test_no_test_file_is_imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("test_"), path
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("test_") for alias in node.names), path
