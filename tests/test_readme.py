"""What the README shows runs, and its pictures and links are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_code_runs_and_learns(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) == 2
    first = {}
    exec(blocks[0], first)
    assert first["output"].shape == (7, 3, 256) and first["dx"].shape == (7, 3, 57)
    exec(blocks[1], {})
    assert float(capsys.readouterr().out) > 0.9
    assert len(blocks[1].strip().splitlines()) <= 15


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_and_pictures_are_there(target):
    assert (ROOT / target).exists()


def test_two_commands_each_on_one_line():
    commands = re.findall(r"^    python3 -m venv .*$", README, re.M)
    assert [c.rsplit(" ", 1)[1] for c in commands] == ["examples/names.py", "pytest"]


@pytest.mark.parametrize("file", re.findall(r"`(\w+\.py)`", README))
def test_files_in_the_table_exist(file):
    assert list((ROOT / "minirnn").rglob(file)) or list((ROOT / "data").rglob(file))


def test_every_chapter_is_linked():
    """And every other page of docs/ too."""
    for path in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{path.name})" in README, path.name
