"""Scenarios left out of a correlation by request."""

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, check_decisions, correlate


def test_as_if_they_had_not_been_there(fit, archive):
    """The same correlations as from reports and weights of the other scenarios."""
    gone = ["scenario_001", "scenario_004"]
    found = correlate(fit, archive.reports, exclude=gone, draws=500)
    kept = ~fit.contexts["scenario"].isin(gone)
    numbers = np.cumsum(kept) - 1
    rows = ~fit.slopes["scenario"].isin(gone)
    smaller = type(fit)(
        **{
            **vars(fit),
            "contexts": fit.contexts[kept].reset_index(drop=True),
            "slopes": fit.slopes[rows]
            .assign(context=numbers[fit.slopes["context"][rows]].to_numpy())
            .reset_index(drop=True),
            "slope_draws": fit.slope_draws[rows.to_numpy()],
            "intercept_draws": fit.intercept_draws[kept.to_numpy()],
        }
    )
    frame = archive.reports.frame
    reports = type(archive.reports)(frame[~frame["scenario"].isin(gone)].reset_index(drop=True))
    expected = correlate(smaller, reports, draws=500)
    pd.testing.assert_frame_equal(found.table, expected.table)
    everything = correlate(fit, archive.reports, draws=500)
    assert not np.allclose(found.table["pearson_r"], everything.table["pearson_r"])
    targets = correlate(fit, archive.targets, exclude=gone, draws=500)
    assert not targets.points["scenario"].isin(gone).any()


def test_counted(fit, archive):
    keys = ["base_model", "preferences"]
    table = fit.contexts.loc[[0, 3], [*keys, "scenario"]].assign(verdict="at chance")
    found = correlate(fit, archive.reports, exclude=table, draws=500)
    out = found.left_out[found.left_out["reason"] == "at chance"]
    assert set(out["unit"]) == {"weights", "replies"}
    sizes = fit.slopes.groupby([*keys, "scenario"]).size()
    for row in out[out["unit"] == "weights"].itertuples():
        assert row.count == sizes[row.base_model, row.preferences, row.scenario]
    everything = correlate(fit, archive.reports, draws=500)
    merged = everything.table.merge(found.table, on=[*keys, "reporter"], suffixes=("", "_less"))
    less = (merged["reports_kept"] - merged["reports_kept_less"]).sum()
    asked = archive.reports.frame.merge(table, on=[*keys, "scenario"])
    replies = asked.drop_duplicates([*keys, "reporter", "model", "scenario", "reply"])
    assert out.loc[out["unit"] == "replies", "count"].sum() == len(replies)
    assert less == (replies["status"] == "valid").sum() > 0
    assert "at chance" in str(found)


def test_verdicts_choose(fit, archive):
    checks = check_decisions(fit, replications=0)
    verdict = checks.contexts["verdict"].iloc[0]
    found = correlate(fit, archive.targets, exclude=checks.select(verdict), draws=500)
    assert set(found.left_out["reason"]) >= {verdict}
    none = correlate(fit, archive.targets, exclude=checks.contexts.iloc[:0][["scenario"]], draws=500)
    assert none.table["n_weights"].sum() > found.table["n_weights"].sum()


def test_a_missing_verdict_excludes_as_well(fit, archive):
    table = pd.DataFrame({"scenario": ["scenario_001", "scenario_004"], "verdict": [None, "at chance"]})
    found = correlate(fit, archive.reports, exclude=table, draws=500)
    assert not found.points["scenario"].isin(table["scenario"]).any()
    assert set(found.left_out["reason"]) >= {"left out by request", "at chance"}


def test_reports_that_belong_to_every_group(fit, archive):
    frame = archive.reports.frame.drop(columns="preferences")
    with pytest.raises(ArgumentError, match=r"exclude: expected reports with the fit's.*without preferences"):
        correlate(fit, type(archive.reports)(frame), exclude=["scenario_001"])


def test_everything_left_out(fit, archive):
    found = correlate(fit, archive.reports, exclude=fit.contexts["scenario"].unique().tolist(), draws=500)
    assert (found.table["n_weights"] == 0).all()
    assert found.table["pearson_r"].isna().all()


@pytest.mark.parametrize(
    ("exclude", "text"),
    [
        ("scenario_001", r"exclude: expected a table or a sequence of names, got 'scenario_001'; pass checks.select"),
        (["nowhere"], r"exclude: expected scenarios of the fit, got 'nowhere'; see fit.contexts"),
        (
            pd.DataFrame({"name": ["a"]}),
            r"exclude: expected the columns scenario and any of base_model, preferences, verdict, got name",
        ),
        (pd.DataFrame({"scenario": ["a"], "k_hat": [1.0]}), r"exclude: expected the columns .* got scenario, k_hat"),
    ],
)
def test_errors(fit, archive, exclude, text):
    with pytest.raises(ArgumentError, match=text):
        correlate(fit, archive.reports, exclude=exclude)
