"""What comes after `right`: see it work, the next exercise, how many are done, and the end."""

from concurrent.futures import ThreadPoolExecutor

from . import typed
from .catalogue import BY_NUMBER, EXERCISES
from .checking import check
from .handouts import starter
from .milestones import MILESTONES

AT_ONCE = 2  # exercises that are checked at the same time


def standing(folder, conventions, known=()):
    """{number: whether it is right} of the exercises of a folder; `known` results are not asked
    for again, and a file that is as it was handed out is not run."""
    passed = {result.number: bool(result) for result in known}
    waiting = []
    for exercise in EXERCISES:
        path = folder / exercise.file
        if exercise.number in passed:
            continue
        passed[exercise.number] = False
        if path.is_file() and not _is_handed_out(path, conventions):
            waiting.append(exercise)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda exercise: check(exercise, folder, conventions), waiting)
        passed |= {result.number: bool(result) for result in results}
    return dict(sorted(passed.items()))


def _is_handed_out(path, conventions):
    try:
        return path.read_text(encoding="utf-8") == starter(path.name, conventions)
    except (OSError, UnicodeError):
        return False


def after(folder, conventions, results):
    """The lines to be printed below results of which at least one is right."""
    lines = []
    if len(results) == 1:
        (result,) = results
        if result.number != 9:  # the cells with a bug train nothing
            lines.append(f"see it work: {typed.program(typed.shorter(folder / result.file))}")
        if result.number in (3, 6, 7) and (script := typed.names_script()):
            cell = f"{typed.shorter(folder / result.file)}:{CELLS[result.number]}"
            lines.append(f"train it on names: {typed.program(script, '--cell', cell)}")
        if result.number in MILESTONES:
            lines.append(f"a milestone: {typed.exercises('milestone', folder, result.number)}")
        lines.append(f"a solution: {typed.exercises('solution', result.number, folder)}")
    done = standing(folder, conventions, results)
    if all(done.values()):
        return [*lines, *the_end()]
    left = [number for number, right in done.items() if not right]
    past = max(result.number for result in results if result)
    following = next((n for n in left if n > past and len(results) == 1), left[0])
    lines.append(f"{sum(done.values())} of {len(done)} right. Next: exercise {following}, "
                 f"{BY_NUMBER[following].file}")  # fmt: skip
    lines.append(f"    {typed.exercises('check', folder, following)}")
    return lines


CELLS = {3: "RNNCell", 6: "LSTMCell", 7: "GRUCell"}


def the_end():
    """What somebody who has written all ten can now read and do."""
    script = typed.names_script()
    lines = [
        f"{len(EXERCISES)} of {len(EXERCISES)} right: every backward pass of these nets is yours.",
        "You can now read minirnn/cells.py and minirnn/recurrent.py: the same lines.",
        "Check a cell of your own with gradcheck (docs/08-gradient-checking.md), see",
        "a net step by step (docs/stepper.md), or bring data of your own",
        "(docs/14-your-own-data.md).",
    ]
    return [*lines, f"    {typed.program(script, '--help')}"] if script else lines
