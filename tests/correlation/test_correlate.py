import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.experiments import simulate, write_archive

from selfinterp_stats import (
    ArgumentError,
    Reports,
    SelfInterpWarning,
    Targets,
    correlate,
    fit_choices,
    make_reports,
    read_archive,
)


def _by_hand(fit, reports, model, preferences):
    """The paper's steps written out for one reporting model, with pandas' own methods."""
    used = fit.plug_in()
    used = used[used["preferences"] == preferences]
    used = used.assign(used_z=(used["plug_in"] - used["plug_in"].mean()) / used["plug_in"].std())
    frame = reports.frame
    frame = frame[(frame["model"] == model) & (frame["preferences"] == preferences)]
    mean = frame.groupby(["scenario", "slot"])["report"].mean().reset_index()
    mean = mean.assign(report_z=(mean["report"] - mean["report"].mean()) / mean["report"].std())
    return used.merge(mean, on=["scenario", "slot"])


def test_steps_of_the_paper(fit, archive):
    found = correlate(fit, archive.reports)
    row = found.select(preferences="native", reporter="preference-trained").table.iloc[0]
    joined = _by_hand(fit, archive.reports, "ft:agent-1:preferences", "native")
    assert row["n_weights"] == len(joined)
    assert row["pearson_r"] == pytest.approx(np.corrcoef(joined["used_z"], joined["report_z"])[0, 1])
    slope = np.polyfit(joined["report_z"], joined["used_z"], 1)[0]
    assert row["slope_median"] == pytest.approx(slope)
    assert row["scenarios_kept"] == joined["scenario"].nunique()
    assert row["reports_kept"] == 4 * joined["scenario"].nunique()


def test_halves_are_standardised_apart_and_joined(fit, archive):
    row = correlate(fit, archive.reports).select(preferences="instilled", reporter="introspection-trained").table.iloc[0]
    halves = [_by_hand(fit, archive.reports, f"ft:agent-1:{half}", "instilled") for half in ("first", "last")]
    joined = pd.concat(halves)
    assert row["n_weights"] == len(joined)
    assert row["pearson_r"] == pytest.approx(np.corrcoef(joined["used_z"], joined["report_z"])[0, 1])


def test_order_and_columns(fit, archive):
    table = correlate(fit, archive.reports).table
    reporters = ["base", "preference-trained", "introspection-trained"]
    assert table["reporter"].tolist() == reporters * 2
    assert table["preferences"].tolist() == ["instilled"] * 3 + ["native"] * 3
    assert list(table.columns)[:5] == ["base_model", "preferences", "reporter", "method", "reports_kept"]
    assert table.attrs["prob"] == 0.95


def test_intervals_have_draws_behind_them(fit, archive):
    found = correlate(fit, archive.reports, draws=20_000)
    draws = found.draws
    assert draws["slope"].dims == ("chain", "draw", "correlation")
    for i, row in found.table.iterrows():
        slope = draws["slope"].to_numpy()[0, :, i]
        assert np.median(slope) == pytest.approx(row["slope_median"], abs=0.01)
        inside = (slope > row["slope_hdi_low"]) & (slope < row["slope_hdi_high"])
        assert inside.mean() == pytest.approx(0.95, abs=0.008)
        r = draws["cluster_r"].to_numpy()[0, :, i]
        assert ((r >= row["cluster_r_low"]) & (r <= row["cluster_r_high"])).mean() == pytest.approx(0.95, abs=0.001)


def test_repeatable(fit, archive):
    first, second = (correlate(fit, archive.reports, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, second.table)
    shuffled = Reports(archive.reports.frame.sample(frac=1, random_state=1), archive.reports.conditions)
    pd.testing.assert_frame_equal(correlate(fit, shuffled, seed=3).table, first.table, rtol=1e-12)


def test_bootstrap_is_wider_where_scenarios_differ(fit):
    """Reports right in half of the scenarios and reversed in the others: attributes are not independent evidence."""
    used = fit.plug_in().query("preferences == 'native'")
    sign = np.where(used["scenario"].rank(method="dense") % 2 == 0, 1, -1)
    frame = used.assign(report=used["plug_in"] * sign, reply=1)[["scenario", "reply", "attribute", "report"]]
    reports = make_reports(frame, fit.scenarios, model="agent-1", preferences="native")
    row = correlate(fit, reports).table.iloc[0]
    assert row["cluster_r_high"] - row["cluster_r_low"] > 1.3 * (row["slope_hdi_high"] - row["slope_hdi_low"])


def test_targets(fit, archive, experiment):
    table = correlate(fit, archive.targets).table
    used = fit.plug_in().query("preferences == 'instilled'")
    truth = dict(zip(experiment.names, experiment.weights["instilled"], strict=True))
    target = [truth[s][j - 1] for s, j in zip(used["scenario"], used["slot"], strict=True)]
    assert table.iloc[0]["pearson_r"] == pytest.approx(np.corrcoef(used["plug_in"], target)[0, 1])
    assert table.iloc[0]["pearson_r"] > 0.8
    part = Targets(archive.targets.frame[archive.targets.frame["scenario"] != "scenario_000"])
    left_out = correlate(fit, part).left_out
    assert left_out[["scenario", "reason", "unit", "count"]].to_numpy().tolist() == [
        ["scenario_000", "no target", "weights", 5]
    ]


def test_everything_left_out_is_counted(fit, archive):
    frame = archive.reports.frame
    frame = frame[frame["reporter"] == "base"]
    refused = (frame["scenario"] == "scenario_001") | (
        (frame["scenario"] == "scenario_002") & frame["reply"].str.endswith(":10")
    )
    frame = frame.assign(status=np.where(refused, "refused", "valid"))
    part = fit_choices(
        type(archive.decisions)(archive.decisions.frame.query("scenario != 'scenario_003'")),
        archive.scenarios,
        draws=100,
        pooling="none",
    )
    found = correlate(part, Reports(frame))
    counts = found.left_out.groupby(["scenario", "reason", "unit"])["count"].sum().to_dict()
    assert counts[("scenario_001", "reply not valid", "replies")] == 4
    assert counts[("scenario_001", "no valid report", "weights")] == 3
    assert counts[("scenario_003", "no decisions", "replies")] == 4
    kept = found.table.query("preferences == 'instilled'").iloc[0]
    assert kept["scenarios_kept"] == 4
    n_replies = frame.drop_duplicates(["preferences", "scenario", "reply"])
    valid_inside = n_replies.query("status == 'valid' and scenario != 'scenario_003' and preferences == 'instilled'")
    assert kept["reports_kept"] == len(valid_inside)


def test_constant_reporters_are_not_identified(fit, archive):
    reports = Reports(archive.reports.frame.query("reporter == 'base'").assign(report=50.0))
    found = correlate(fit, reports)
    assert found.table[["pearson_r", "slope_median", "slope_hdi_low", "cluster_r_low"]].isna().all(axis=None)
    assert set(found.left_out["reason"]) == {"all weights or all reports equal"}
    assert found.table["n_weights"].tolist() == [0, 0]


def test_one_scenario_gives_no_interval_over_scenarios(fit, archive):
    reports = Reports(archive.reports.frame.query("scenario == 'scenario_000' and reporter == 'base'"))
    row = correlate(fit, reports).table.iloc[0]
    assert np.isfinite(row["pearson_r"])
    assert np.isnan([row["cluster_r_low"], row["cluster_r_high"]]).all()


def test_conditions_make_separate_rows(fit, archive):
    row = archive.reports.frame["reply"].str.rsplit(":").str[-1].astype(int)
    frame = archive.reports.frame.assign(temperature=np.where(row % 2, "hot", "cold"))
    found = correlate(fit, Reports(frame, ("temperature",)), by=["reporter", "temperature"])
    assert len(found.table) == 12
    assert found.table["reports_kept"].sum() == correlate(fit, archive.reports).table["reports_kept"].sum()


def test_groups_that_reports_do_not_know(archive):
    decisions = archive.decisions.frame.assign(trigger=["on", "off"] * (len(archive.decisions) // 2))
    both = fit_choices(
        type(archive.decisions)(decisions, ("trigger",)),
        archive.scenarios,
        by=["preferences", "trigger"],
        draws=100,
        pooling="none",
    )
    table = correlate(both, archive.reports).table
    assert len(table) == 2 * 2 * 3
    assert (table.groupby("reporter")["reports_kept"].nunique() == 1).all()


def test_no_groups_at_all(archive):
    fit = fit_choices(archive.decisions, archive.scenarios, pooling="none", by=(), draws=100)
    assert len(correlate(fit, archive.reports, by=()).table) == 1
    assert len(correlate(fit, archive.targets).table) == 1


def test_no_reports(fit, archive):
    found = correlate(fit, Reports(archive.reports.frame.iloc[:0]))
    assert len(found.table) == 0
    assert found.slope_draws.shape == (0, 4000)


def test_printed(fit, archive):
    text = str(correlate(fit, archive.reports, prob=0.9))
    assert "brms' default priors; median, 90% HDI" in text
    assert "Bayesian bootstrap over scenarios" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": ["latent"]}, "method: expected one of 'paper', got 'latent'"),
        ({"by": ["wheather"]}, "by: expected columns of the reports"),
        ({"prob": 95}, "prob: expected a number"),
        ({"draws": 3}, "draws"),
        ({"seed": -3}, "seed"),
    ],
)
def test_arguments(fit, archive, options, message):
    with pytest.raises(ArgumentError, match=message):
        correlate(fit, archive.reports, **options)


def test_wrong_tables(fit, archive):
    with pytest.raises(ArgumentError, match="reports_or_targets: expected Reports or Targets, got Decisions"):
        correlate(fit, archive.decisions)
    with pytest.raises(ArgumentError, match="gpt: expected a column of the table"):
        correlate(fit, archive.reports).select(gpt="x")


def test_recovers_the_order_of_reporters(tmp_path):
    """Agents that share no code with the models: better reporters correlate more, and a reversed one negatively."""
    experiment = simulate(n_scenarios=40, seed=12)
    noise = {"base": 400.0, "preference-trained": 50.0, "introspection-trained": 5.0}
    write_archive(tmp_path / "a", experiment, n_trials=100, consistency=8.0, noise=noise, seed=13)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        archive = read_archive(tmp_path / "a")
    fit = fit_choices(archive.decisions, archive.scenarios, pooling="none", draws=500)
    r = correlate(fit, archive.reports).table.set_index(["preferences", "reporter"])["pearson_r"]
    for preferences in ("instilled", "native"):
        assert r[preferences, "base"] < r[preferences, "preference-trained"] < r[preferences, "introspection-trained"]
        assert r[preferences, "introspection-trained"] > 0.9
    flipped = Reports(archive.reports.frame.assign(report=-archive.reports.frame["report"]))
    twin = correlate(fit, flipped).table.set_index(["preferences", "reporter"])["pearson_r"]
    assert np.allclose(twin, -r)
