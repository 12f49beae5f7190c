"""Archives of our own that are damaged or made by hand: every kind of damage ends in findings, and in nothing else."""

import random
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.damage import copy_archive
from helpers.stored import (
    FILES,
    TABLES,
    assert_same,
    change_manifest,
    found,
    make_by_hand,
    read,
    tiny,
    with_cell,
    with_column,
)

from selfinterp_stats import DataError, check_archive, read_archive

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The small experiment, written; not to be changed."""
    return tiny().write(tmp_path_factory.mktemp("stored") / "tiny")


@pytest.fixture
def folder(written, tmp_path):
    return copy_archive(written, tmp_path / "copy")


# Damage to the manifest


def entry(**changes):
    return lambda content: content["tables"]["decisions"].update(changes)


MANIFESTS = [
    (lambda content: content.update(format="selfinterp-reanalysis"), "unknown-format"),
    (lambda content: content.update(format=None), "unknown-format"),
    (lambda content: content.update(format=["selfinterp-archive"]), "unknown-format"),
    (lambda content: content.update(version=2), "newer-version"),
    (lambda content: content.update(version=10**400, tables=3), "newer-version"),
    (lambda content: content.update(version=0), "unreadable-file"),
    (lambda content: content.update(version=-1), "unreadable-file"),
    (lambda content: content.update(version=1.0), "unreadable-file"),
    (lambda content: content.update(version=1.5), "unreadable-file"),
    (lambda content: content.update(version=float("inf")), "unreadable-file"),
    (lambda content: content.update(version="1"), "unreadable-file"),
    (lambda content: content.update(version=True), "unreadable-file"),
    (lambda content: content.pop("version") and None, "unreadable-file"),
    (lambda content: content.update(software=3), "unreadable-file"),
    (lambda content: content.update(software={"x": 1}), "unreadable-file"),
    (lambda content: content.update(tables=[]), "unreadable-file"),
    (lambda content: content.pop("tables") and None, "unreadable-file"),
    (lambda content: content["tables"].update(decisions=None), "unreadable-file"),
    (entry(file="../decisions.parquet"), "unreadable-file"),
    (entry(file=["decisions.parquet"]), "unreadable-file"),
    (entry(rows=-1), "unreadable-file"),
    (entry(rows="24"), "unreadable-file"),
    (entry(rows=True), "unreadable-file"),
    (entry(sha256="abc"), "unreadable-file"),
    (entry(sha256=None), "unreadable-file"),
    (entry(conditions=None), "unreadable-file"),
    (entry(conditions="prompt"), "unreadable-file"),
    (entry(conditions=[["prompt"]]), "unreadable-file"),
    (entry(conditions=["prompt", "prompt"]), "unreadable-file"),
    (lambda content: [content], "unreadable-file"),
    (lambda content: "text", "unreadable-file"),
]


@pytest.mark.parametrize(("change", "kind"), MANIFESTS)
def test_a_manifest_with_something_wrong_in_it(folder, change, kind):
    change_manifest(folder, change)
    ((told, file, _, _),) = found(folder)
    assert (told, file) == (kind, "manifest.json")
    with pytest.raises(DataError):
        read_archive(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"\x00", b"[" * 100_000, b'{"version": ' + b"9" * 5000 + b"}"])
def test_a_manifest_that_is_no_json(folder, content):
    (folder / "manifest.json").write_bytes(content)
    assert found(folder) == [("unreadable-file", "manifest.json", None, None)]


def test_a_manifest_that_is_not_there(folder):
    (folder / "manifest.json").unlink()
    assert found(folder) == [("missing-file", "manifest.json", None, None)]
    (folder / "manifest.json").mkdir()
    assert [kind for kind, *_ in found(folder)] == ["unreadable-file"]


def test_remedies(folder):
    change_manifest(folder, lambda content: content.update(version=2))
    (newer,) = check_archive(folder).errors
    assert newer.remedy == "upgrade selfinterp-stats"
    change_manifest(folder, lambda content: content.update(version=1))
    path = folder / "targets.parquet"
    pq.write_table(pq.read_table(path), path, compression="none")
    (changed,) = check_archive(folder).errors
    assert (changed.kind, changed.file) == ("changed-file", "targets.parquet")
    assert "write the archive again with Archive.write" in changed.remedy


# Damage to tables


@pytest.mark.parametrize("file", FILES)
def test_files_that_are_missing_or_something_else(folder, file):
    content = (folder / file).read_bytes()
    (folder / file).unlink()
    assert [(kind, name) for kind, name, *_ in found(folder)] == [("missing-file", file)]
    (folder / file).mkdir()
    assert [(kind, name) for kind, name, *_ in found(folder)] == [("missing-file", file)]
    (folder / file).rmdir()
    (folder / file).write_text("scenario,attribute\n")
    assert [(kind, name) for kind, name, *_ in found(folder)] == [("unreadable-file", file)]
    (folder / file).write_bytes(content)
    assert found(folder) == []


def test_a_manifest_without_scenarios(folder):
    change_manifest(folder, lambda content: content["tables"].pop("scenarios") and None)
    assert found(folder) == [("missing-file", "scenarios.parquet", None, None)]


def test_rows_that_the_manifest_does_not_count(folder):
    change_manifest(folder, entry(rows=23))
    assert found(folder) == [("changed-file", "decisions.parquet", None, None)]


CELLS = [
    ("scenarios", 3, "attribute", "", "missing-value"),
    ("scenarios", 3, "attribute", "price", "doubled-attribute"),
    ("scenarios", 3, "low", None, "missing-value"),
    ("scenarios", 3, "high", -5.0, "bad-range"),
    ("scenarios", 3, "high", float("inf"), "not-a-number"),
    ("scenarios", 3, "slot", 5, "wrong-attribute"),
    ("scenarios", 3, "slot", None, "missing-value"),
    ("decisions", 4, "chosen", "C", "bad-choice"),
    ("decisions", 5, "chosen", None, "bad-choice"),
    ("decisions", 4, "p_a", 1.5, "bad-probability"),
    ("decisions", 4, "preferences", "neither", "bad-preferences"),
    ("decisions", 4, "scenario", "elsewhere", "unknown-scenario"),
    ("decisions", 4, "scenario", None, "missing-value"),
    ("decisions", 4, "a_2", None, "missing-value"),
    ("decisions", 4, "b_1", 1e60, "not-a-number"),
    ("decisions", 4, "a_3", 1.0, "wrong-attribute"),
    ("decisions", 9, "trial", "t5", "doubled-trial"),
    ("reports", 4, "report", 1e60, "not-a-number"),
    ("reports", 2, "report", None, "missing-value"),
    ("reports", 2, "attribute", "beauty", "wrong-attribute"),
    ("reports", 2, "slot", 2, "wrong-attribute"),
    ("reports", 2, "scenario", "elsewhere", "unknown-scenario"),
    ("reports", 2, "preferences", "neither", "bad-preferences"),
    ("reports", 2, "status", "unparsed", "contradiction"),
    ("reports", 3, "attribute", "price", "doubled-reply"),
    ("targets", 3, "target", None, "missing-value"),
    ("targets", 3, "scenario", "elsewhere", "unknown-scenario"),
    ("targets", 3, "attribute", "price", "doubled-scenario"),
    ("targets", 3, "slot", 1, "wrong-attribute"),
]


@pytest.mark.parametrize(("table", "row", "column", "value", "kind"), CELLS)
def test_damage_to_a_cell_is_named_with_its_place(folder, table, row, column, value, kind):
    make_by_hand(folder, table, with_cell(row, column, value))
    told = found(folder)
    assert (kind, f"{table}.parquet") in {(k, file) for k, file, *_ in told}
    first = next(t for t in told if t[0] == kind)
    if not kind.startswith(("doubled", "contradiction")):
        assert first[2:] == (row, column)
    with pytest.raises(DataError):
        read_archive(folder)


def test_a_broken_scenario_is_not_called_unknown(folder):
    make_by_hand(folder, "scenarios", with_cell(3, "high", None))
    assert found(folder) == [("missing-value", "scenarios.parquet", 3, "high")]


def test_all_scenarios_broken(folder):
    make_by_hand(folder, "scenarios", with_column("high", lambda column: pa.nulls(len(column))))
    assert {kind for kind, *_ in found(folder)} == {"missing-value"}


TYPES = [
    ("scenarios", "scenario", lambda column: pa.array(range(len(column)))),
    ("scenarios", "slot", lambda column: column.cast(pa.float64())),
    ("scenarios", "low", lambda column: column.cast(pa.string())),
    ("decisions", "a_1", lambda column: column.cast(pa.string())),
    ("decisions", "p_a", lambda column: pa.array([True] * len(column))),
    ("decisions", "chosen", lambda column: pa.array([b"A"] * len(column))),
    ("decisions", "model", lambda column: pa.array([{"name": "x"}] * len(column))),
    ("decisions", "prompt", lambda column: pa.array([["x"]] * len(column))),
    ("decisions", "at", lambda column: pa.array([pd.Timestamp("2026-11-21", tz="UTC")] * len(column))),
    ("reports", "reply", lambda column: pa.array(range(len(column)))),
    ("reports", "report", lambda column: column.cast(pa.decimal128(20, 3))),
    ("targets", "attribute", lambda column: pa.array([1.5] * len(column))),
]


@pytest.mark.parametrize(("table", "column", "values"), TYPES)
def test_columns_of_another_type(folder, table, column, values):
    make_by_hand(folder, table, with_column(column, values))
    assert found(folder) == [("wrong-type", f"{table}.parquet", 1, column)]


@pytest.mark.parametrize("table", TABLES)
def test_columns_that_are_missing_or_doubled(folder, table, written):
    for name in pq.read_schema(folder / f"{table}.parquet").names:
        make_by_hand(folder, table, lambda arrow, name=name: arrow.drop_columns([name]))
        assert found(folder) == [("missing-column", f"{table}.parquet", 1, name)]
        shutil.rmtree(folder)
        copy_archive(written, folder)
    make_by_hand(folder, table, lambda arrow: arrow.append_column("scenario", arrow.column("scenario")))
    assert found(folder) == [("doubled-column", f"{table}.parquet", 1, "scenario")]


def test_tables_without_any_column(folder):
    for table in TABLES:
        make_by_hand(folder, table, lambda arrow: pa.table({}))
    assert {kind for kind, *_ in found(folder)} == {"missing-column"}


def test_other_types_with_the_same_meaning(folder):
    make_by_hand(folder, "decisions", with_column("chosen", lambda column: column.dictionary_encode()))
    make_by_hand(folder, "decisions", with_column("model", lambda column: column.cast(pa.large_string())))
    make_by_hand(folder, "scenarios", with_column("slot", lambda column: column.cast(pa.uint8())))
    make_by_hand(folder, "reports", with_column("a", lambda column: pa.nulls(len(column))))
    assert found(folder) == []
    after, before = read(folder), tiny()
    pd.testing.assert_frame_equal(after.decisions.frame, before.decisions.frame)
    pd.testing.assert_frame_equal(after.scenarios.frame, before.scenarios.frame)
    assert after.reports.frame["a"].isna().all()


def test_columns_that_nobody_lists(folder):
    extra = pa.array(range(24))
    make_by_hand(folder, "decisions", lambda arrow: arrow.append_column("mood", extra).append_column("a_9", pa.nulls(24)))
    assert found(folder) == []
    assert ("unused-column", "decisions.parquet", 1, "mood") in found(folder, "warning")
    assert_same(tiny(), read(folder))


@pytest.mark.parametrize("name", ["count", "row", "report_1", "x/y", "condition_x/y", "", "given"])
def test_a_condition_never_takes_the_place_of_a_column_of_ours(folder, name):
    for table in ("decisions", "reports"):
        make_by_hand(folder, table, lambda arrow: arrow.append_column(name, pa.array([7] * arrow.num_rows)))
        change_manifest(folder, lambda content, t=table: content["tables"][t]["conditions"].append(name))
    after, before = read(folder), tiny()
    for mine, theirs in ((after.decisions, before.decisions), (after.reports, before.reports)):
        pd.testing.assert_frame_equal(mine.frame[list(theirs.frame.columns)], theirs.frame)
        assert (mine.conditions[-1] == name) == (name == "given")
        assert set(mine.frame[mine.conditions[-1]]) == {7}
    assert ("renamed-column" in {p.kind for p in after.problems}) == (name != "given")


def test_a_column_of_ours_listed_as_a_condition(folder):
    change_manifest(folder, lambda content: content["tables"]["decisions"]["conditions"].append("chosen"))
    frame = read(folder).decisions.frame
    assert frame["condition_chosen"].equals(frame["chosen"])


@pytest.mark.parametrize("file", FILES)
def test_truncated_files(folder, file):
    content = (folder / file).read_bytes()
    for length in (0, 1, 4, 8, 12, 100, len(content) // 2, len(content) - 100, len(content) - 8, len(content) - 1):
        (folder / file).write_bytes(content[:length])
        assert [(kind, name) for kind, name, *_ in found(folder)] == [("unreadable-file", file)]


def test_flipped_bytes(folder):
    rng = random.Random(20261121)
    names = ["manifest.json", *FILES]
    for _ in range(150):
        name = rng.choice(names)
        content = (folder / name).read_bytes()
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 3))):
            damaged[rng.randrange(len(damaged))] ^= rng.randrange(1, 256)
        (folder / name).write_bytes(damaged)
        problems = check_archive(folder)
        assert all(p.file and p.found and p.expected and p.remedy for p in problems)
        problems.describe().encode("utf-8")
        if name != "manifest.json":
            assert {p.file for p in problems.errors if p.kind in ("unreadable-file", "changed-file")} == {name}
        (folder / name).write_bytes(content)
    assert found(folder) == []
