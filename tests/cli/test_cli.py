"""The command as a user meets it: what it prints, what it writes, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.damage import copy_archive, set_cell

from selfinterp_stats import __version__
from selfinterp_stats.cli import main
from selfinterp_stats.cli.progress import Steps


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return ended.value.code, out, err


def test_reanalyze(capsys, archive_folder, tmp_path):
    code, out, err = _run(capsys, "reanalyze", archive_folder, "--out", tmp_path / "out", "--draws", 200)
    assert code == 0
    assert "Used against reported weights" in out
    assert "introspection-trained" in out
    assert "reading the archive" in err
    assert "done in" in err
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_quiet_and_json(capsys, archive_folder, tmp_path):
    code, out, err = _run(capsys, "reanalyze", archive_folder, "--out", tmp_path / "a", "--draws", 200, "--quiet")
    assert (code, out, err) == (0, "", "")
    code, out, _ = _run(capsys, "reanalyze", archive_folder, "--out", tmp_path / "b", "--draws", 200, "--json")
    assert code == 0
    assert len(json.loads(out)["correlations"]) == 6


def test_warnings_are_shown_and_counted(capsys, archive_folder, tmp_path):
    folder = copy_archive(archive_folder, tmp_path / "copy")
    (folder / "notes.txt").write_text("x")
    code, _, err = _run(capsys, "reanalyze", folder, "--out", tmp_path / "out", "--draws", 200)
    assert code == 0
    assert "warning: notes.txt: unrecognised-file (1)" in err
    assert "notes.txt" in (tmp_path / "out" / "attrition.csv").read_text()
    code, _, err = _run(capsys, "reanalyze", folder, "--out", tmp_path / "other", "--strict")
    assert code == 2
    assert "notes.txt: unrecognised-file" in err


def test_bad_input(capsys, archive_folder, tmp_path):
    folder = copy_archive(archive_folder, tmp_path / "copy")
    set_cell(folder / "agent-1_instilled_selections.csv", 2, "selection", "C")
    code, _, err = _run(capsys, "reanalyze", folder, "--out", tmp_path / "out")
    assert code == 2
    assert "row 2, column selection: bad-choice: found 'C'; expected A or B" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reanalyze", "nowhere", "--out", "x"], "archive: expected a folder"),
        (["reanalyze", "nowhere"], "Missing option '--out'"),
        (["reanalyze", "nowhere", "--out", "x", "--draws", "3"], "draws: expected a whole number from 100"),
        (["reanalyze", "nowhere", "--out", "x", "--seed", "-1"], "seed: expected"),
        (["reanalyze", "nowhere", "--out", "x", "--draws", "many"], "is not a valid integer"),
        (["reanalyze", "nowhere", "--out", "."], "out: expected a folder that does not exist yet"),
        (["check", "nowhere"], "archive: expected a folder"),
        (["chek"], "No such command 'chek'"),
    ],
)
def test_usage(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = _run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert out == ""


def test_existing_out_and_force(capsys, archive_folder, tmp_path):
    arguments = ["reanalyze", archive_folder, "--out", tmp_path / "out", "--draws", 200, "--quiet"]
    assert _run(capsys, *arguments)[0] == 0
    code, _, err = _run(capsys, *arguments)
    assert code == 2
    assert "--force" in err
    assert _run(capsys, *arguments, "--force")[0] == 0


def test_check(capsys, archive_folder, tmp_path):
    code, out, _ = _run(capsys, "check", archive_folder)
    assert code == 0
    assert "0 errors" in out
    folder = copy_archive(archive_folder, tmp_path / "copy")
    for row in range(2, 10):
        set_cell(folder / "agent-1_instilled_selections.csv", row, "selection", "C")
    (folder / "notes.txt").write_text("x")
    code, out, _ = _run(capsys, "check", folder)
    assert code == 2
    assert "and 5 more" in out
    assert "8 errors" in out
    assert _run(capsys, "check", folder, "--all")[1].count("bad-choice") == 8
    findings = json.loads(_run(capsys, "check", folder, "--json")[1])
    assert {f["kind"] for f in findings} >= {"bad-choice", "unrecognised-file"}


def test_strict_check(capsys, archive_folder, tmp_path):
    folder = copy_archive(archive_folder, tmp_path / "copy")
    (folder / "notes.txt").write_text("x")
    assert _run(capsys, "check", folder)[0] == 0
    assert _run(capsys, "check", folder, "--strict")[0] == 2


def test_help_and_version(capsys):
    for arguments in ([], ["--help"], ["reanalyze", "--help"], ["check", "-h"]):
        _, out, err = _run(capsys, *arguments)
        assert "Example" in out + err
    assert _run(capsys, "--version")[1] == f"selfinterp, version {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(capsys, shell):
    code, out, _ = _run(capsys, "completion", shell)
    assert code == 0
    assert "_SELFINTERP_COMPLETE" in out


def test_a_reader_that_has_seen_enough(archive_folder):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "selfinterp_stats", "check", str(archive_folder), "--all"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_bug_is_called_one(capsys, monkeypatch, archive_folder, tmp_path):
    def fail(*args, **kwargs):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("selfinterp_stats.archive.check_archive", fail)
    with pytest.raises(SystemExit) as ended:
        main(["check", str(archive_folder)])
    assert ended.value.code == 1
    assert "a bug of ours" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(archive_folder, tmp_path, number):
    code = (
        # a test run in the background may have been told to ignore it
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import selfinterp_stats.report.reanalysis as r, time\n"
        "r.fit_choices = lambda *a, **k: time.sleep(30)\n"
        "from selfinterp_stats.cli import main\n"
        f"main(['reanalyze', {str(archive_folder)!r}, '--out', {str(tmp_path / 'out')!r}])"
    )
    process = subprocess.Popen([sys.executable, "-u", "-c", code], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "fitting" in line:
            break
    time.sleep(0.2)
    process.send_signal(number)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 130
    assert "interrupted; nothing was written" in rest
    assert list(tmp_path.iterdir()) == []


def test_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Steps(2, quiet=False) as steps:
        steps.begin("one")
        steps.begin("two")
    assert "one" in capsys.readouterr().err or os.environ.get("TERM") is None
