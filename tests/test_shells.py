"""Every command on a page can be typed in PowerShell too, or has its form for PowerShell there, or
stands below the words that it needs Linux."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")),
         *sorted((ROOT / "examples" / "exercises").glob("*.py"))]  # fmt: skip
WORDS = r"python3?|pip|pytest|source|\.venv\S+"  # a command begins with one of them
COMMAND = re.compile(rf"^(?:    )?((?:[A-Z_]+=\S+ )*(?:{WORDS}) .*)$")
ELSEWHERE = re.compile(r"&&|\\$|\$\(|^[A-Z_]+=|^source |^python3 |\*\.|/bin/")
POWERSHELL = re.compile(r"^    (py -m|\.venv\\Scripts|\$env:|.*\(Get-Item )", re.M)


def commands(text):
    """The commands in blocks of a page: indented, or fenced as sh."""
    fenced = re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.M | re.S)
    without = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines = [line for line in without.splitlines() if line.startswith("    ")]
    lines += [line for block in fenced for line in block.splitlines()]
    return [match[1] for line in lines if (match := COMMAND.match(line))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_can_be_typed_in_powershell(page):
    text = page.read_text(encoding="utf-8")
    for command in commands(text):
        bare = re.sub(r" +#.*", "", command)
        if ELSEWHERE.search(bare) and not POWERSHELL.match(f"    {command}"):
            at = text.index(command)
            if "needs Linux" in text[at - 300 : at]:
                continue
            after = text[at:]
            shown = POWERSHELL.search(after) or re.search(r"PowerShell[^.]*`py -m", after)
            assert shown, f"{page.name}: {command}"


def test_the_form_for_another_shell_is_told_from_one_for_all():
    for bad in ("python a.py && python b.py", "python a.py \\", "X=1 python a.py", "source a",
                "python3 a.py", "python a.py x-*.npz", ".venv/bin/python a.py"):  # fmt: skip
        assert ELSEWHERE.search(bad), bad
    for good in ("python -m minirnn exercises check . 1", 'pip install -e ".[test]"',
                 """python -m timeit -s "a = np.ones((1, 128), 'f')" "a * a\""""):  # fmt: skip
        assert not ELSEWHERE.search(good), good


@pytest.mark.parametrize("page", ["README.md", "docs/README.md", "CONTRIBUTING.md"])
def test_the_environment_is_activated_in_both_shells(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "source .venv/bin/activate" in text and r".venv\Scripts\Activate.ps1" in text


def test_there_is_a_command_to_look_at():
    assert sum(len(commands(page.read_text(encoding="utf-8"))) for page in PAGES) > 50
