"""`grade`: a class of hand-ins, each graded by itself; rows that are done are never lost."""

import argparse
import contextlib
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from ... import cli
from ...check import short
from ...data import printable
from ...errors import DataError, GraderError
from ...storage.files import write_figure
from .. import catalogue
from ..checking import SECONDS, check
from ..conventions import Conventions, read_conventions
from ..fence import required
from ..output import coloured, paint
from ..sandbox import holding
from ..trouble import sentence_on
from . import gradescope, mistakes, similarity
from .feedback import Feedback
from .hand_ins import students
from .marks import Graded, judged, not_there, points_of
from .table import Table, writable

AT_ONCE = 2  # hand-ins that run at the same time


def add_options(parser):
    """The options of `grade`."""
    add = parser.add_argument
    add("folders", type=Path, nargs="+", metavar="DIR",
        help="a hand-in, or a folder of hand-ins; a zip file of either")  # fmt: skip
    add_choice(parser)
    add("--csv", type=Path, metavar="FILE",
        help="a table, one row a hand-in; rows of others that are in it stay")  # fmt: skip
    add("--feedback", type=Path, metavar="DIR", help="a text for each student, in this folder")
    add("--picture", type=Path, metavar="FILE.png", help="the table of mistakes as a picture")
    add("--json", type=Path, metavar="FILE", help="Gradescope's results.json, for one hand-in")
    add("--compare", type=Path, nargs="+", default=[], metavar="DIR",
        help="other hand-ins, last term's say, to look for copies of")  # fmt: skip
    add("--require-fence", action="store_true",
        help="refuse where the operating system holds no fence")  # fmt: skip
    add("--seed", type=cli.seed, metavar="N",
        help="draw the inputs of an earlier run again (default: new ones)")  # fmt: skip


def add_choice(parser):
    """The options that say what is graded, and what it is worth."""
    parser.add_argument("--only", type=number, nargs="+", metavar="N", help="these alone")
    parser.add_argument("--points", type=points, nargs="+", default=[], metavar="N=POINTS",
                        help="what an exercise is worth; POINTS for all (10)")  # fmt: skip
    parser.add_argument("--conventions", type=Path, metavar="FILE", help="those of this term")
    parser.add_argument("--seconds", type=cli.whole, default=SECONDS,
                        help="limit for one exercise (default: %(default)s)")  # fmt: skip


def number(text):
    """An argparse type: the number of an exercise."""
    if cli.digits(text) is None:
        raise argparse.ArgumentTypeError(
            f"{short(text)} must be the number of an exercise (folders come first)"
        )
    return cli.digits(text)


def points(text):
    """An argparse type: `3=20` as (3, 20.0), `20` as (None, 20.0)."""
    exercise, sign, worth = text.rpartition("=")
    try:
        pair = int(exercise) if sign else None, float(worth)
    except ValueError:
        pair = None, 0.0
    if not 0 < pair[1] <= 10**6:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be N=POINTS, as 3=20, or POINTS, above 0 (folders come first)"
        )
    return pair


def chosen(args):
    """(exercises, {number: points}) that the options name. Raises `DataError`."""
    wanted = args.only or list(catalogue.BY_NUMBER)
    for number in wanted:
        if number not in catalogue.BY_NUMBER:
            known = ", ".join(map(str, catalogue.BY_NUMBER))
            raise DataError(f"--only names exercise {number}, but there are {known}")
    exercises = [catalogue.BY_NUMBER[number] for number in sorted(set(wanted))]
    names = [number for number, _ in args.points]
    twice = next((n for n in names if names.count(n) > 1), "")
    if twice != "":
        which = "all exercises" if twice is None else f"exercise {twice}"
        raise DataError(f"--points has points for {which} twice; give them once")
    return exercises, points_of(exercises, dict(args.points))


def options_of(args):
    """The options of `add_choice` as they were given, without the conventions' file."""
    words = ["--only", *args.only] if args.only else []
    pairs = [f"{worth:g}" if n is None else f"{n}={worth:g}" for n, worth in args.points]
    words += ["--points", *pairs] if pairs else []
    return [str(word) for word in (*words, "--seconds", args.seconds)]


def grade(args):
    """Grade hand-ins, a line for each, and write the files that are asked for; the exit code 0.

    Raises `DataError` where nothing can be graded or written, and `GraderError` where the grader
    has trouble of its own; with `--json` there is a result all the same, which says so.
    """
    cli.files_of_their_own(csv=args.csv, picture=args.picture, json=args.json)
    if args.json is None:
        return _grade(args)
    cli.no_effect("with --json", picture=args.picture)
    began, path = time.monotonic(), writable(args.json, "--json")
    try:
        return _grade(args)
    except BaseException as error:
        gradescope.write_failure(path, error, time.monotonic() - began)
        raise


def _settings(args):
    """(exercises, {number: points}, conventions) that the options name. With `--json` nobody has
    typed them just now: an error in them is the grader's, and no fault of the hand-in."""
    try:
        conventions = read_conventions(args.conventions) if args.conventions else Conventions()
        return *chosen(args), conventions
    except DataError as error:
        raise (GraderError(str(error)) if args.json else error) from None


def _grade(args):
    exercises, worth, conventions = _settings(args)
    seed = int(np.random.SeedSequence().entropy % 10**9) if args.seed is None else args.seed
    files = [exercise.file for exercise in exercises]
    fence = fence_here()
    if args.require_fence:
        required(fence)
    print(f"fence: {fence}")
    with scratch_folder() as scratch:
        class_, left_out = students(args.folders, files, scratch, alone=args.json is not None)
        if args.json and len(class_) != 1:
            raise DataError(
                f"--json is for one hand-in (Gradescope runs each by itself), not {len(class_)}"
            )
        others, _ = students(args.compare, files, scratch)
        sinks = _sinks(args, exercises, [student.name for student in class_])
        if left_out:
            names = ", ".join(printable(name, 40) for name in left_out[:10])
            print(f"no hand-ins, so not looked at: {names}" + ", ..." * (len(left_out) > 10))
        alike = similarity.pairs(exercises, _places(class_), _elsewhere(others), conventions)
        began, graded = time.monotonic(), []
        print(f"{'hand-in':30s}  total   {_numbers(exercises)}; seed {seed}", flush=True)
        options = dict(conventions=conventions, seconds=args.seconds, seed=seed)
        with contextlib.closing(run_class(class_, exercises, options)) as running:
            for student, results in running:
                one = Graded(student.name, results, worth, seed, student.remark,
                             similarity.of_one(alike, student.name))  # fmt: skip
                for sink in sinks:
                    sink.add(one)
                graded.append(one)
                print(row(one, coloured()), flush=True)
        if args.json:
            gradescope.write_results(args.json, graded[0], time.monotonic() - began)
        else:
            _report(args, graded, alike)
    return 0


def _numbers(exercises):
    """The numbers of exercises in words."""
    numbers = [exercise.number for exercise in exercises]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"exercises {numbers[0]} to {numbers[-1]}"
    return f"exercise{'s' * (len(numbers) > 1)} {' '.join(map(str, numbers))}"


def _sinks(args, exercises, names):
    """Where each row goes as soon as it is done; what cannot be written is found out now."""
    sinks = []
    if args.csv:
        sinks.append(Table(args.csv, [exercise.number for exercise in exercises], names))
    if args.feedback:
        sinks.append(Feedback(args.feedback))
    if args.picture:
        if args.picture.suffix.lower() != ".png":
            raise DataError(f"--picture is {args.picture}, but must be the name of a .png file")
        writable(args.picture, "--picture")
    return sinks


def _places(class_):
    return {student.name: student.folder for student in class_ if student.folder is not None}


def _elsewhere(others):
    """The places of other hand-ins, whose names show that they are of another folder."""
    return {f"{student.source.resolve().parent.name}/{student.name}": student.folder
            for student in others if student.folder is not None}  # fmt: skip


def fence_here():
    """The fence that holds here; `GraderError` where that cannot even be tried."""
    try:
        return holding()
    except OSError as error:
        raise GraderError(sentence_on(error, "try its fence")) from error


def scratch_folder():
    """A folder for what is unpacked; `GraderError` where there is no room for one."""
    try:
        return tempfile.TemporaryDirectory(prefix="minirnn-class-", ignore_cleanup_errors=True)
    except OSError as error:
        raise GraderError(sentence_on(error, "make a folder to unpack in")) from error


def run_class(class_, exercises, options):
    """(student, results) of each as soon as it is done, two at a time.

    Whatever ends this early lets the exercises that run come to their end and begins no others.
    Raises `GraderError` where the grader has trouble, after what was done by then.
    """
    over, trouble = threading.Event(), None

    def one(student):
        results = []
        for exercise in exercises:
            if over.is_set():
                return None
            if student.folder is None:
                results.append(not_there(exercise, student.remark))
            else:
                results.append(check(exercise, student.folder, **options))
        return results

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            running = {pool.submit(one, student): student for student in class_}
            for future in as_completed(running):
                try:
                    results = future.result()
                except GraderError as error:
                    trouble = trouble or error
                    over.set()
                    continue
                if results is not None:
                    yield running[future], results
        finally:
            over.set()
    if trouble:
        raise trouble


def row(graded, colour=False):
    """One line a hand-in: + right, . not written, x wrong, ! cannot be judged."""
    signs = []
    for result in graded.results:
        sign, shade = "x", "wrong"
        if result:
            sign, shade = "+", "right"
        elif result.mark in ("not written", "missing"):
            sign, shade = ".", "blank"
        elif not judged(result):
            sign = "!"
        signs.append(paint(sign, shade, colour))
    marks = sorted({r.mark for r in graded.results if not judged(r) and r.mark != "missing"})
    similar = next((r.mistake for r in graded.results if r.mark == "missing" and r.mistake), "")
    words = [printable(graded.remark or similar, 120), ", ".join(marks)]
    return (
        f"{printable(graded.name, 30):30s} {graded.total:6.2f}   {' '.join(signs)}  "
        f"{'; '.join(filter(None, words))}".rstrip()
    )


def _report(args, graded, alike):
    """The mistakes of the class, and who is alike."""
    rows = mistakes.counted(graded)
    if len(graded) > 1 and rows:
        print("\n" + "\n".join(mistakes.table(rows)))
    if alike:
        print("\n" + "\n".join(similarity.listed(alike)))
    if args.picture:
        write_figure(args.picture, mistakes.picture(rows, len(graded)))
