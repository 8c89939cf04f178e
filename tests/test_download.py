"""`python -m minirnn download` against a server on this machine, friendly and hostile."""

import hashlib
import http.server
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from archives import archive, encrypted, link

import minirnn
from minirnn import __main__ as door
from minirnn import cli
from minirnn.data import load_names
from minirnn.storage import download

LISTS = {"Greek": b"Kartas\nVamvas\n", "Czech": "Dvořák\nHájek\n".encode()}


def good():
    lists = [(f"data/names/{language}.txt", text) for language, text in LISTS.items()]
    return archive([("data/", b""), ("data/eng-fra.txt", b"Go.\tVa !\n"), *lists])


def raw_name(name):
    """An entry whose name goes into the archive as it is, backslashes too."""
    entry = zipfile.ZipInfo("x")
    entry.filename = entry.orig_filename = name
    return entry


@pytest.fixture(scope="module")
def server():
    """A server whose `pages` are {path: (status, bytes, promised length)}; it counts requests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests += 1
            status, content, length = self.server.pages.get(self.path, (404, b"", 0))
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.pages, server.requests = {}, 0
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def get(server, tmp_path, capsys, monkeypatch):
    """get(content, *options): (exit code, stdout, stderr) of the command, run in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(content, *options, status=200, length=None, sha256=None):
        server.pages["/data.zip"] = (status, content, len(content) if length is None else length)
        url = f"http://127.0.0.1:{server.server_address[1]}/data.zip"
        sha256 = sha256 or hashlib.sha256(content).hexdigest()
        arguments = ["download", "--url", url, "--sha256", sha256, *options]
        code = cli.main(lambda: door.run(arguments))
        return code, *capsys.readouterr()

    return run


def refused(result, *words):
    """One sentence on stderr with these words in it, exit code 2, and nothing left behind."""
    code, _, err = result
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1
    for word in words:
        assert word in err
    assert list(Path().iterdir()) == [], "something was left behind"


def test_unpacks_the_lists_and_nothing_else(get):
    code, out, err = get(good())
    assert (code, err) == (0, "")
    assert "wrote 2 lists" in out and "python examples/names.py --data names-classic" in out
    written = {path.name: path.read_bytes() for path in Path("names-classic").iterdir()}
    assert written == {f"{language}.txt": text for language, text in LISTS.items()}
    assert [path.name for path in Path().iterdir()] == ["names-classic"]
    assert load_names("names-classic").languages == ["Czech", "Greek"]


def test_other_folder_and_capital_hash(get):
    code, out, _ = get(good(), "--output", "my names", sha256=hashlib.sha256(good()).hexdigest())
    assert code == 0 and '--data "my names"' in out and Path("my names/Greek.txt").is_file()
    upper = hashlib.sha256(good()).hexdigest().upper()
    assert get(good(), "--output", "b", sha256=upper)[0] == 0


def test_wrong_hash_names_both_and_looks_at_nothing(get, monkeypatch):
    monkeypatch.setattr(download, "unpack", lambda archive: pytest.fail("unpacked before checked"))
    found = hashlib.sha256(good()).hexdigest()
    refused(get(good(), sha256="ab" * 32), found, "ab" * 32)


def test_the_default_is_the_tutorials_archive():
    assert download.URL.startswith("https://") and download.URL.endswith("/tutorial/data.zip")
    assert download.SHA256[:8] == "fb317e80" and len(download.SHA256) == 64


@pytest.mark.parametrize(
    "name",
    [
        "/data/names/A.txt", "../data/names/A.txt", "data/names/../../A.txt", "data/names/..",
        "C:/data/names/A.txt", "c:A.txt", "data\\names\\A.txt", "data/names/..\\A.txt",
        "\\\\host\\share\\A.txt", "data/names/A.txt\0.exe",
    ],
)  # fmt: skip
def test_an_entry_that_points_outside(get, name):
    refused(get(archive([("data/names/Good.txt", b"Good\n"), (raw_name(name), b"x")])), "outside")


@pytest.mark.parametrize("name", ["data/names/A.txt", "data/names", "data/other"])
def test_an_entry_that_is_a_link(get, name):
    content = archive([("data/names/Good.txt", b"Good\n"), (link(name), b"/etc/passwd")])
    refused(get(content), "link")


def test_bombs(get, monkeypatch):
    zeros = bytes(download.LARGEST_FILE + 1)
    refused(get(archive([("data/names/A.txt", zeros)])), "too large", "A.txt")
    many = [(f"data/names/A{chr(97 + k)}.txt", zeros[:-1]) for k in range(5)]
    refused(get(archive(many)), "too large", "Ae.txt")
    entries = [(f"data/x{k}", b"") for k in range(download.MOST_ENTRIES + 1)]
    refused(get(archive(entries)), "too many")
    monkeypatch.setattr(download, "LARGEST_ARCHIVE", 100)
    refused(get(good()), "too large")


def test_a_bomb_that_lies_about_its_size(get):
    """The header says 5 bytes; what comes out is still bounded, and wrong."""
    content = bytearray(archive([("data/names/A.txt", bytes(download.LARGEST_FILE + 1))]))
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (5).to_bytes(4, "little")
    refused(get(bytes(content)), "not a whole zip")


def test_rarer_compression(get):
    content = archive([("data/names/A.txt", b"Good\n" * 9)], zipfile.ZIP_LZMA)
    refused(get(content), "unusual", "A.txt")


def test_encrypted(get):
    refused(get(encrypted(archive([("data/names/A.txt", b"Good\n")]))), "cannot be unpacked")


def test_names_that_differ_in_capitals_only(get):
    """On some file systems the second would overwrite the first."""
    refused(get(archive([("data/names/A.txt", b"a\n"), ("data/names/a.txt", b"b\n")])), "twice")


def test_cut_off(get):
    half = good()[: len(good()) // 2]
    refused(get(half, length=len(good())), "cut off")
    refused(get(half), "not a whole zip")
    broken = bytearray(good())
    broken[broken.index(b"Greek.txt") + 12] ^= 255
    refused(get(bytes(broken)), "not a whole zip")


def test_not_a_zip_and_no_names(get):
    refused(get(b"<html>Sorry</html>"), "not a whole zip")
    refused(get(archive([("data/eng-fra.txt", b"x"), ("names/A.txt", b"x")])), "no names")
    refused(get(archive([("data/names/deep/A.txt", b"x"), ("data/names/.txt", b"")])), "no names")


@pytest.mark.parametrize("status", [404, 500, 403])
def test_http_errors(get, status):
    refused(get(b"", status=status), str(status))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "file:///etc/hostname", "http://[::1", "http://", "nonsense"]
)
def test_addresses_that_answer_nothing(get, url):
    refused(get(b"", "--url", url), url)


def test_an_existing_folder_stays_as_it_is(get, server):
    Path("names-classic").mkdir()
    Path("names-classic/mine.txt").write_text("mine")
    Path("file").write_text("mine")
    before = server.requests
    for output in ("names-classic", "file", "."):
        code, _, err = get(good(), "--output", output)
        assert code == 2 and err.startswith("error: ") and "exists already" in err
    assert server.requests == before, "fetched in vain"
    assert Path("names-classic/mine.txt").read_text() == Path("file").read_text() == "mine"


def test_a_link_to_nowhere_counts_as_existing(get):
    try:
        Path("names-classic").symlink_to("nowhere")
    except OSError:
        pytest.skip("no links here")
    code, _, err = get(good())
    assert code == 2 and "exists already" in err and Path("names-classic").is_symlink()


def test_a_target_that_cannot_be_written(get):
    Path("file").write_text("")
    for output in ("missing/names", "file/names", "x" * 300):
        code, _, err = get(good(), "--output", output)
        assert code == 2 and err.count("\n") == 1 and "cannot be written" in err
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_a_failure_while_writing_leaves_nothing(get, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    refused(get(good()), "No space left")


def test_malformed_hash(get):
    with pytest.raises(SystemExit) as stopped:
        get(good(), "--sha256", "abc")
    assert stopped.value.code == 2


def test_a_server_that_drips(get, monkeypatch):
    monkeypatch.setattr(download, "LONGEST", -1)
    code, _, err = get(good())
    assert code == 2 and "cannot be fetched (TimeoutError: not done after -1 seconds)" in err


# The door


def python_m(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "minirnn", *arguments], capture_output=True, text=True, timeout=60,
        cwd=Path(minirnn.__file__).parents[1],
    )  # fmt: skip


def test_the_door_lists_its_commands():
    alone, asked = python_m(), python_m("--help")
    assert alone.returncode == asked.returncode == 0
    assert alone.stdout == asked.stdout and alone.stderr == asked.stderr == ""
    for command in door.COMMANDS:
        assert f"  {command} " in alone.stdout
    one = python_m("download", "--help")
    assert one.returncode == 0 and "usage: python -m minirnn download" in one.stdout


def test_an_unknown_command():
    found = python_m("fly")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("error: there is no command fly") and "download" in found.stderr


def test_the_version(capsys):
    assert door.run(["--version"]) == 0
    assert capsys.readouterr().out == f"minirnn {minirnn.__version__}\n"
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in text and 'path = "minirnn/__init__.py"' in text
