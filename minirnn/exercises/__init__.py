"""The classroom: exercises that say what is wrong. `python -m minirnn exercises --help`.

What students get lies in `examples/exercises/`, and the course plan in `docs/teaching.md`. A
hand-in is never imported here: `sandbox` runs it in a process of its own, which knows no answers
and returns arrays, and the judges compare those with what the library computes. In a notebook:

    from minirnn import exercises
    exercises.check(MyCell, 3)
"""

from .notebook import Checked, check

__all__ = ["Checked", "check"]
