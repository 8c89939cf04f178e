"""Another term: other gate orders, the other sense of z, other bugs; and last term's files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from minirnn.errors import DataError
from minirnn.exercises import handouts
from minirnn.exercises.catalogue import BY_NUMBER
from minirnn.exercises.checking import check
from minirnn.exercises.command import run
from minirnn.exercises.conventions import Conventions, backward_bugs, read_conventions

SOLUTIONS = Path(__file__).resolve().parent / "solutions"
BUGS = ("rnn-tanh-left-out", "lstm-no-tanh-c", "lstm-i-g-swapped", "gru-z-sign",
        "before-reset-skipped")  # fmt: skip
TERM = Conventions("ofig", "nzr", "new", BUGS)
LAST = "oigf", "znr", "old"  # neither this term's nor the usual ones


def solution(number, conventions):
    """The solution of an exercise, rewritten for these conventions."""
    text = (SOLUTIONS / BY_NUMBER[number].file).read_text(encoding="utf-8")
    lstm, gru = conventions.lstm_gates, conventions.gru_gates
    changes = {}
    if number in (5, 6):
        changes = {
            'gates = "ifgo"': f'gates = "{lstm}"',
            "ai, af, ag, ao": ", ".join(f"a{g}" for g in lstm),
            "(dai, daf, dag, dao)": f"({', '.join(f'da{g}' for g in lstm)})",
        }
    if number == 7:
        changes = {'gates = "rzn"': f'gates = "{gru}"'}
        changes |= {
            f"{head}r, {head}z, {head}n": ", ".join(head + g for g in gru)
            for head in ("gx_", "product_")
        }
        changes |= {
            "(dar, daz, dproduct_n)": f"({', '.join(GIVEN[g] for g in gru)})",
            "(dar, daz, dan)": f"({', '.join(f'da{g}' for g in gru)})",
        }
        if conventions.z_keeps == "new":
            changes |= {
                "h = (1 - z) * n + z * h_prev": "h = z * n + (1 - z) * h_prev",
                "dh * (h_prev - n), dh * (1 - z), dh * z": "dh * (n - h_prev), dh * z, "
                "dh * (1 - z)",
            }
    for old, new in changes.items():
        assert old in text or (number, old) == (5, "(dai, daf, dag, dao)"), old
        text = text.replace(old, new)
    return handouts.find_the_bug(conventions, fixed=True) if number == 9 else text


GIVEN = {"r": "dar", "z": "daz", "n": "dproduct_n"}


@pytest.fixture
def work(tmp_path):
    """A folder with this term's starters."""
    conventions, folder = tmp_path / "term.json", tmp_path / "work"
    TERM.write(conventions)
    assert run(["start", str(folder), "--conventions", str(conventions)], "exercises") == 0
    return folder


@pytest.mark.parametrize("exercise", BY_NUMBER.values(), ids=lambda e: e.file)
def test_the_usual_conventions_give_the_usual_starters(exercise):
    text = (handouts.starters_folder() / exercise.file).read_text(encoding="utf-8")
    assert handouts.starter(exercise.file, Conventions()) == text


def put(folder, number, text):
    (folder / BY_NUMBER[number].file).write_text(text, encoding="utf-8")
    return check(BY_NUMBER[number], folder, seed=0)


@pytest.mark.parametrize("number", [5, 6, 7, 9])
def test_this_terms_starters_are_blank_and_its_solutions_right(work, number):
    blank = check(BY_NUMBER[number], work)
    assert blank.mark == "not written", blank.text
    assert put(work, number, solution(number, TERM)), check(BY_NUMBER[number], work).text


def test_starters_say_what_this_term_does(work):
    lstm, gru = ((work / BY_NUMBER[n].file).read_text(encoding="utf-8") for n in (6, 7))
    assert "o, f, i, g" in (work / BY_NUMBER[5].file).read_text(encoding="utf-8")
    assert 'gates = "ofig"' in lstm and "ao, af, ai, ag = gx" in lstm
    assert "n, z, r" in gru and "takes the new state" in gru and "(dan, daz, dar)" in gru


@pytest.mark.parametrize("number", [5, 6, 7])
def test_the_usual_solution_is_told_that_its_conventions_are_others(work, number):
    """As a whole file, and with only the bodies copied under this term's `gates`."""
    copied = solution(number, Conventions())
    usual, ours = ("ifgo", "ofig") if number < 7 else ("rzn", "nzr")
    whole = put(work, number, copied)
    assert not whole and f"is '{usual}', but must be '{ours}'" in whole.text
    assert "other conventions" in whole.mistake
    bodies = put(work, number, copied.replace(f'gates = "{usual}"', f'gates = "{ours}"'))
    assert not bodies
    assert f"in the order {', '.join(usual)}; here it is {', '.join(ours)}" in bodies.mistake


def test_the_other_sense_of_z_is_told(work, tmp_path):
    old = solution(7, Conventions("ofig", "nzr", "old"))
    assert "z near 1 keeps the old state; here it takes the new one" in put(work, 7, old).mistake
    usual = tmp_path / "usual"
    run(["start", str(usual)], "exercises")
    new = solution(7, Conventions(z_keeps="new"))
    assert "z lets in the new state; here z near 1 keeps" in put(usual, 7, new).mistake


@pytest.mark.parametrize("old, new, said", [
    ("h = z * n + (1 - z) * h_prev", "h = z * n + h_prev", "1 - z is missing before h_prev"),
    ("h = z * n + (1 - z) * h_prev", "h = n + (1 - z) * h_prev", "z is missing before the cand"),
    ("dh * (n - h_prev)", "dh * (h_prev - n)", "wrong sign: h_prev - n in"),
    ("dh * z, dh * (1 - z)", "dh * (1 - z), dh * z", "have changed sides in backward"),
    ("dh * z, dh * (1 - z)", "dh * z, 0 * dh", "own share, dh (1 - z), is lost"),
    ("dz * d_sigmoid(z)", "dz", "update gate's sigmoid derivative is left out"),
    ("dan * product_n, dan * r", "dan * product_n, dan", "as if it were 1"),
])  # fmt: skip
def test_mistakes_are_named_under_the_other_sense_of_z_too(work, old, new, said):
    text = solution(7, TERM)
    assert text.count(old) == 1
    found = put(work, 7, text.replace(old, new))
    assert found.mark == "wrong value" and said in found.mistake, found.mistake


def test_last_terms_mended_cells_do_not_pass(work):
    """The bugs are others, and so is which cell stands under which letter."""
    found = put(work, 9, handouts.find_the_bug(Conventions(), fixed=True))
    assert not found and "CellB.gates is 'ifgo', but must be 'ofig'" in found.text


@pytest.mark.slow
@pytest.mark.parametrize("conventions", [Conventions(), TERM], ids=["usual", "term"])
def test_every_bug_is_found_where_it_is_handed_out_and_passes_when_it_is_fixed(
    conventions, tmp_path
):
    known = [b.name for b in backward_bugs()]
    assert len(known) > 40
    for name in known:
        bugs = (name, *[other for other in known if other != name][:4])
        term = replace(conventions, bugs=bugs)
        file = tmp_path / BY_NUMBER[9].file
        touched = handouts.find_the_bug(term).replace(
            "class CellA:", "class CellA:\n    mine = 1\n"
        )
        file.write_text(touched, encoding="utf-8")
        found = check(BY_NUMBER[9], tmp_path, term, seed=0)
        assert found.steps[0].right is False and found.mark != "not written", name
        assert found.mistake, name
        file.write_text(handouts.find_the_bug(term, fixed=True), encoding="utf-8")
        assert check(BY_NUMBER[9], tmp_path, term, seed=0), name


def test_grade_takes_the_conventions_from_the_lecturer_alone(work, tmp_path, capsys):
    for number in (5, 6, 7, 9):
        put(work, number, solution(number, TERM))
    Conventions().write(work / "conventions.json")  # a student's own idea of them
    run(["grade", str(work), "--conventions", str(tmp_path / "term.json")], "exercises")
    assert "40.00   . . . . + + + . + ." in capsys.readouterr().out
    run(["grade", str(work)], "exercises")
    assert "+ +" not in capsys.readouterr().out


@pytest.mark.parametrize("text, said", [
    ("{", "is not JSON"), ("[1]", "must hold a JSON object"), ('{"z": 1}', "some of lstm_gates"),
    ('{"z_keeps": 3}', "must be old or new"), ('{"lstm_gates": "ifg"}', "letters fgio, reordered"),
    ('{"gru_gates": 1}', "letters nrz"), ('{"bugs": 5}', "list of five"), ('{"bugs": []}', "five"),
    (json.dumps({"bugs": ["a"] * 5}), "no bug of a cell"),
    ('{"bugs": [["a"]]}', "no bug"),
])  # fmt: skip
def test_bad_conventions_are_refused_in_a_sentence(tmp_path, text, said):
    path = tmp_path / "term.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_conventions(path)
    with pytest.raises(DataError, match="there is no file"):
        read_conventions(tmp_path / "none.json")
