"""`--help` of every command: no default is left untold; and commands whose streams are closed."""

import argparse
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from minirnn import __main__ as door

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(p.name for p in EXAMPLES.glob("*.py") if "argparse" in p.read_text("utf-8"))


def parser_of(command, monkeypatch):
    """The parser that a command makes."""
    made = []

    def parse(parser, *_):
        made.append(parser)
        raise SystemExit

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with pytest.raises(SystemExit):
        if command in SCRIPTS:
            runpy.run_path(str(EXAMPLES / command), run_name="__main__")
        else:
            door.run([command])
    return made[0]


def untold(parser):
    """The options of a parser, and of its subcommands, whose help lacks their default."""
    options = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            options += [name for one in action.choices.values() for name in untold(one)]
        usual = None, False, [], argparse.SUPPRESS
        if action.default in usual or action.nargs == 0 or action.help is argparse.SUPPRESS:
            continue
        text = parser._get_formatter()._expand_help(action) if action.help else ""
        if "default" not in text and f"({action.default})" not in text:
            options.append("/".join(action.option_strings) or action.dest)
    return options


@pytest.mark.parametrize("command", [*SCRIPTS, *door.COMMANDS])
def test_every_default_is_told(command, monkeypatch):
    assert untold(parser_of(command, monkeypatch)) == []


@pytest.mark.skipif(os.name == "nt", reason="needs a shell that can close a stream")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("hint 1", 0), ("check nowhere", 2)])
def test_closed_streams(words, code, closed):
    """Nobody reads what is printed: the exit code is the same, and there is no traceback."""
    command = f"'{sys.executable}' -m minirnn exercises {words} {closed}"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False), ended.stderr
