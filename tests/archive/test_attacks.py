"""Archives that try to get past the reader: nothing is read wrongly in silence, and no other exception comes out."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.damage import add_column, copy_archive, read_cells, set_cell, write_cells
from helpers.experiments import simulate, write_archive

from selfinterp_stats import (
    SelfInterpError,
    SelfInterpWarning,
    check_archive,
    correlate,
    fit_choices,
    make_decisions,
    make_scenarios,
    read_archive,
)
from selfinterp_stats.tables.long import RESERVED

DECISIONS = "agent-1_instilled_selections.csv"
REPORTS = "agent-1_instilled_weight_reports.csv"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks") / "small"
    write_archive(folder, simulate(n_scenarios=4, n_attributes=(2, 3), seed=2), n_trials=6, n_replies=2)
    return folder


@pytest.fixture
def folder(small, tmp_path):
    return copy_archive(small, tmp_path / "copy")


def _read(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        return read_archive(folder)


def test_all_reserved_names_at_once(folder, small):
    names = sorted(RESERVED - {"p_a", "trial", "model", "scenario"})
    for name in names:
        add_column(folder / DECISIONS, name, ["7"])
        add_column(folder / REPORTS, name, ["7"])
    archive, untouched = _read(folder), _read(small)
    for mine, theirs in ((archive.decisions, untouched.decisions), (archive.reports, untouched.reports)):
        pd.testing.assert_frame_equal(mine.frame[list(theirs.frame.columns)], theirs.frame)
    assert archive.decisions.conditions == tuple(f"condition_{name}" for name in names)


@pytest.mark.parametrize(
    "name", ["count", "context", "k_hat", "method", "used", "row", "status", "a_1", "report_1", "", "x/y"]
)
def test_a_condition_never_takes_the_place_of_a_column_of_ours(folder, small, name):
    add_column(folder / DECISIONS, name, ["7"])
    add_column(folder / REPORTS, name, ["7"])
    archive, untouched = _read(folder), _read(small)
    columns = list(untouched.decisions.frame.columns)
    pd.testing.assert_frame_equal(archive.decisions.frame[columns], untouched.decisions.frame)
    columns = list(untouched.reports.frame.columns)
    pd.testing.assert_frame_equal(archive.reports.frame[columns], untouched.reports.frame)
    (kept,) = archive.decisions.conditions
    assert "renamed-column" in {p.kind for p in archive.problems}
    fit = fit_choices(
        archive.decisions, archive.scenarios, pooling="none", by=["base_model", "preferences", kept], draws=100
    )
    correlate(fit, archive.reports)
    fit.to_netcdf(folder.parent / "fit.nc")


def test_zero_padded_columns_are_not_slots(folder, small):
    add_column(folder / DECISIONS, "A_attribute_01", ["0"])
    assert np.array_equal(_read(folder).decisions.frame["a_1"], _read(small).decisions.frame["a_1"])


def test_values_for_attributes_that_are_not_there(folder):
    cells = read_cells(folder / REPORTS)
    place = cells[0].index("A_attribute_3")
    row = next(i for i, c in enumerate(cells) if i and c[place] == "")
    set_cell(folder / REPORTS, row + 1, "A_attribute_3", "5")
    assert [p.kind for p in check_archive(folder).errors] == ["wrong-attribute"]


def test_notes_do_not_hide_doubled_trials(folder):
    add_column(folder / DECISIONS, "trial_id", ["t1"])
    add_column(folder / DECISIONS, "seconds", [f"{i}.5" for i in range(500)])
    assert {p.kind for p in check_archive(folder).errors} == {"doubled-trial"}


def test_a_folder_in_place_of_the_scenarios(folder):
    (folder / "scenarios.csv").unlink()
    (folder / "scenarios.csv").mkdir()
    assert [p.kind for p in check_archive(folder).errors] == ["missing-file"]


def test_a_broken_scenario_is_not_called_unknown(folder):
    cells = read_cells(folder / "scenarios.csv")
    cells[1].append("one too many")
    write_cells(folder / "scenarios.csv", cells)
    assert [p.kind for p in check_archive(folder).errors] == ["ragged-row"]


def test_all_scenarios_broken(folder):
    cells = read_cells(folder / "scenarios.csv")
    place = cells[0].index("attr1_min")
    write_cells(folder / "scenarios.csv", [cells[0], *([*c[:place], "low", *c[place + 1 :]] for c in cells[1:])])
    assert {p.kind for p in check_archive(folder).errors} == {"not-a-number"}


@pytest.mark.parametrize("value", ["1e160", "inf", "1_0", "0x10", "1,5", "NaN"])
def test_numbers_that_are_none(folder, value):
    set_cell(folder / DECISIONS, 2, "A_attribute_1", value)
    assert [(p.kind, p.row) for p in check_archive(folder).errors] == [("not-a-number", 2)]


def test_long_cells_are_cut(folder):
    set_cell(folder / DECISIONS, 2, "selection", "I would rather " + "not " * 5000)
    (found,) = check_archive(folder).errors
    assert len(str(found)) < 250
    assert "..." in found.found


def test_names_that_are_not_there(folder):
    set_cell(folder / DECISIONS, 2, "model", "")
    set_cell(folder / REPORTS, 3, "explaining_model", "")
    assert [(p.kind, p.row) for p in check_archive(folder).errors] == [("missing-value", 2), ("missing-value", 3)]


def test_two_files_of_one_model_are_counted_twice(folder, small):
    for half in ("first", "last"):
        copy = (small / REPORTS).read_text().replace("ft:agent-1:preferences", "ft:agent-1:same")
        (folder / f"agent-1_itrained_{half}_v1.5_weight_reports.csv").write_text(copy)
    for old in folder.glob("agent-1_itrained_*_40ex_weight_reports.csv"):
        old.unlink()
    archive = _read(folder)
    found = correlate(fit_choices(archive.decisions, archive.scenarios, pooling="none", draws=100), archive.reports)
    kept = found.table.set_index(["preferences", "reporter"])["reports_kept"]
    assert kept["instilled", "introspection-trained"] == 2 * kept["instilled", "preference-trained"]


SCENARIOS = make_scenarios(pd.DataFrame({"scenario": "s", "attribute": ["x", "y"], "low": 0, "high": [1, 2]}))
LONG = {"scenario": "s", "trial": 1, "attribute": ["x", "y"], "a": [0.5, 1.0], "b": [0.1, 0.2], "chosen": "A"}


def test_a_status_column_of_decisions_excuses_nothing():
    with pytest.raises(SelfInterpError, match="missing-value"):
        make_decisions(pd.DataFrame({**LONG, "status": "ok", "a": [np.nan, 1.0]}), SCENARIOS)


@pytest.mark.parametrize("values", [[10**400, 1], [1j, 1], [True, False], [np.float32("nan"), 1], ["", "1"]])
def test_odd_values_in_data_frames(values):
    frame = pd.DataFrame({**LONG, "a": pd.Series(values, dtype=object)})
    with pytest.raises(SelfInterpError):
        make_decisions(frame, SCENARIOS)


def test_missing_probabilities_of_any_type():
    frame = pd.DataFrame({**LONG, "p_a": np.array([np.nan, np.nan], dtype="float32")})
    assert make_decisions(frame, SCENARIOS).frame["p_a"].isna().all()


def test_a_missing_column_hides_nothing_else(folder):
    set_cell(folder / DECISIONS, 1, "model", "who")
    set_cell(folder / DECISIONS, 1, "A_attribute_2", "other")
    set_cell(folder / DECISIONS, 3, "selection", "C")
    set_cell(folder / DECISIONS, 4, "B_attribute_1", "far")
    set_cell(folder / REPORTS, 1, "report_attr1", "first")
    set_cell(folder / REPORTS, 2, "report_attr2", "much")
    kinds = [(p.kind, p.row) for p in check_archive(folder).errors]
    expected = [("missing-column", 1), ("missing-column", 1), ("not-a-number", 4), ("bad-choice", 3)]
    assert sorted(kinds) == sorted([*expected, ("missing-column", 1), ("not-a-number", 2)])
