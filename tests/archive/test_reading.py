"""Reading archives: what is in order, and what is said of what is not."""

import json
import warnings

import pytest
from helpers.damage import add_column, copy_archive, drop_column, keep_rows, read_cells, set_cell, write_cells
from helpers.experiments import simulate, write_archive

from selfinterp_stats import ArgumentError, DataError, SelfInterpWarning, check_archive, read_archive

DECISIONS = "agent-1_instilled_selections.csv"
NATIVE = "agent-1_instilled_latent_selections.csv"
REPORTS = "agent-1_instilled_weight_reports.csv"


@pytest.fixture
def folder(archive_folder, tmp_path):
    return copy_archive(archive_folder, tmp_path / "copy")


def _found(problems, severity="error"):
    return [(p.kind, p.file, p.row, p.column) for p in problems if p.severity == severity]


def _read(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        return read_archive(folder)


def test_tables(archive, experiment):
    assert archive.scenarios.names == experiment.names
    assert archive.scenarios.n_attributes["scenario_002"] == 7
    frame = archive.decisions.frame
    assert set(frame["base_model"]) == {"agent-1"}
    assert set(frame["model"]) == {"ft:agent-1:preferences"}
    assert frame.groupby("preferences").size().to_dict() == {"instilled": 240, "native": 240}
    reports = archive.reports.frame
    assert set(reports["reporter"]) == {"base", "preference-trained", "introspection-trained"}
    assert archive.reports.conditions == ("version",)
    assert reports.groupby("scenario")["slot"].max().to_dict() == archive.scenarios.n_attributes
    truth = experiment.weights["instilled"][0].tolist()
    targets = archive.targets.frame
    assert targets.loc[targets["scenario"] == "scenario_000", "target"].tolist() == truth


def test_files_are_listed_with_digests(archive):
    names = [role.name for role, _ in archive.files]
    assert names == sorted(names)
    assert "scenarios.csv" in names
    assert all(len(digest) == 64 for _, digest in archive.files)


def test_extra_columns_are_conditions(folder):
    add_column(folder / DECISIONS, "trigger", ["True", "False"])
    add_column(folder / DECISIONS, "prompt", ["two\nlines, and a comma", ""])
    add_column(folder / REPORTS, "temperature", ["0.7"])
    archive = _read(folder)
    assert archive.decisions.conditions == ("trigger", "prompt")
    instilled = archive.decisions.frame.query("preferences == 'instilled'")
    header, *cells = read_cells(folder / DECISIONS)  # rows are put in another order; what stands in a row stays together
    there = sorted((row[header.index("scenario")], float(row[3]), row[-2]) for row in cells)
    assert sorted(zip(instilled["scenario"], instilled["a_1"], instilled["trigger"], strict=True)) == there
    assert archive.decisions.frame.query("preferences == 'native'")["trigger"].isna().all()
    assert archive.reports.conditions[-1] == "temperature"


def test_probabilities_and_trial_ids(folder):
    add_column(folder / DECISIONS, "p_a", ["0.25"])
    add_column(folder / DECISIONS, "trial_id", [f"t{i}" for i in range(40)])
    archive = _read(folder)
    instilled = archive.decisions.frame.query("preferences == 'instilled'")
    assert set(instilled["p_a"]) == {0.25}
    assert set(instilled["trial"]) == {f"t{i}" for i in range(40)}
    assert archive.decisions.conditions == ()


@pytest.mark.parametrize("name", ["instilled_weights.csv", DECISIONS, NATIVE, REPORTS, "agent-1_weight_reports.csv"])
def test_any_other_file_may_be_missing(folder, name):
    (folder / name).unlink()
    archive = _read(folder)
    assert name not in [role.name for role, _ in archive.files]


@pytest.mark.parametrize("content", ["", "header,only\n"])
@pytest.mark.parametrize("name", ["scenarios.csv", "instilled_weights.csv", DECISIONS, REPORTS])
def test_empty_files_warn_by_name(folder, name, content):
    if content:
        content = ",".join(read_cells(folder / name)[0]) + "\n"
    (folder / name).write_text(content)
    problems = check_archive(folder)
    assert not problems.errors
    assert ("empty-file", name) in [(p.kind, p.file) for p in problems]


def test_units_come_from_the_candidates(folder, experiment):
    candidate = {
        "short_name": "scenario_000",
        "attributes": [{"name": "price", "units": "euros", "range": [0, 1]}],
    }
    (folder / "candidate_scenarios.json").write_text(json.dumps([candidate]))
    frame = _read(folder).scenarios.frame
    assert dict(zip(frame["attribute"], frame["unit"], strict=True))["price"] in ("euros", "")
    assert frame.iloc[0]["unit"] == "euros"
    (folder / "candidate_scenarios.json").write_text("{")
    assert _found(check_archive(folder)) == [("unreadable-file", "candidate_scenarios.json", None, None)]


CELLS = [
    ("scenarios.csv", 3, "attr2", "", "missing-value"),
    ("scenarios.csv", 3, "attr1_min", "low", "not-a-number"),
    ("scenarios.csv", 3, "attr1_max", "", "missing-value"),
    ("scenarios.csv", 3, "attr1_max", "-5", "bad-range"),
    ("scenarios.csv", 3, "scenario", "scenario_000", "doubled-scenario"),
    ("scenarios.csv", 3, "scenario", "", "missing-value"),
    ("scenarios.csv", 1, "attr2", "attribute_2", "missing-column"),
    ("scenarios.csv", 1, "attr2", "attr1", "doubled-column"),
    ("instilled_weights.csv", 2, "attr3", "much", "not-a-number"),
    ("instilled_weights.csv", 3, "attr5", "10", "wrong-attribute"),
    ("instilled_weights.csv", 3, "scenario", "elsewhere", "unknown-scenario"),
    (DECISIONS, 2, "selection", "C", "bad-choice"),
    (DECISIONS, 2, "selection", "", "bad-choice"),
    (DECISIONS, 2, "A_attribute_2", "", "missing-value"),
    (DECISIONS, 2, "B_attribute_1", "NaN", "not-a-number"),
    (DECISIONS, 2, "scenario", "scenario_999", "unknown-scenario"),
    (DECISIONS, 1, "A_attribute_3", "A_price", "missing-column"),
    (DECISIONS, 1, "selection", "choice", "missing-column"),
    (DECISIONS, 50, "A_attribute_6", "1.5", "wrong-attribute"),
    (REPORTS, 2, "report_attr1", "high", "not-a-number"),
    (REPORTS, 2, "report_attr1", "", "missing-value"),
    (REPORTS, 2, "scenario", "", "missing-value"),
    (REPORTS, 1, "report_attr2", "report_size", "missing-column"),
]


@pytest.mark.parametrize(("file", "row", "column", "value", "kind"), CELLS)
def test_every_kind_of_damage_is_named_with_its_place(folder, file, row, column, value, kind):
    set_cell(folder / file, row, column, value)
    found = _found(check_archive(folder))
    assert found, "damage was not noticed"
    first = found[0]
    assert first[:2] == (kind, file)
    assert first[2] == row
    assert first[3] == (value if kind == "doubled-column" else column)
    # a scenario that lost its name in one file is unknown to the others; nothing else may follow from one mistake
    expected = {kind, "unknown-scenario"} if (file, column) == ("scenarios.csv", "scenario") else {kind}
    assert {k for k, *_ in found} == expected
    with pytest.raises(DataError):
        read_archive(folder)


def test_all_files_in_one_pass(folder):
    set_cell(folder / "scenarios.csv", 3, "attr1_max", "-5")
    set_cell(folder / DECISIONS, 2, "selection", "C")
    set_cell(folder / DECISIONS, 3, "selection", "D")
    set_cell(folder / REPORTS, 2, "report_attr1", "high")
    (folder / NATIVE).write_bytes(b"\x00\x01")
    with pytest.raises(DataError) as caught:
        read_archive(folder)
    kinds = [(p.kind, p.file) for p in caught.value.problems if p.severity == "error"]
    assert sorted(kinds) == sorted(
        [
            ("unreadable-file", NATIVE),
            ("bad-range", "scenarios.csv"),
            ("bad-choice", DECISIONS),
            ("bad-choice", DECISIONS),
            ("not-a-number", REPORTS),
        ]
    )


def test_doubled_trials(folder):
    add_column(folder / DECISIONS, "trial", ["7"])
    problems = check_archive(folder)
    assert {p.kind for p in problems.errors} == {"doubled-trial"}
    assert len(problems.errors) == 240 - 6  # one of each scenario is the first


def test_missing_scenarios(folder):
    (folder / "scenarios.csv").unlink()
    assert _found(check_archive(folder)) == [("missing-file", "scenarios.csv", None, None)]


def _warned(folder, kind):
    problems = check_archive(folder)
    assert not problems.errors
    return [p for p in problems if p.kind == kind]


def test_values_outside_the_range_are_kept(folder):
    set_cell(folder / DECISIONS, 2, "A_attribute_1", "1e6")
    (found,) = _warned(folder, "value-outside-range")
    assert (found.row, found.column, found.found) == (2, "A_attribute_1", "1000000")


def test_thin_scenarios(folder):
    keep_rows(folder / DECISIONS, lambda row: row["scenario"] != "scenario_000")
    cells = read_cells(folder / DECISIONS)
    one_sided = [["A" if i == 2 and row[1] == "scenario_001" else c for i, c in enumerate(row)] for row in cells]
    write_cells(folder / DECISIONS, [r for i, r in enumerate(one_sided) if r[1] != "scenario_002" or i % 10 == 0])
    problems = check_archive(folder)
    assert [p.scenario for p in problems if p.kind == "one-sided"] == ["scenario_001"]
    assert [p.scenario for p in problems if p.kind == "few-trials"] == ["scenario_002"]
    assert [p.scenario for p in problems if p.kind == "no-trials"] == ["scenario_000"]
    assert "scenario_000" in [p.scenario for p in problems if p.kind == "reports-without-decisions"]


def test_odd_reports(folder):
    for j, value in enumerate(["2388", "0", "0", "0", "0"], start=1):
        set_cell(folder / REPORTS, 2, f"report_attr{j}", value)
    for j, value in enumerate(["20", "20", "20", "20", "20"], start=1):
        set_cell(folder / REPORTS, 3, f"report_attr{j}", value)
    for kind, rows in (("off-scale", [2]), ("all-equal", [3]), ("shares", [3])):
        assert [p.row for p in _warned(folder, kind) if p.file == REPORTS] == rows


def test_decisions_without_reports(folder):
    keep_rows(folder / REPORTS, lambda row: row["scenario"] != "scenario_003")
    assert [p.scenario for p in _warned(folder, "decisions-without-reports")] == ["scenario_003"]
    for path in folder.glob("*latent_weight_reports.csv"):
        path.unlink()
    found = _warned(folder, "decisions-without-reports")
    assert any("no report at all" in p.found for p in found)


def test_unrecognised_files(folder):
    (folder / "notes.txt").write_text("x")
    (folder / "extra.csv").mkdir()
    (folder / ".DS_Store").write_text("x")
    assert {p.file for p in _warned(folder, "unrecognised-file")} == {"notes.txt", "extra.csv"}


def test_unused_columns_are_not_dropped_in_silence(folder):
    add_column(folder / "scenarios.csv", "theme", ["home"])
    assert [p.column for p in _warned(folder, "unused-column")] == ["theme"]


def test_warnings_are_announced_once(folder):
    (folder / "notes.txt").write_text("x")
    with pytest.warns(SelfInterpWarning, match=r"1 findings \(unrecognised-file 1\)") as caught:
        read_archive(folder)
    assert [w.filename for w in caught] == [__file__]


def test_strict_raises_warnings(folder):
    (folder / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"notes\.txt: unrecognised-file"):
        read_archive(folder, strict=True)


def test_a_clean_archive_warns_of_nothing(tmp_path):
    experiment = simulate(n_scenarios=4, seed=8)
    write_archive(tmp_path / "clean", experiment, n_replies=2, noise=dict.fromkeys(
        ("base", "preference-trained", "introspection-trained"), 5.0))  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_archive(tmp_path / "clean").problems) == 0


def test_other_model_names_side_by_side(tmp_path):
    experiment = simulate(n_scenarios=4, seed=8)
    write_archive(tmp_path / "two", experiment, base_model="qwen2.5-7b-instruct")
    write_archive(tmp_path / "two", experiment, base_model="gpt-4.1_10_instilled_prefs", shared_files=False)
    archive = _read(tmp_path / "two")
    assert set(archive.decisions.frame["base_model"]) == {"qwen2.5-7b-instruct", "gpt-4.1_10_instilled_prefs"}
    assert set(archive.reports.frame["base_model"]) == {"qwen2.5-7b-instruct", "gpt-4.1_10_instilled_prefs"}


def test_no_folder(tmp_path):
    with pytest.raises(ArgumentError, match="archive: expected a folder"):
        read_archive(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="got a file"):
        read_archive(tmp_path / "file")


def test_real_layout_of_published_files_is_untouched(folder):
    drop_column(folder / REPORTS, "version")
    assert not check_archive(folder).errors
