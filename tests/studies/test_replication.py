"""Replications of a study: the same rows however they are computed, and nothing lost or done twice after a kill."""

import argparse
import importlib.util
import json
import random
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout


@pytest.fixture(scope="module")
def replication(checkout):
    path = checkout / "analyses" / "studies" / "replication.py"
    spec = importlib.util.spec_from_file_location("replication_of_studies", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(replication, tmp_path):
    """Run in this process, into one file, unless told otherwise."""
    return partial(replication.run_replications, results=tmp_path / "rows.jsonl", jobs=1, label="squares")


class Task:
    """Counts its calls in this process, and fails for some numbers."""

    def __init__(self, failing=()):
        self.calls = []
        self.failing = failing

    def __call__(self, number):
        self.calls.append(number)
        if number in self.failing:
            raise ArithmeticError(f"no square of {number}")
        return {"square": number**2, "draw": random.Random(number).random(), "pair": (number, None)}


def expected(numbers):
    """What the task's rows are, once JSON has turned tuples into lists."""
    return [{"number": n, "square": n**2, "draw": random.Random(n).random(), "pair": [n, None]} for n in numbers]


def test_rows_are_sorted_by_number_and_all_in_the_file(run, tmp_path):
    assert run(Task(), [3, 1, 2, 1]) == expected([1, 2, 3])
    header, *rows = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    assert header == {"study": "squares", "settings": {}}
    assert sorted(rows, key=lambda row: row["number"]) == expected([1, 2, 3])


def test_rows_do_not_depend_on_the_number_of_jobs(run, tmp_path):
    def task(number):  # a function in a function travels to other processes as one of a script does
        if number == 4:
            raise ArithmeticError("no square of 4")
        return {"square": number**2, "draw": random.Random(number).random(), "pair": (number, None)}

    one = run(task, range(9), results=tmp_path / "one.jsonl", jobs=1)
    two = run(task, range(9), results=tmp_path / "two.jsonl", jobs=2)
    assert [row["number"] for row in two] == list(range(9))
    assert [row for row in one if "error" not in row] == [row for row in two if "error" not in row]
    assert "ArithmeticError: no square of 4" in one[4]["error"]
    assert "ArithmeticError: no square of 4" in two[4]["error"]


def test_other_processes_have_one_thread_each(run):
    def task(number):
        import os

        return {"threads": [os.environ.get(f"{name}_NUM_THREADS") for name in ("NUMBA", "OMP", "OPENBLAS")]}

    assert [row["threads"] for row in run(task, range(2), jobs=2)] == [["1"] * 3] * 2


def test_numbers_already_there_are_skipped(run):
    run(Task(), range(3))
    task = Task()
    assert run(task, range(5)) == expected(range(5))
    assert task.calls == [3, 4]
    again = Task()
    assert run(again, [0, 4]) == expected(range(5))
    assert again.calls == []


@pytest.mark.parametrize("cut", [1, 2, 9, 30])
def test_a_torn_last_line_is_computed_again(run, tmp_path, cut):
    path = tmp_path / "rows.jsonl"
    run(Task(), range(3))
    path.write_bytes(path.read_bytes()[:-cut])
    task = Task()
    assert run(task, range(4)) == expected(range(4))
    assert task.calls == [2, 3]
    assert len(path.read_text().splitlines()) == 5


def test_zeros_that_a_power_cut_leaves_are_dropped(run, tmp_path):
    path = tmp_path / "rows.jsonl"
    run(Task(), range(2))
    path.write_bytes(path.read_bytes() + bytes(40))
    assert run(Task(), range(3)) == expected(range(3))
    assert b"\0" not in path.read_bytes()


def test_a_torn_header_is_written_again(run, tmp_path):
    path = tmp_path / "rows.jsonl"
    run(Task(), [])
    whole = path.read_bytes()
    for size in (0, 5, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert run(Task(), []) == []
        assert path.read_bytes() == whole


def test_a_line_damaged_elsewhere_is_not_dropped(run, tmp_path):
    path = tmp_path / "rows.jsonl"
    run(Task(), range(3))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:9] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(SystemExit, match=r"rows\.jsonl, line 2, is no replication"):
        run(Task(), range(3))
    assert path.read_bytes() == b"".join(lines)


def test_a_file_with_a_header_alone_is_gone_on_with(run, tmp_path):
    assert run(Task(), []) == []
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1
    assert run(Task(), range(2)) == expected(range(2))


def test_without_numbers_the_rows_there_are_returned(run):
    run(Task(), range(2))
    assert run(Task(failing=range(9)), []) == expected(range(2))


def test_failures_are_recorded_counted_and_tried_again(run, capsys):
    rows = run(Task(failing=[1, 3]), range(4))
    assert [row["number"] for row in rows] == [0, 1, 2, 3]
    assert "ArithmeticError: no square of 1" in rows[1]["error"]
    assert "squares: 2 of 4 replications failed" in capsys.readouterr().err
    task = Task(failing=[3])
    rows = run(task, range(4))
    assert task.calls == [1, 3]
    assert rows[:3] == expected(range(3))
    assert "ArithmeticError" in rows[3]["error"]
    assert "1 of 4" in capsys.readouterr().err
    assert run(Task(), range(4)) == expected(range(4))
    assert "failed" not in capsys.readouterr().err


@pytest.mark.parametrize("row", [{"error": 0.1}, {"number": 7}, {"path": Path()}, None])
def test_a_row_that_cannot_be_kept_is_a_failure(run, row):
    (kept,) = run(lambda number: row, [5])
    assert kept["number"] == 5
    assert "Traceback" in kept["error"]


def test_another_study_or_setting_is_refused(run, tmp_path):
    path = tmp_path / "rows.jsonl"
    run(Task(), range(2), settings={"trials": (50, 100), "agent": "m"})
    before = path.read_bytes()
    assert run(Task(), range(2), settings={"agent": "m", "trials": [50, 100]}) == expected(range(2))
    for change in ({"settings": {"trials": (50, 50), "agent": "m"}}, {"settings": None}, {"label": "cubes"}):
        with pytest.raises(SystemExit, match="of another study or has other settings") as refusal:
            run(Task(), range(3), **{"settings": {"trials": (50, 100), "agent": "m"}, **change})
        assert "--results" in str(refusal.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["number,square\n", "notes", '{"number": 1}\n'])
def test_a_file_of_another_kind_is_refused_and_left_alone(run, tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(SystemExit, match="Its first line is"):
        run(Task(), range(2))
    assert path.read_text() == text


def test_a_row_is_in_the_file_as_soon_as_it_is_finished(run, tmp_path):
    def count(number):
        return {"lines": (tmp_path / "rows.jsonl").read_bytes().count(b"\n")}

    assert [row["lines"] for row in run(count, range(3))] == [1, 2, 3]


def test_a_run_that_is_stopped_keeps_what_is_finished(run):
    def stop(number):
        if number == 2:
            raise KeyboardInterrupt
        return Task()(number)

    with pytest.raises(KeyboardInterrupt):
        run(stop, range(4))
    assert run(Task(), []) == expected(range(2))


def test_a_run_ends_when_nothing_is_finished_any_more(run):
    def task(number):
        import time

        time.sleep(60 * number)
        return {"square": number}

    with pytest.raises(SystemExit, match="No replication finished in 2 seconds"):
        run(task, range(2), jobs=2, patience=2)


def test_studies_have_the_same_options(replication):
    parser = argparse.ArgumentParser()
    replication.add_arguments(parser, replications=200, results=Path("rows.jsonl"))
    assert vars(parser.parse_args([])) == {
        "replications": 200,
        "jobs": -1,
        "cluster": None,
        "results": Path("rows.jsonl"),
        "patience": 3600.0,
    }
    given = parser.parse_args("--replications 5 --jobs 2 --cluster tcp://host:8786 --results other --patience 9".split())
    assert vars(given) == {
        "replications": 5,
        "jobs": 2,
        "cluster": "tcp://host:8786",
        "results": Path("other"),
        "patience": 9.0,
    }
