"""`python -m minirnn download`: the names of the PyTorch tutorials, to try with `--data`; and
`download text`: tiny Shakespeare, the text that char-rnn reports on, to try with `--text`.

They are not part of minirnn. An archive is fetched into memory, its SHA-256 is compared before
anything in it is looked at, and then nothing but `data/names/<Language>.txt` is unpacked.
"""

import argparse
import contextlib
import hashlib
import http.client
import io
import os
import re
import shutil
import stat
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path

from ..data import printable
from ..errors import DataError
from .files import write_atomic

URL = "https://download.pytorch.org/tutorial/data.zip"
SHA256 = "fb317e80248faeb62dc25ef3390ae24ca34b94e276bbc5141fd8862c2200bff5"

TEXT_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
TEXT_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

TIMEOUT = 30  # seconds without an answer
LONGEST = 600  # seconds for the whole archive: a server may drip
LARGEST_ARCHIVE = 16 * 2**20  # bytes; the tutorials' has about 3 million
LARGEST_FILE = 4 * 2**20  # bytes of one list, unpacked
LARGEST_TOTAL = 16 * 2**20  # bytes of all lists, unpacked
MOST_ENTRIES = 1000

WANTED = re.compile(r"data/names/([^\W\d_][\w -]{0,60}\.txt)")
ESCAPES = re.compile(r"^/|\\|^[A-Za-z]:|(^|/)\.\.(/|$)|\0")


def run(arguments=None, prog=None):
    """The command: fetch, check, unpack, say how to go on. Raises `DataError` at the first snag."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Fetch the surnames of the PyTorch tutorials (18 languages), or tiny "
        "Shakespeare, a text of a million letters.",
    )
    add = parser.add_argument
    add("what", nargs="?", choices=("names", "text"), default="names", help="(%(default)s)")
    add("--output", metavar="PATH", help="a new folder (names-classic), or file (text-classic.txt)")
    add("--url", help="address of the archive, or of the text (where it is published)")
    add("--sha256", type=_hash, metavar="HEX", help="what it must hash to")
    args = parser.parse_args(arguments)
    if args.what == "text":
        return _text(args)
    output = Path(args.output or "names-classic")
    with _new_folder(output) as folder:
        archive = _fetched(args, URL, SHA256)
        lists = unpack(archive)
        for name, data in lists.items():
            (folder / name).write_bytes(data)
    print(f"wrote {len(lists)} lists of names to {_shown(output)}; train on them with\n")
    print("  python examples/names.py --data", _quoted(output))


def _text(args):
    output = Path(args.output or "text-classic.txt")
    if output.is_file() or output.is_symlink():
        raise DataError(f"{_shown(output)} exists already; remove it, or choose another --output")
    text = _fetched(args, TEXT_URL, TEXT_SHA256)
    write_atomic(output, text)
    print(f"wrote {len(text):,} bytes to {_shown(output)}; train on them with\n")
    print("  python examples/text.py --text", _quoted(output))


def _fetched(args, url, sha256):
    """The bytes that are asked for, fetched and checked."""
    url = args.url or url
    print(f"fetching {printable(url, 200)}")
    data = fetch(url)
    check(data, args.sha256 or sha256)
    return data


def _shown(path):
    return printable(str(path), 200)


def _quoted(path):
    return f'"{_shown(path)}"' if " " in _shown(path) else _shown(path)


def fetch(url):
    """The bytes at an http or https address; `DataError` where they cannot be had in `LONGEST`
    seconds, headers and all: a server may drip."""
    answer = []

    def work():
        try:
            answer.append(_fetch(url))
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=work, daemon=True)  # ends with the process, however it waits
    thread.start()
    thread.join(LONGEST)
    if not answer:
        shown = printable(url, 200)
        raise DataError(
            f"{shown} cannot be fetched (TimeoutError: not done after {LONGEST} seconds); is there "
            "a network?"
        )
    if isinstance(answer[0], Exception):
        raise answer[0]
    return answer[0]


def _fetch(url):
    shown = printable(url, 200)
    if not url.lower().startswith(("http://", "https://")):
        raise DataError(f"{shown} is not an address that starts with http:// or https://")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            data, promised = _read(answer), answer.headers.get("Content-Length", "")
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{shown} answers {error.code} {printable(str(error.reason))}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        mistyped = isinstance(error, (ValueError, http.client.InvalidURL))
        cure = "is the address typed rightly?" if mistyped else "is there a network?"
        raise DataError(
            f"{shown} cannot be fetched ({type(error).__name__}: {printable(str(reason))}); {cure}"
        ) from None
    if len(data) > LARGEST_ARCHIVE:
        raise DataError(f"{shown} is too large: more than {LARGEST_ARCHIVE >> 20} MiB")
    if promised.isdecimal() and len(promised) < 20 and len(data) < int(promised):
        raise DataError(f"{shown} was cut off after {len(data):,} of {int(promised):,} bytes")
    return data


def _read(answer):
    """At most `LARGEST_ARCHIVE` + 1 bytes, and for `LONGEST` seconds at most."""
    data, started = b"", time.monotonic()
    while len(data) <= LARGEST_ARCHIVE:
        if time.monotonic() - started > LONGEST:
            raise TimeoutError(f"not done after {LONGEST} seconds")
        piece = answer.read1(LARGEST_ARCHIVE + 1 - len(data))
        if not piece:
            break
        data += piece
    return data


def check(archive, sha256):
    """Raise `DataError` unless the bytes have this SHA-256."""
    digest = hashlib.sha256(archive).hexdigest()
    if digest != sha256:
        raise DataError(
            f"what was fetched has SHA-256 {digest}, but must have {sha256}; nothing was written: "
            "another file needs its own hash, with --sha256"
        )


def unpack(archive):
    """{file name: bytes} of `data/names/<Language>.txt` in a zip archive, given as bytes.

    The archive is not trusted: `DataError` for one whose entries point outside, are links, are
    compressed by rarer methods (whose memory zipfile does not bound), or are too many or too large.
    """
    lists, total = {}, 0
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            if len(entries) > MOST_ENTRIES:
                raise DataError(f"the archive has too many entries: more than {MOST_ENTRIES:,}")
            for entry in entries:
                name = _name(entry)
                if name is None:
                    continue
                if name.casefold() in map(str.casefold, lists):
                    raise DataError(f"the archive has {printable(name)} twice")
                with opened.open(entry) as file:  # what its header says of its size may be a lie
                    lists[name] = file.read(LARGEST_FILE + 1)
                total += len(lists[name])
                if len(lists[name]) > LARGEST_FILE or total > LARGEST_TOTAL:
                    raise DataError(f"the archive is too large unpacked, at {printable(name)}")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"the archive is not a whole zip file ({error})") from None
    except (RuntimeError, NotImplementedError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the archive cannot be unpacked ({error})") from None
    if not lists:
        raise DataError("the archive holds no names: no file data/names/<Language>.txt")
    return lists


def _name(entry):
    """The file name of an entry that is wanted, else None; `DataError` for a dangerous one."""
    path = entry.orig_filename  # .filename has backslashes replaced, and is cut at a zero byte
    if ESCAPES.search(path):
        raise DataError(f"the archive has an entry that points outside it: {printable(path)}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise DataError(f"the archive has an entry that is a link: {printable(path)}")
    match = WANTED.fullmatch(path)
    if match and entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"the archive's {printable(path)} is compressed by an unusual method")
    return match and match[1]


@contextlib.contextmanager
def _new_folder(target):
    """A folder to fill, which becomes `target` if all goes well, and disappears if not."""
    shown = printable(str(target), 200)
    if os.path.lexists(target):
        raise DataError(f"{shown} exists already; remove it, or choose another --output")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir()
        yield temporary
        os.rename(temporary, target)
    except OSError as error:
        raise DataError(f"{shown} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _hash(text):
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError(f"{printable(text)!r} must be 64 hexadecimal digits")
    return text.lower()
