"""A report that a person can act on: which rung broke, which array, gate, step and entry."""

import textwrap
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Rung:
    """One step of the ladder: a name, and the verdicts on it."""

    name: str
    verdicts: list

    def __bool__(self):
        return all(self.verdicts)


@dataclass
class CheckResult:
    """The result of a check; true where everything is right, so `assert report` is a whole test."""

    title: str
    rungs: list = field(default_factory=list)
    picture: str = ""
    diagnosis: str = ""
    bugs: list = field(default_factory=list)  # the mistakes of the zoo that do the same
    section: str = ""  # the chapter to read

    def __bool__(self):
        return all(self.rungs)

    @property
    def findings(self):
        """All findings, the first rung's first."""
        return [f for rung in self.rungs for verdict in rung.verdicts for f in verdict.findings]

    def __str__(self):
        lines = _wrapped(f"{self.title}: {'right' if self else 'WRONG'}", "")
        notes = []
        for rung in self.rungs:
            lines.append(f"  {'ok   ' if rung else 'WRONG'} {rung.name}")
            for verdict in rung.verdicts:
                notes += [note for note in verdict.notes if note not in notes]
                for finding in verdict.findings[:6]:
                    lines += _wrapped(finding.message, " " * 8)
                    if finding.claimed is not None:
                        for line in worst_entry(verdict, finding):
                            lines += _wrapped(line, " " * 8)
                if len(verdict.findings) > 6:
                    lines.append(f"        and {len(verdict.findings) - 6} more")
        for note in notes:
            lines += _wrapped(f"note: {note}", "  ")
        if self.picture:
            lines += ["", *self.picture.splitlines()]
        if self.diagnosis:
            lines += ["", *_wrapped(self.diagnosis, "  ")]
        if self.section and not self:
            lines += [f"  read: {self.section}"]
        return "\n".join(lines)

    __repr__ = __str__


def _wrapped(text, indent):
    """Lines of at most 100 characters, the later ones of a paragraph set in by two more."""
    lines = []
    for line in text.splitlines() or [""]:
        lines += textwrap.wrap(
            line, 100, initial_indent=indent, subsequent_indent=indent + "  ",
            drop_whitespace=True, break_on_hyphens=False,
        ) or [indent]  # fmt: skip
    return lines


def worst_entry(verdict, finding):
    """Return where the largest error is, in words, with both values; and the gates that are off."""
    claimed, expected = finding.claimed, finding.expected
    off = np.abs(claimed - expected)
    entry = np.unravel_index(int(off.argmax()), off.shape) if off.ndim else ()
    gates, names = verdict.problem.axes.get(finding.where, (None, None))
    words = []
    for axis, place in enumerate(entry):
        name = names[axis] if names else None
        if name == "gate":
            words.append(f"gate {gates[place]}")
        else:
            words.append(f"{name} {place}" if name else str(place))
    values = f"yours {float(claimed[entry]):+.6g}, expected {float(expected[entry]):+.6g}"
    lines = [f"at {', '.join(words)}: {values}" if words else values]
    if names and names[0] == "gate" and len(gates) > 1:
        size = np.abs(expected).max() or 1.0
        wrong = [g for k, g in enumerate(gates) if off[k].max() > 1e-6 * size]
        if wrong and len(wrong) < len(gates):
            right = [g for g in gates if g not in wrong]
            lines.append(f"gates off: {', '.join(wrong)}; right: {', '.join(right)}")
    return lines


def draw_picture(gates, claimed, expected):
    """Draw the gates and steps that are off: a row a gate, a column a step, from dgx [G, T, ...].

    . right   # off
    """
    size = max(np.abs(expected).max(), 1e-300)
    T = expected.shape[1]
    off = np.abs(claimed - expected).reshape(len(gates), T, -1).max(axis=2) > 1e-9 * size
    lines = ["  gates x steps   (. right, # off; backward runs from right to left)"]
    lines.append("      " + " ".join(f"{t:2d}" for t in range(T)))
    for gate, row in zip(gates, off, strict=True):
        lines.append(f"    {gate} " + " ".join(" #" if wrong else " ." for wrong in row))
    if off.any():
        first = T - 1 - int(off.any(axis=0)[::-1].argmax())
        which = ", ".join(g for g, wrong in zip(gates, off[:, first], strict=True) if wrong)
        lines.append(
            f"  the first step that backward gets wrong is {first} (gate {which})"
            if first == T - 1
            else f"  step {first + 1} is right, step {first} is not (gate {which}): look at what "
            f"goes from {first + 1} to {first}"
        )
    return "\n".join(lines)
