"""Fetching an archive from a server on this machine: whole files or none, and nothing overwritten."""

import errno
import gzip
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from selfinterp_stats.archive import fetch_archive
from selfinterp_stats.archive.fetching import PublishedFile, Registry, load_registry
from selfinterp_stats.archive.layout import recognise
from selfinterp_stats.cli import main
from selfinterp_stats.errors import ArgumentError

CONTENTS = {
    "data/roles.csv": b"role\nbaker\n",
    "data/paper/long.csv": bytes(range(256)) * 1000,  # four chunks
    "data/paper/scenarios.csv": b"scenario\nhotel\n",
}
NAMES = [path.rpartition("/")[2] for path in CONTENTS]
SIZES = {path.rpartition("/")[2]: len(content) for path, content in CONTENTS.items()}


class Server(ThreadingHTTPServer):
    """Serves `contents`; `answers` holds what happens instead at some paths."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents = dict(CONTENTS)
        self.answers = {}
        self.asked = []
        self.address = f"http://127.0.0.1:{self.server_port}/mirror"

    def handle_error(self, request, client_address):
        pass  # a client that has gone


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        path = self.path.removeprefix("/mirror/")
        self.server.asked.append(path)
        content = self.server.contents[path]
        answer = self.server.answers.get(path)
        if isinstance(answer, int):
            self.send_error(answer)
            return
        self.send_response(200)
        if answer == "compressed":  # as GitHub does
            self.send_header("Content-Encoding", "gzip")
            content, answer = gzip.compress(content), None
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if answer is None:
            self.wfile.write(content)
        else:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            answer()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    files = [PublishedFile(path, len(content), hashlib.sha256(content).hexdigest()) for path, content in CONTENTS.items()]
    registry = Registry("someone/something", "0" * 40, tuple(files))
    monkeypatch.setattr("selfinterp_stats.archive.fetching.load_registry", lambda name: registry)


@pytest.fixture
def place(tmp_path):
    """A folder in which nothing but the target may be left."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return ended.value.code, out, err


def test_fetches_every_file_and_nothing_else(server, place, capsys):
    calls = []
    found = fetch_archive("x", place / "a" / "out", base_url=server.address, progress=lambda *call: calls.append(call))
    assert found == place / "a" / "out"
    assert {name: (found / name).read_bytes() for name in _names(found)} == dict(zip(NAMES, CONTENTS.values(), strict=True))
    assert _names(place / "a") == ["out"]
    assert (found / "roles.csv").stat().st_mode & 0o777 == 0o644
    assert server.asked == list(CONTENTS)
    assert capsys.readouterr() == ("", "")  # pooch's log included
    long = [(done, total) for name, done, total in calls if name == "long.csv"]
    assert long == [(0, 256000), (65536, 256000), (131072, 256000), (196608, 256000), (256000, 256000)]
    assert [call for call in calls if call[0] == "roles.csv"] == [("roles.csv", 0, 11), ("roles.csv", 11, 11)]


def test_compressed_on_the_way(server, place):
    server.answers = dict.fromkeys(CONTENTS, "compressed")
    calls = []
    fetch_archive("x", place / "out", base_url=server.address, progress=lambda *call: calls.append(call))
    assert (place / "out" / "long.csv").read_bytes() == CONTENTS["data/paper/long.csv"]
    done = [done for name, done, _ in calls if name == "long.csv"]
    assert done == sorted(done)
    assert done[-1] == SIZES["long.csv"]


def test_out_is_the_name_by_default(server, place, monkeypatch):
    monkeypatch.chdir(place)
    assert fetch_archive("x", base_url=server.address + "/") == place / "x"
    assert _names(place) == ["x"]


def test_what_is_there_is_skipped(server, place):
    out = place / "out"
    out.mkdir()
    (out / "long.csv").write_bytes(CONTENTS["data/paper/long.csv"])
    (out / "notes.txt").write_text("mine")
    calls = []
    fetch_archive("x", out, base_url=server.address, progress=lambda *call: calls.append(call))
    assert server.asked == ["data/roles.csv", "data/paper/scenarios.csv"]
    assert [call for call in calls if call[0] == "long.csv"] == [("long.csv", 256000, 256000)]
    assert _names(out) == sorted([*NAMES, "notes.txt"])
    server.asked.clear()
    fetch_archive("x", out, base_url="http://127.0.0.1:1")
    assert server.asked == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_whole_files_and_the_next_call_the_rest(server, place, stop):
    def interrupt(name, done, total):
        if name == "long.csv" and done > 100000:
            assert len(_names(place)) == 2  # so the folder that must go again was there
            raise stop

    with pytest.raises(stop):
        fetch_archive("x", place / "out", base_url=server.address, progress=interrupt)
    assert _names(place) == ["out"]
    assert _names(place / "out") == ["roles.csv"]
    server.asked.clear()
    fetch_archive("x", place / "out", base_url=server.address)
    assert server.asked == ["data/paper/long.csv", "data/paper/scenarios.csv"]
    assert _names(place / "out") == sorted(NAMES)


def test_an_interruption_before_the_first_file_leaves_nothing(server, place):
    def interrupt(name, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_archive("x", place / "a" / "b" / "out", base_url=server.address, progress=interrupt)
    assert _names(place) == []
    (place / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fetch_archive("x", place / "out", base_url=server.address, progress=interrupt)
    assert _names(place) == ["out"]  # it was there before


def test_changed_files_are_refused_together_before_anything_is_downloaded(server, place):
    out = place / "out"
    out.mkdir()
    (out / "roles.csv").write_bytes(b"role\nmaker\n")  # the same size
    (out / "long.csv").symlink_to("nowhere")
    with pytest.raises(ArgumentError, match=r"where roles\.csv, long\.csv differ; move") as raised:
        fetch_archive("x", out, base_url=server.address)
    assert raised.value.argument == "out"
    assert server.asked == []
    assert (out / "roles.csv").read_bytes() == b"role\nmaker\n"
    assert _names(out) == ["long.csv", "roles.csv"]
    (out / "long.csv").unlink()
    (out / "roles.csv").unlink()
    (out / "scenarios.csv").mkdir()
    with pytest.raises(ArgumentError, match=r"where scenarios\.csv differs"):
        fetch_archive("x", out, base_url=server.address)


@pytest.mark.parametrize("same", [True, False])
def test_a_file_that_comes_into_being_meanwhile(server, place, same):
    content = CONTENTS["data/roles.csv"] if same else b"mine"

    def write(name, done, total):
        if name == "roles.csv" and done == 0:
            (place / "out" / "roles.csv").write_bytes(content)

    if same:
        fetch_archive("x", place / "out", base_url=server.address, progress=write)
    else:
        with pytest.raises(ArgumentError, match=r"roles\.csv differs"):
            fetch_archive("x", place / "out", base_url=server.address, progress=write)
    assert (place / "out" / "roles.csv").read_bytes() == content
    assert _names(place) == ["out"]


def _cut(server):
    server.answers["data/paper/long.csv"] = lambda: None


def _swap(server):
    server.contents["data/paper/long.csv"] = bytes(256000)


def _lengthen(server):
    server.contents["data/paper/long.csv"] = CONTENTS["data/paper/long.csv"] * 10


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_swap, "got 256000 bytes with [0-9a-f]{64} from http.*long.csv; it was discarded"),
        (_lengthen, "got more than 256000 bytes from http"),
        (_cut, r"expected long\.csv at http.*got .*(128000 bytes read|IncompleteRead)|got 128000 bytes with"),
        (lambda server: server.answers.update({"data/paper/long.csv": 404}), r"got HTTP status 404 \(Not Found\); check"),
        (lambda server: server.answers.update({"data/paper/long.csv": 500}), r"got HTTP status 500 \(Internal"),
    ],
)
def test_what_does_not_come_as_published(server, place, damage, message):
    damage(server)
    with pytest.raises(ArgumentError, match=message) as raised:
        fetch_archive("x", place / "out", base_url=server.address)
    assert raised.value.argument == "base_url"
    assert _names(place) == ["out"]
    assert _names(place / "out") == ["roles.csv"]


def test_no_server(place, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ArgumentError, match=r"expected roles\.csv at http://127\.0\.0\.1:1/data/roles\.csv, got .*refused"):
        fetch_archive("x", place / "out", base_url="http://127.0.0.1:1")
    assert _names(place) == []


@pytest.mark.parametrize("address", ["ftp://example.org", "example.org", "", "http://", "http://[::1"])
def test_no_address(place, address):
    with pytest.raises(ArgumentError, match="base_url: expected"):
        fetch_archive("x", place / "out", base_url=address)
    assert _names(place) == []


def test_a_full_disk(server, place):
    resource = pytest.importorskip("resource")  # a limit on files stands in for the disk's end
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ArgumentError, match="out: expected a place.*File too large; make room there"):
            fetch_archive("x", place / "out", base_url=server.address)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert _names(place) == ["out"]
    assert _names(place / "out") == ["roles.csv"]


def test_a_file_that_cannot_be_moved(server, place, monkeypatch):
    def fail(path, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.rename", fail)
    with pytest.raises(ArgumentError, match=r"out: expected .*cross-device"):
        fetch_archive("x", place / "out", base_url=server.address)
    assert _names(place) == []


def test_out_that_is_no_folder(server, place):
    (place / "file").write_text("mine")
    for out in (place / "file", place / "file" / "out"):
        with pytest.raises(ArgumentError, match="out: expected"):
            fetch_archive("x", out, base_url=server.address)
    assert _names(place) == ["file"]
    assert server.asked == []


def test_a_link_to_a_folder(server, place):
    (place / "far" / "real").mkdir(parents=True)
    (place / "out").symlink_to(place / "far" / "real")
    assert fetch_archive("x", place / "out", base_url=server.address) == place / "out"
    assert _names(place / "far" / "real") == sorted(NAMES)
    assert _names(place / "far") == ["real"]


def test_pooch_logs_again_afterwards(server, place):
    import pooch

    level = pooch.get_logger().level
    fetch_archive("x", place / "out", base_url=server.address)
    assert pooch.get_logger().level == level != logging.WARNING


def test_unknown_name(monkeypatch, capsys, place):
    monkeypatch.setattr("selfinterp_stats.archive.fetching.load_registry", load_registry)
    monkeypatch.chdir(place)
    code, out, err = _run(capsys, "fetch", "../plunkett-2025")
    assert (code, out) == (2, "")
    assert "name: expected one of 'plunkett-2025', got '../plunkett-2025'" in err
    assert _names(place) == []


def test_the_command(server, capsys, place):
    out = place / "my trials"
    code, said, err = _run(capsys, "fetch", "x", "--out", out, "--base-url", server.address)
    assert code == 0
    assert f"{out}: 3 files fetched, 0 skipped" in said
    assert f"selfinterp reanalyze '{out}' --out results" in said
    assert "s] long.csv (256,000 bytes)\n" in err
    (out / "long.csv").unlink()
    code, said, err = _run(capsys, "fetch", "x", "--out", out, "--base-url", server.address)
    assert code == 0
    assert "1 file fetched, 2 skipped" in said
    assert err.count("already there") == 2
    assert _run(capsys, "fetch", "x", "--out", out, "--base-url", server.address, "--quiet") == (0, "", "")


def test_the_command_on_a_terminal(server, capsys, place, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    (place / "roles.csv").write_bytes(CONTENTS["data/roles.csv"])
    code, out, err = _run(capsys, "fetch", "x", "--out", place, "--base-url", server.address)
    assert code == 0
    assert "2 files fetched, 1 skipped" in out
    assert "s] " not in err
    total = sum(SIZES.values())
    assert f"{total}/{total}" in err


def test_the_command_s_errors(server, capsys, place):
    server.answers["data/paper/long.csv"] = 404
    code, out, err = _run(capsys, "fetch", "x", "--out", place / "out", "--base-url", server.address)
    assert (code, out) == (2, "")
    assert "selfinterp: error: base_url: expected long.csv at http" in err
    (place / "out" / "roles.csv").write_bytes(b"mine")
    code, out, err = _run(capsys, "fetch", "x", "--out", place / "out", "--base-url", server.address, "--quiet")
    assert (code, out) == (2, "")
    assert "roles.csv differs" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_interrupted(server, capsys, place, number):
    def interrupt():
        os.kill(os.getpid(), number)
        time.sleep(0.5)

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background may have been told to ignore it
    server.answers["data/paper/long.csv"] = interrupt
    try:
        code, out, err = _run(capsys, "fetch", "x", "--out", place / "out", "--base-url", server.address, "--quiet")
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert (code, out) == (130, "")
    assert "interrupted; files fetched by then are complete and stay" in err
    assert "nothing was written" not in err
    assert _names(place) == ["out"]
    assert _names(place / "out") == ["roles.csv"]


def test_help_says_what_was_not_tried(capsys):
    code, out, _ = _run(capsys, "fetch", "--help")
    assert code == 0
    assert "could not be tried" in " ".join(out.split())


def test_importing_loads_no_downloader():
    code = "import selfinterp_stats, selfinterp_stats.cli, selfinterp_stats.archive.fetching, sys, json\n"
    code += "sys.stdout.write(json.dumps(list(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert {"pooch", "requests", "urllib3"}.isdisjoint(loaded)


def test_the_registry_is_whole():
    registry = load_registry("plunkett-2025")
    assert registry.address == (
        "https://raw.githubusercontent.com/jbejjani2022/self-interpretability/8241bff092738310df143f10cc9dffe9b93bface/"
    )
    names = [file.name for file in registry.files]
    assert len(set(names)) == len(names) == 31
    assert all(file.size > 0 and len(file.sha256) == 64 for file in registry.files)
    assert all(recognise(name).content != "unknown" for name in names)


@pytest.mark.archive
def test_the_registry_is_that_of_the_files(published):
    for file in load_registry("plunkett-2025").files:
        content = (published / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256), file.name
