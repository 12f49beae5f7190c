"""The archive format of our own: what is written is read back exactly, and nothing is half written."""

import hashlib
import json
import shutil
import stat
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers.damage import add_column, copy_archive
from helpers.stored import FILES, TABLES, assert_same, change_manifest, found, read, tiny

from selfinterp_stats import (
    ArgumentError,
    DataError,
    Decisions,
    SelfInterpWarning,
    Targets,
    check_archive,
    read_archive,
    reanalyze,
    write_reanalysis,
)

GOLDEN = Path(__file__).parent / "golden" / "selfinterp-archive-1"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The small experiment, written; not to be changed."""
    return tiny().write(tmp_path_factory.mktemp("stored") / "tiny")


@pytest.fixture
def folder(written, tmp_path):
    return copy_archive(written, tmp_path / "copy")


# Reading back


def test_what_is_written_is_read_back(written):
    archive = tiny()
    after = read(written)
    assert_same(archive, after)
    assert after.path == written
    frame = after.decisions.frame
    types = {name: str(frame[name].dtype) for name in after.decisions.conditions}
    assert list(types.values())[1:] == ["int32", "float64", "bool", "datetime64[us]"]
    assert after.reports.conditions == ("condition_count",)
    assert set(after.reports.frame["status"]) == {"valid", "refused"}
    assert after.reports.frame["report"].isna().sum() == 10
    assert not check_archive(written).errors


def test_a_published_archive_is_kept_row_by_row(archive, tmp_path):
    assert_same(archive, read(archive.write(tmp_path / "ours")))


def test_conditions_of_some_files_only(archive_folder, tmp_path):
    folder = copy_archive(archive_folder, tmp_path / "copy")
    add_column(folder / "agent-1_instilled_selections.csv", "trigger", ["True", "", " padded "])
    add_column(folder / "agent-1_weight_reports.csv", "count", ["1"])
    add_column(folder / "agent-1_weight_reports.csv", "x/y", ["1"])
    archive = read(folder)
    after = read(archive.write(tmp_path / "ours"))
    assert_same(archive, after)
    assert after.reports.conditions == ("version", "condition_count", "x_y")
    assert "renamed-column" not in {p.kind for p in after.problems}
    findings = {(p.kind, p.scenario) for p in archive.problems if p.kind != "renamed-column"}
    assert findings == {(p.kind, p.scenario) for p in after.problems}


def test_flags_with_gaps(tmp_path):
    archive = tiny()
    flags = np.where(np.arange(24) % 3 == 0, np.nan, np.arange(24) % 2 == 0).astype(object)
    flags[np.arange(24) % 3 != 0] = flags[np.arange(24) % 3 != 0].astype(bool)
    frame = archive.decisions.frame.assign(flag=pd.Series(flags, dtype=object))
    changed = replace(archive, decisions=Decisions(frame, (*archive.decisions.conditions, "flag")))
    assert_same(changed, read(changed.write(tmp_path / "ours")))


@pytest.mark.parametrize("empty", [("decisions",), ("reports",), ("targets",), TABLES[1:], TABLES])
def test_empty_tables(empty, tmp_path):
    nothing = tmp_path / "published"
    nothing.mkdir()
    (nothing / "scenarios.csv").write_text("scenario,attr1,attr1_min,attr1_max,attr2,attr2_min,attr2_max\n")
    if "scenarios" not in empty:
        header = ",".join(["scenario", *(f"attr{j}{end}" for j in range(1, 6) for end in ("", "_min", "_max"))])
        (nothing / "scenarios.csv").write_text(f"{header}\ns,{','.join(f'x{j},0,1' for j in range(5))}\n")
    blank = read(nothing)
    archive = replace(tiny(), **{table: getattr(blank, table) for table in empty})
    after = read(archive.write(tmp_path / "ours"))
    assert_same(archive, after)
    assert ("empty-file" in {p.kind for p in after.problems}) == ("scenarios" in empty)


def test_the_index_of_a_frame_is_no_data(tmp_path):
    archive = tiny()
    chosen = archive.decisions.frame.query("scenario != 'scenario_001'")
    smaller = replace(archive, decisions=Decisions(chosen, archive.decisions.conditions))
    after = read(smaller.write(tmp_path / "ours"))
    pd.testing.assert_frame_equal(after.decisions.frame, chosen.reset_index(drop=True))


def test_files_are_listed_with_digests(written):
    files = {role.name: (role.content, digest) for role, digest in read(written).files}
    assert list(files) == sorted(["manifest.json", *FILES])
    assert files["reports.parquet"][0] == "reports"
    assert all(digest == hashlib.sha256((written / n).read_bytes()).hexdigest() for n, (_, digest) in files.items())


def test_gaps_are_told_as_of_any_archive(tmp_path):
    archive = tiny()
    frame = archive.decisions.frame.query("scenario != 'scenario_001'").reset_index(drop=True)
    folder = replace(archive, decisions=Decisions(frame, archive.decisions.conditions)).write(tmp_path / "ours")
    told = {(p.kind, p.file, p.scenario) for p in check_archive(folder)}
    assert ("no-trials", "scenarios.parquet", "scenario_001") in told
    assert "reports-without-decisions" in {kind for kind, *_ in told}


def test_warnings_are_announced_with_the_folder(tmp_path, folder):
    (folder / "notes.txt").write_text("x")
    with pytest.warns(SelfInterpWarning, match=r"^copy: \d+ findings \(.*unrecognised-file 1"):
        read_archive(folder)


def test_a_reanalysis_of_tables_made_in_memory_names_no_folder(archive, archive_folder, tmp_path):
    folder = archive.write(tmp_path / "ours")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        result = reanalyze(folder, draws=100)
    in_memory = replace(result, archive=replace(result.archive, path=None, files=()))
    for mine, told in ((result, str(folder)), (in_memory, None)):
        out = write_reanalysis(mine, tmp_path / "out", force=True)
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["run"]["archive"] == told
        assert len(manifest["inputs"]) == (5 if told else 0)


# The file that must stay readable for ever


def test_the_first_version_stays_readable_for_ever():
    """Archives written today are read by every later release: never change this folder, nor what this test expects."""
    archive = read_archive(GOLDEN)
    scenarios = archive.scenarios
    assert scenarios.n_attributes == {"scenario_000": 2, "scenario_001": 3, "scenario_002": 5}
    assert scenarios.frame.iloc[9].tolist() == GOLDEN_SCENARIO
    decisions = archive.decisions
    assert decisions.conditions == ("prompt", "seed_used", "temperature", "trigger", "at")
    assert decisions.frame["chosen"].str.cat() == "BABABBABAABBABBAABBABABA"
    first, last = decisions.frame.iloc[0], decisions.frame.iloc[23]
    assert first[["base_model", "preferences", "model", "scenario", "trial"]].tolist() == GOLDEN_LABELS
    assert first[["p_a", "a_1", "a_2", "b_1", "b_2", "temperature"]].tolist() == GOLDEN_NUMBERS
    assert first[["a_3", "b_5"]].isna().all()
    assert round(decisions.frame[["a_1", "a_2", "b_1", "b_2", "p_a"]].sum().sum(), 3) == GOLDEN_SUM
    assert last[["a_5", "b_5"]].tolist() == GOLDEN_LAST
    assert last[["prompt", "seed_used", "trigger"]].tolist() == ["two\nlines, and a comma", 1, False]
    assert decisions.frame["at"].eq(pd.Timestamp("2026-11-21T10:00")).all()
    assert decisions.frame["p_a"].notna().sum() == 12
    reports = archive.reports
    assert reports.conditions == ("condition_count",)
    assert reports.frame.groupby("status").size().to_dict() == {"refused": 10, "valid": 20}
    assert reports.frame.query("status == 'refused'")["report"].isna().all()
    answers = reports.frame.query("scenario == 'scenario_001' and reply == '0'")
    assert answers["report"].tolist() == GOLDEN_REPORT
    targets = archive.targets.frame
    assert targets.query("scenario == 'scenario_001'")["target"].tolist() == GOLDEN_REPORT
    assert targets["slot"].tolist() == [1, 2, 1, 2, 3, 1, 2, 3, 4, 5]


GOLDEN_SCENARIO = ["scenario_002", "Which scenario_002?", 5, "distance", " €", 38.0, 84.8]
GOLDEN_LABELS = ["agent-1", "instilled", "ft:agent-1:é", "scenario_000", "t0"]
GOLDEN_NUMBERS = [0.633, 48.5, 31.1, 41.7, 32.4, 0.7]
GOLDEN_SUM = 4039.982
GOLDEN_LAST = [67.9, 59.0]
GOLDEN_REPORT = [72.0, 63.0, -100.0]


def test_the_golden_archive_is_small():
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) < 40_000


# Writing


def test_the_same_tables_give_the_same_bytes(written, tmp_path):
    again = read(written).write(tmp_path / "again")
    for name in ("manifest.json", *FILES):
        assert (again / name).read_bytes() == (written / name).read_bytes()
    manifest = json.loads((written / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["version"]) == ("selfinterp-archive", 1)
    assert set(manifest) == {"format", "version", "software", "tables"}
    assert manifest["tables"]["decisions"]["rows"] == 24
    assert b"pandas" not in (written / "decisions.parquet").read_bytes()
    assert stat.S_IMODE(written.stat().st_mode) == 0o755


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_nothing_is_ever_replaced(kind, tmp_path):
    target = tmp_path / "there"
    {"folder": target.mkdir, "file": target.touch, "link": lambda: target.symlink_to("nowhere")}[kind]()
    with pytest.raises(ArgumentError, match="path: expected a folder that does not exist"):
        tiny().write(target)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match="path: expected a place that can be written to"):
        tiny().write(tmp_path / "file" / "ours")


def test_nothing_is_left_half_written(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(ArgumentError, match="the disk is full"):
        tiny().write(tmp_path / "ours")
    assert list(tmp_path.iterdir()) == []


def with_condition(values):
    archive = tiny()
    frame = archive.decisions.frame.assign(odd=values)
    return replace(archive, decisions=Decisions(frame, (*archive.decisions.conditions, "odd")))


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, "text"] * 12, dtype=object),
        pd.Categorical(["x"] * 24),
        pd.array([1, None] * 12, dtype="Int64"),
        pd.Series([1j] * 24),
        pd.Series([[1]] * 24, dtype=object),
        pd.Timestamp("2026-11-21", tz="UTC"),
    ],
)
def test_conditions_that_would_not_be_read_back_are_refused(values, tmp_path):
    with pytest.raises(ArgumentError, match="decisions: expected columns"):
        with_condition(values).write(tmp_path / "ours")
    assert list(tmp_path.iterdir()) == []


def test_tables_that_no_reader_would_take_are_refused(tmp_path):
    archive = tiny()
    decisions, frame = archive.decisions, archive.decisions.frame
    wrong = replace(archive, decisions=Decisions(frame.assign(chosen="C"), decisions.conditions))
    with pytest.raises(DataError, match=r"decisions\.parquet, row 2, column chosen: bad-choice"):
        wrong.write(tmp_path / "ours")
    renamed = Decisions(frame.rename(columns={"prompt": "count"}), ("count", *decisions.conditions[1:]))
    with pytest.raises(ArgumentError, match="names of conditions"):
        replace(archive, decisions=renamed).write(tmp_path / "ours")
    with pytest.raises(ArgumentError, match="targets: expected the columns scenario, slot"):
        replace(archive, targets=Targets(archive.targets.frame.drop(columns="slot"))).write(tmp_path / "ours")
    padded = Decisions(frame.assign(trial=" " + frame["trial"]), decisions.conditions)
    with pytest.raises(ArgumentError, match="the column 'trial' of type str, which is read as 't0' and not ' t0'"):
        replace(archive, decisions=padded).write(tmp_path / "ours")
    assert list(tmp_path.iterdir()) == []


# Which layout a folder has


def test_a_strangers_manifest_beside_the_published_layout(archive_folder, tmp_path):
    for i, content in enumerate(['{"name": "mine"}', "[1]", "{", '{"format": "other"}', ""]):
        folder = copy_archive(archive_folder, tmp_path / str(i))
        (folder / "manifest.json").write_text(content)
        assert not check_archive(folder).errors
        assert ("unrecognised-file", "manifest.json", None, None) in found(folder, "warning")


def test_our_manifest_wins(folder, archive_folder):
    for name in ("scenarios.csv", "agent-1_instilled_selections.csv"):
        shutil.copy(archive_folder / name, folder)
    (folder / ".DS_Store").touch()
    (folder / "sub").mkdir()
    assert_same(tiny(), read(folder))
    told = {file for kind, file, *_ in found(folder, "warning") if kind == "unrecognised-file"}
    assert told == {"scenarios.csv", "agent-1_instilled_selections.csv", "sub"}


def test_a_table_that_the_manifest_does_not_list(folder):
    change_manifest(folder, lambda content: content["tables"].pop("reports") and None)
    assert found(folder) == []
    assert ("unrecognised-file", "reports.parquet", None, None) in found(folder, "warning")
    assert len(read(folder).reports) == 0
