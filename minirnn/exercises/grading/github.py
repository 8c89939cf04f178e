"""GitHub Classroom: a workflow that checks every push, one test an exercise."""

import json

from ...errors import DataError
from ...storage.files import write_atomic
from .table import writable

HEAD = """\
# Checks the exercises at every push. The template repository holds it as
# .github/workflows/classroom.yml, with the starters beside .github.
name: Exercises
on: [push, workflow_dispatch]
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  exercises:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: minirnn
        run: python -m pip install -q "$MINIRNN"
        env:
          MINIRNN: {install}
"""
TEST = """\
      - name: {title}
        id: exercise-{number}
        uses: classroom-resources/autograding-command-grader@v1
        with:
          test-name: {title}
          command: python -P -m minirnn exercises check . {number}
          timeout: 2
          max-score: {points:g}
"""
REPORT = """\
      - name: report
        uses: classroom-resources/autograding-grading-reporter@v1
        env:
{results}
        with:
          runners: {runners}
"""


def text(exercises, points, install):
    """The workflow as YAML; install: what pip installs minirnn from."""
    tests = [
        TEST.format(title=json.dumps(f"Exercise {e.number}: {e.title}"), number=e.number,
                    points=points[e.number])
        for e in exercises
    ]  # fmt: skip
    names = [f"exercise-{e.number}" for e in exercises]
    results = "\n".join(
        f"          {name.upper()}_RESULTS: ${{{{ steps.{name}.outputs.result }}}}"
        for name in names
    )
    report = REPORT.format(results=results, runners=",".join(names))
    return HEAD.format(install=json.dumps(install)) + "".join(tests) + report


def write(path, exercises, points, install):
    """Write the workflow. Raises `DataError` where it is there already or cannot be written."""
    if path.exists():
        raise DataError(f"{path} is there already; remove it, or give another name")
    writable(path, "FILE.yml")
    write_atomic(path, text(exercises, points, install).encode())
