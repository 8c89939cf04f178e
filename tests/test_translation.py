"""What a reader in another language needs: a glossary, and texts that can be taken out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text("utf-8")


def terms(section=GLOSSARY):
    """[(English, Chinese, a sentence)] of the tables."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.M)
    return [row for row in rows if row[0] not in ("English", "---")]


def test_glossary():
    every = terms()
    assert len(every) >= 80
    for kind in zip(*every, strict=True):
        assert len(set(kind)) == len(kind), "a term, or its sentence, stands twice"
    for english, chinese, sentence in every:
        assert english.isascii() and sentence.isascii(), english
        assert re.search(r"[\u4e00-\u9fff]", chinese), english
        assert sentence[0].isupper() and sentence.endswith("."), sentence
    for section in re.split(r"^## ", GLOSSARY, flags=re.M)[1:]:
        names = [english.lower() for english, _, _ in terms(section)]
        assert names == sorted(names) and names
    known = {re.sub(r" \(.*", "", english): chinese for english, chinese, _ in every}
    for english, chinese in {
        "recurrent neural network": "循环神经网络", "backpropagation": "反向传播",
        "gradient": "梯度", "hidden state": "隐藏状态", "forget gate": "遗忘门",
        "vanishing gradient": "梯度消失", "cross-entropy": "交叉熵", "chain rule": "链式法则",
    }.items():  # fmt: skip
        assert known[english] == chinese
    assert "(glossary.md)" in (DOCS / "01-notation.md").read_text("utf-8")


@pytest.mark.slow
def test_texts_can_be_taken_out_for_a_translation(tmp_path):
    """`sphinx -b gettext` makes a file for each page, with its sentences."""
    pytest.importorskip("sphinx", reason='pip install -e ".[docs]"')
    pytest.importorskip("myst_parser", reason='pip install -e ".[docs]"')
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "gettext", DOCS,
         "-d", tmp_path / "trees", tmp_path / "texts"], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = {path.stem for path in (tmp_path / "texts").glob("*.pot")}
    assert {path.stem for path in DOCS.glob("*.md")} <= made
    said = (tmp_path / "texts" / "06-lstm.pot").read_text("utf-8")
    assert 'msgid "Why it remembers"' in said and said.count("msgid") > 40
