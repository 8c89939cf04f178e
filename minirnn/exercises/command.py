"""The exercises: hand out, check, hint, watch, grade.

start [DIR]           copy the starters; files that are there stay as they are
check [DIR] [N ...]   check all exercises, or some
hint N                a hint, in three levels; never the answer
watch [DIR] [N ...]   check again at every save, until Ctrl-C
solution N [DIR]      a solution with comments, once yours is right
milestone [DIR] N     a net of your own learns something: after 4, 6 and 7
grade DIR...          many hand-ins: marks, mistakes, and who is alike
gradescope FILE.zip   the package that grades on Gradescope
classroom FILE.yml    the workflow that checks in GitHub Classroom

Without DIR, `start` takes my-work, and check, watch, solution and milestone take
this folder. Every command but classroom takes --exercises FILE.py: exercises of
your own, beside the ten.
Exit codes: 0 done, or all right; 1 `check` has found something that is not
right, or a milestone is not reached; 2 bad input; 130 ended by Ctrl-C, 143 by
SIGTERM.
"""

import argparse
import contextlib
import time
from pathlib import Path

from .. import cli
from ..check import absent, short
from ..errors import DataError
from . import typed
from .added import added
from .catalogue import BY_NUMBER, EXERCISES
from .checking import SECONDS, check, conventions_of
from .conventions import read_conventions
from .grading import command as grading
from .grading import github, gradescope
from .grading.command import chosen, grade, options_of
from .handouts import explanation, hand_out, solved
from .milestones import MILESTONES, reach
from .output import coloured, describe, summary, wrapped
from .progress import after


def run(arguments, prog):
    """Do what the arguments say; the exit code."""
    first = argparse.ArgumentParser(prog=prog, add_help=False, allow_abbrev=False)
    first.add_argument("--exercises", type=Path, metavar="FILE.py")
    mine, rest = first.parse_known_args(arguments)
    with added(mine.exercises) if mine.exercises else contextlib.nullcontext():
        return _run(rest, prog, mine.exercises)


def _run(arguments, prog, exercises):
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    number = dict(type=_number, metavar="N", help="the number of an exercise")

    start = commands.add_parser("start", help="copy the starters")
    start.add_argument("folder", type=Path, metavar="DIR", nargs="?", default=Path("my-work"),
                       help="a folder (default: %(default)s)")  # fmt: skip
    start.add_argument("--conventions", type=Path, metavar="FILE", help="a term's own: a JSON file")

    one = commands.add_parser("check", help="check all exercises, or some")
    words = "a folder (this one, if left out), then numbers of exercises (all, if left out)"
    one.add_argument("words", nargs="*", metavar="DIR|N", help=words)

    hint = commands.add_parser("hint", help="a hint, in three levels")
    hint.add_argument("number", **number)
    hint.add_argument("--level", type=int, choices=[1, 2, 3], default=1, help="(default: 1)")

    watch = commands.add_parser("watch", help="check again at every save")
    watch.add_argument("words", nargs="*", metavar="DIR|N", help=words)

    solution = commands.add_parser("solution", help="a solution with comments, once yours is right")
    solution.add_argument("number", **number)
    solution.add_argument("folder", type=Path, metavar="DIR", nargs="?", default=Path("."),
                          help="where yours lies (default: this folder)")  # fmt: skip
    solution.add_argument("--force", action="store_true", help="show it in any case (teachers)")

    reached = commands.add_parser("milestone", help="a net of your own learns something")
    reached.add_argument("words", nargs="+", metavar="DIR|N",
                         help="a folder (this one, if left out), and 4, 6 or 7")  # fmt: skip
    reached.add_argument("--seed", type=cli.seed, default=0,
                         help="of all random numbers (default: 0)")  # fmt: skip

    grade = commands.add_parser("grade", help="many hand-ins: marks, mistakes, who is alike")
    grading.add_options(grade)
    for command in (one, watch, solution, reached):
        command.add_argument("--seconds", type=cli.whole, default=SECONDS,
                             help="limit for one exercise (default: %(default)s)")  # fmt: skip

    package = commands.add_parser("gradescope", help="the package that grades on Gradescope")
    package.add_argument("file", type=Path, metavar="FILE.zip")
    workflow = commands.add_parser("classroom", help="the workflow for GitHub Classroom")
    workflow.add_argument("file", type=Path, metavar="FILE.yml")
    workflow.add_argument("--install", required=True, metavar="WHAT",
                          help="minirnn for pip: an address (git+https://...), or a wheel "
                          "that lies in the repository")  # fmt: skip
    for command in (package, workflow):
        grading.add_choice(command)
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 0
    if args.command in ("check", "watch", "milestone"):
        try:
            args.folder, args.numbers = _split(args.words)
        except argparse.ArgumentTypeError as error:
            commands.choices[args.command].error(f"argument N: {error}")
    args.exercises = exercises
    if args.command == "classroom":
        own = exercises, args.conventions, args.seconds != SECONDS
        names = "exercises", "conventions", "seconds"
        cli.no_effect("with classroom", **dict(zip(names, own, strict=True)))
    if args.command == "solution":
        cli.no_effect("with --force", seconds=args.force and args.seconds != SECONDS)
    return COMMANDS[args.command](args)


def _split(words):
    """(folder, numbers) of the words after a command: this folder where the first is a number."""
    folder, numbers = Path("."), words
    if words and (not words[0].isdecimal() or Path(words[0]).is_dir()):
        folder, numbers = Path(words[0]), words[1:]
    return folder, list(dict.fromkeys(map(_number, numbers)))  # each once


def _number(text):
    if cli.digits(text) not in BY_NUMBER:
        numbers = ", ".join(map(str, BY_NUMBER))
        raise argparse.ArgumentTypeError(f"{short(text)} must be an exercise: {numbers}")
    return cli.digits(text)


def _folder(path):
    if path.is_file():
        raise DataError(f"{path} is a file; name the folder that it lies in, and its number")
    if not path.is_dir():
        raise DataError(absent(path, "folder"))
    return path


def start(args):
    """Copy the starters into `args.folder`, and say what to run next; the exit code 0.

    Raises `DataError` where others were handed out there, in other conventions.
    """
    conventions = conventions_of(args.folder)
    if args.conventions:
        given = read_conventions(args.conventions)
        names = ["conventions.json", *[exercise.file for exercise in EXERCISES]]
        if given != conventions and any((args.folder / name).exists() for name in names):
            raise DataError(
                f"{args.folder} was handed out with other conventions than {args.conventions}; use "
                "another folder"
            )
        conventions = given
        print(explanation(conventions))
    written, left = hand_out(args.folder, conventions)
    for path in left:
        print(f"{path.name} is there already: left as it is")
    first = next((e for e in EXERCISES if args.folder / e.file in written), EXERCISES[0])
    files = "1 file" if len(written) == 1 else f"{len(written)} files"
    print(f"{files} in {args.folder}. Begin with {first.file}, then run\n")
    print(f"    {typed.exercises('check', args.folder, first.number)}")
    return 0


def check_some(args):
    """Check the exercises that are asked for, or all that are there; the exit code, 0 if all is
    right.

    Raises `DataError` where there is no such folder, or no exercise in it.
    """
    exercises = [BY_NUMBER[n] for n in args.numbers] or EXERCISES
    folder, colour, results = _folder(args.folder), coloured(), []
    conventions = conventions_of(folder)
    for exercise in exercises:
        result = check(exercise, folder, conventions, args.seconds)
        if result.mark != "missing" or args.numbers:
            results.append(result)
            print(describe(result, colour), flush=True)
    if not results:
        raise DataError(
            f"there are no exercises in {folder}; "
            f"{typed.exercises('start', folder)} copies them there"
        )
    if len(results) > 1:
        print(f"\n{summary(results, colour)}")
    if any(results):
        say(after(folder, conventions, results))
    elif len(args.numbers) == 1:
        say([f"a hint: {typed.exercises('hint', args.numbers[0])}"])
    return 0 if all(results) else 1


def hint(args):
    """Print one of an exercise's three hints; the exit code 0."""
    exercise = BY_NUMBER[args.number]
    print(f"exercise {exercise.number}: {exercise.title}\n")
    for line in wrapped(exercise.hints[args.level - 1], ""):
        print(line)
    if args.level < 3:
        more = typed.exercises("hint", exercise.number, "--level", args.level + 1)
        print(f"\nmore: {more}")
    return 0


def watch(args, wait=time.sleep):
    """Check what has changed, again and again, until Ctrl-C. wait(seconds): between two looks."""
    exercises = [BY_NUMBER[n] for n in args.numbers] or EXERCISES
    folder, colour, seen = _folder(args.folder), coloured(), {}
    print(f"watching {folder}: what is saved there is checked; Ctrl-C ends it", flush=True)
    while True:
        for exercise in exercises:
            path = folder / exercise.file
            stamp = path.stat().st_mtime_ns if path.is_file() else None
            if stamp == seen.get(exercise.number):
                continue
            new = exercise.number not in seen
            seen[exercise.number] = stamp
            if stamp is None or (new and not args.numbers):
                continue  # at first, only what was asked for by its number is looked at
            time.sleep(0.05)  # an editor may still be writing
            result = check(exercise, folder, conventions_of(folder), args.seconds)
            print(time.strftime("\n%H:%M:%S"))
            print(describe(result, colour), flush=True)
            if result:
                say(after(folder, conventions_of(folder), [result]))
        wait(0.5)


def say(lines):
    """Print lines below a result."""
    for line in lines:
        print(f"    {line}", flush=True)


def solution(args):
    """Print the solution of an exercise, once the one in `args.folder` is right; the exit code 0.

    Raises `DataError` before that, unless `args.force` is given.
    """
    exercise = BY_NUMBER[args.number]
    conventions = conventions_of(args.folder)
    if not args.force and not check(exercise, _folder(args.folder), conventions, args.seconds):
        raise DataError(
            f"exercise {exercise.number} in {args.folder} is not right yet, and its solution is "
            f"shown after that; {typed.exercises('hint', exercise.number)} helps"
        )
    print(solved(exercise.file, conventions), end="")
    return 0


def milestone(args):
    """Let a net of the student's own learn something; the exit code 0 if it is reached, else 1.

    Raises `DataError` for another number than 4, 6 or 7, and where an exercise is not right yet.
    """
    if len(args.numbers) != 1 or args.numbers[0] not in MILESTONES:
        numbers = " ".join(map(str, args.numbers)) or "left out"
        raise DataError(f"the milestone is {numbers}, but must be one of 4, 6 and 7: the exercise "
                        "after which it comes")  # fmt: skip
    folder = _folder(args.folder)
    reached = reach(args.numbers[0], folder, conventions_of(folder), args.seconds, args.seed)
    return 0 if reached else 1


def package(args):
    """Write Gradescope's package for these exercises; the exit code 0."""
    chosen(args)  # what is wrong with the options is said now
    if args.conventions:
        read_conventions(args.conventions)
    gradescope.package(args.file, options_of(args), args.exercises, args.conventions)
    print(f"{args.file} is the autograder: upload it to the assignment as it is")
    return 0


def workflow(args):
    """Write GitHub Classroom's workflow for these exercises; the exit code 0."""
    exercises, worth = chosen(args)
    github.write(args.file, exercises, worth, args.install)
    print(f"{args.file} belongs into the template repository, as .github/workflows/classroom.yml")
    return 0


COMMANDS = {
    "start": start, "check": check_some, "hint": hint, "watch": watch, "solution": solution,
    "milestone": milestone, "grade": grade, "gradescope": package, "classroom": workflow,
}  # fmt: skip
