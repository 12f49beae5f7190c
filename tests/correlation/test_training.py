"""Effects of introspection training, against regressions written out and on simulated reports."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, Correlations, estimate_training_effects
from selfinterp_stats.correlation.bootstrap import draw_scenario_weights

BEFORE, AFTER = "preference-trained", "introspection-trained"


def make_correlations(slopes, *, scenarios=60, attributes=5, seed=1, halves=False, shared=0.0):
    """Points whose used weights hang on the reports with the given slopes, {(base model, reporter): slope}."""
    rng = np.random.default_rng(seed)
    rows = []
    for base_model in sorted({model for model, _ in slopes}):
        used = rng.standard_normal((scenarios, attributes))
        common = rng.standard_normal(used.shape)
        for reporter in (BEFORE, AFTER):
            if (base_model, reporter) not in slopes:
                continue
            r = slopes[base_model, reporter]
            noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal(used.shape)
            reported = r * used + np.sqrt(1 - r**2) * noise
            for s, k in np.ndindex(*used.shape):
                half = "first" if s < scenarios // 2 else "last"
                model = f"{base_model} {reporter} {half}" if halves and reporter == AFTER else f"{base_model} {reporter}"
                rows.append((base_model, "native", reporter, model, f"s{s}", k, used[s, k], reported[s, k]))
    columns = ["base_model", "preferences", "reporter", "model", "scenario", "slot", "used_z", "other_z"]
    points = pd.DataFrame(rows, columns=columns)
    empty = np.empty((0, 100))
    return Correlations(pd.DataFrame(), points, pd.DataFrame(), 0.95, empty, empty)


def slope(points):
    return np.polyfit(points["other_z"], points["used_z"], 1)[0]


def test_published_method_is_the_difference_of_slopes():
    slopes = {("a", BEFORE): 0.4, ("a", AFTER): 0.7, ("b", BEFORE): 0.2, ("b", AFTER): 0.8}
    correlations = make_correlations(slopes)
    found = estimate_training_effects(correlations)
    cells = {key: slope(part) for key, part in correlations.points.groupby(["base_model", "reporter"])}
    expected = np.mean([cells[model, AFTER] - cells[model, BEFORE] for model in "ab"])
    table = found.table.set_index("method")
    assert table.index.tolist() == ["paper", "clustered", "clustered_r"]
    assert table.loc["paper", "estimate_median"] == pytest.approx(expected, abs=0.005)
    assert table.loc["clustered", "estimate_median"] == pytest.approx(expected, abs=0.02)
    assert found.notes == ()
    assert found.draws.dims == ("chain", "draw", "contrast")


def test_one_base_model_is_said():
    found = estimate_training_effects(make_correlations({("a", BEFORE): 0.4, ("a", AFTER): 0.7}))
    assert found.notes == ("native: one base model (a), so the factor base_model is left out",)
    assert "left out" in str(found)


def test_halves_are_shown_apart():
    slopes = {("a", BEFORE): 0.4, ("a", AFTER): 0.7, ("b", BEFORE): 0.2, ("b", AFTER): 0.8}
    found = estimate_training_effects(make_correlations(slopes, halves=True), draws=500)
    contrasts = found.table["contrast"].unique()
    assert len(contrasts) == 5
    assert f"{AFTER} (a {AFTER} first) - {BEFORE}" in contrasts
    # over the scenarios of that half alone
    points = make_correlations(slopes, halves=True).points
    first = [f"s{s}" for s in range(30)]
    part = points[(points["base_model"] == "a") & points["scenario"].isin(first)]
    expected = slope(part[part["reporter"] == AFTER]) - slope(part[part["reporter"] == BEFORE])
    row = found.table[(found.table["contrast"] == contrasts[1]) & (found.table["method"] == "clustered")].iloc[0]
    assert row["estimate_median"] == pytest.approx(expected, abs=0.05)


def test_a_base_model_without_both_is_not_compared():
    found = estimate_training_effects(
        make_correlations({("a", BEFORE): 0.4, ("a", AFTER): 0.7, ("b", AFTER): 0.7}), draws=500
    )
    assert len(found.table) == 3
    assert estimate_training_effects(make_correlations({("a", BEFORE): 0.4}), draws=500).table.empty


def test_too_few_scenarios_are_not_identified():
    found = estimate_training_effects(make_correlations({("a", BEFORE): 0.4, ("a", AFTER): 0.7}, scenarios=1, attributes=2))
    assert found.table["estimate_median"].isna().all()
    assert found.table["p_direction"].isna().all()


def test_clustered_intervals_hold_where_errors_are_shared():
    """Errors of both reports in common: the published interval is too wide, the clustered one holds 95%."""
    slopes = {("a", BEFORE): 0.5, ("a", AFTER): 0.5}
    inside, widths = [], []
    for seed in range(120):
        found = estimate_training_effects(make_correlations(slopes, seed=seed, shared=0.8, scenarios=40), draws=400)
        table = found.table.set_index("method")
        inside.append((table["hdi_low"] < 0) & (table["hdi_high"] > 0))
        widths.append(table["hdi_high"] - table["hdi_low"])
    share, width = np.mean(inside, axis=0), np.mean(widths, axis=0)
    assert 0.88 < share[1] < 0.995
    assert 0.88 < share[2] < 0.995
    assert width[0] > 1.5 * width[1]


def test_weights_are_of_scenarios():
    weights = draw_scenario_weights(5, 20_000, np.random.default_rng(1))
    shares = weights / weights.sum(axis=1, keepdims=True)
    assert np.allclose(shares.mean(axis=0), 0.2, atol=0.005)
    assert np.allclose(shares.var(axis=0), 0.2 * 0.8 / 6, atol=0.002)


def test_one_comparable_base_model_of_two_is_said():
    found = estimate_training_effects(
        make_correlations({("a", BEFORE): 0.4, ("a", AFTER): 0.7, ("b", AFTER): 0.7}, halves=True)
    )
    assert found.notes == ("native: one base model (a), so the factor base_model is left out",)
    nothing = estimate_training_effects(make_correlations({("a", BEFORE): 0.4}))
    assert nothing.notes == ()


def test_conditions_are_not_pooled():
    correlations = make_correlations({("a", BEFORE): 0.4, ("a", AFTER): 0.7})
    by_condition = dataclasses.replace(correlations, points=correlations.points.assign(temperature=1))
    with pytest.raises(ArgumentError, match="got those by temperature; pass"):
        estimate_training_effects(by_condition)
    with pytest.raises(ArgumentError, match="correlations: expected Correlations, got DataFrame"):
        estimate_training_effects(correlations.points)


def test_reporters_have_to_be_apart():
    correlations = make_correlations({("a", BEFORE): 0.4})
    alone = Correlations(
        pd.DataFrame(), correlations.points.drop(columns="reporter"), pd.DataFrame(), 0.95, *[np.empty((0, 1))] * 2
    )
    with pytest.raises(ArgumentError, match="expected correlations by base model, .*, got those of all reporters together"):
        estimate_training_effects(alone)
