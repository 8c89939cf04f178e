"""The grader's own trouble, which says nothing about a hand-in: no room, no process, no memory."""

import errno
import tempfile

CURES = {
    errno.ENOSPC: "make room in {place}, or set TMPDIR to a folder with more",
    errno.EDQUOT: "make room in {place}, or set TMPDIR to a folder with more",
    errno.EROFS: "set TMPDIR to a folder that can be written, instead of {place}",
    errno.EAGAIN: "end other processes, or raise the limit on them (ulimit -u)",
    errno.ENOMEM: "end other programs, or use a machine with more memory",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "end other programs",
    errno.EACCES: "see to the permissions of {place} and of this Python",
}


def sentence_on(error, what):
    """What the grader could not do, why, and the cure where one is known, for a `GraderError`."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    code = errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
    if isinstance(error, RuntimeError) and "thread" in str(error):
        code = errno.EAGAIN
    cure = CURES.get(code, "run the command again").format(place=tempfile.gettempdir())
    return f"the grader could not {what} ({why}), and no mark was given for it; {cure}"
