"""Weights compared between conditions: the truth is found, both engines agree, and independent fits would miss it."""

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import (
    ArgumentError,
    LogNormal,
    PooledPriors,
    compare_conditions,
    fit_choices,
    make_decisions,
    make_scenarios,
)
from selfinterp_stats.choice.density import ChoiceLikelihood
from selfinterp_stats.choice.paired import PairedLikelihood

COLUMNS = ["base_model", "preferences", "trigger", "scenario", "trial", "attribute", "a", "b", "chosen"]


def simulate(rho, *, sizes=(3,), n_scenarios=10, trials=40, tau=(4.0, 4.0), sigma=0.5, seed=1, rng=None):
    """Scenarios, decisions under "off" and "on", and the true weights of both, (W,) each; the likelihood is written out."""
    rng = np.random.default_rng(seed) if rng is None else rng
    rows, declared, truth = [], [], ([], [])
    for s in range(n_scenarios):
        size, name = sizes[s % len(sizes)], f"s{s:02d}"
        z = rng.standard_normal((2, size))
        slopes = tau[0] * z[0], tau[1] * (rho * z[0] + np.sqrt(1 - rho**2) * z[1])
        declared += [(name, f"a{j}", 0.0, 1.0) for j in range(size)]
        for side, (condition, beta) in enumerate(zip(("off", "on"), slopes, strict=True)):
            truth[side].append(100 * beta / np.abs(beta).max())
            a, b = rng.random((2, trials, size))
            logit = sigma * rng.standard_normal() + (a - b) @ beta
            chosen = np.where(rng.random(trials) < 1 / (1 + np.exp(-logit)), "A", "B")
            for t in range(trials):
                rows += [("m", "native", condition, name, t, f"a{j}", a[t, j], b[t, j], chosen[t]) for j in range(size)]
    scenarios = make_scenarios(pd.DataFrame(declared, columns=["scenario", "attribute", "low", "high"]))
    decisions = make_decisions(pd.DataFrame(rows, columns=COLUMNS), scenarios)
    return scenarios, decisions, [np.concatenate(side) for side in truth]


@pytest.fixture(scope="module")
def flipped():
    scenarios, decisions, truth = simulate(-0.95, sizes=(3, 2), n_scenarios=8)
    return scenarios, decisions, truth, compare_conditions(decisions, scenarios, "trigger", draws=1000)


def test_a_trigger_that_turns_all_preferences_round(flipped):
    _, _, truth, found = flipped
    row = found.table.iloc[0]
    assert list(found.table.columns) == [
        "base_model", "preferences", "condition_a", "condition_b", "n_weights", "r_median", "r_hdi_low", "r_hdi_high",
        "cosine_median", "cosine_hdi_low", "cosine_hdi_high", "sign_flips_expected",
    ]  # fmt: skip
    assert (row["condition_a"], row["condition_b"], row["n_weights"]) == ("off", "on", 20)
    assert row["r_hdi_low"] < np.corrcoef(*truth)[0, 1] < row["r_hdi_high"]
    assert row["r_hdi_high"] < -0.5
    assert row["cosine_hdi_high"] < -0.5
    assert row["sign_flips_expected"] == pytest.approx(found.flips["p_flip"].sum())
    assert row["sign_flips_expected"] > 14
    large = np.abs(truth[0]) > 40
    turned = np.sign(truth[0]) != np.sign(truth[1])
    likely = found.flips["p_flip"] > 0.5
    assert (likely == turned)[large].mean() > 0.8
    # the twin: independent fits, whose noise pulls the correlation towards zero
    scenarios, decisions = flipped[:2]
    fit = fit_choices(decisions, scenarios, by=("trigger",), draws=1000, seed=2)
    weights = fit.weights().values.reshape(2, 20, -1)
    apart = [np.corrcoef(off, on)[0, 1] for off, on in weights.transpose(2, 0, 1)]
    assert np.mean(apart) > found.values["r_these"].mean() + 0.1


def test_result(flipped):
    _, decisions, _, found = flipped
    assert set(found.flips.columns) >= {"scenario", "slot", "attribute", "median_a", "median_b", "p_flip"}
    assert found.population["parameter"].tolist() == [
        "tau_a", "tau_b", "rho", "sigma_alpha_a", "sigma_alpha_b", "rho_alpha",
    ]  # fmt: skip
    assert found.contexts["converged"].all()
    assert found.draws["r"].dims == ("chain", "draw", "pair")
    these = found.summary(scenarios="these")
    assert these["r_median"].iloc[0] == pytest.approx(np.median(found.values["r_these"]))
    assert these["r_hdi_high"].iloc[0] < 0
    assert found.summary().equals(found.table)
    assert "Used weights compared between values of trigger" in str(found)
    again = compare_conditions(decisions, flipped[0], "trigger", draws=1000)
    assert again.table.equals(found.table)


@pytest.mark.thorough
def test_engines_agree():
    scenarios, decisions, _ = simulate(0.6, sizes=(3, 5), n_scenarios=12)
    fast = compare_conditions(decisions, scenarios, "trigger", draws=4000)
    slow = compare_conditions(decisions, scenarios, "trigger", draws=4000, inference="nuts")
    gap = (fast.population["mean"] - slow.population["mean"]) / slow.population["sd"]
    assert np.abs(gap).max() < 0.12
    for name in fast.values:
        sd = slow.values[name].std()
        assert abs(fast.values[name].mean() - slow.values[name].mean()) < 0.12 * sd
        for level in (0.05, 0.5, 0.95):
            difference = np.quantile(fast.values[name], level) - np.quantile(slow.values[name], level)
            assert abs(difference) < 0.2 * sd
    assert np.abs(fast.flips["p_flip"] - slow.flips["p_flip"]).max() < 0.04
    assert slow.contexts["converged"].all()


def test_likelihood_of_pairs():
    rng = np.random.default_rng(3)
    x, s, first = rng.normal(size=(2, 20, 2)), np.sign(rng.normal(size=(2, 20))), np.array([0, 8, 20])
    pair = PairedLikelihood(*(ChoiceLikelihood(x[i], s[i], first) for i in (0, 1)))
    theta = rng.normal(size=(2, 6))
    value, gradient, curvature = pair.derivatives(theta)
    for b in (0, 1):
        rows = slice(first[b], first[b + 1])
        logits = [theta[b, 3 * i] + x[i, rows] @ theta[b, 3 * i + 1 : 3 * i + 3] for i in (0, 1)]
        exact = sum(-np.log1p(np.exp(-s[i, rows] * logits[i])).sum() for i in (0, 1))
        assert value[b] == pytest.approx(exact)
    assert np.allclose(pair.evaluate(theta[:, None])[:, 0], value)
    for i, step in enumerate(1e-6 * np.eye(6)):
        above, below = pair.derivatives(theta + step), pair.derivatives(theta - step)
        assert np.allclose((above[0] - below[0]) / 2e-6, gradient[:, i], atol=1e-5)
        assert np.allclose((below[1] - above[1]) / 2e-6, curvature[:, i], atol=1e-5)
    assert np.allclose(pair.select([1]).derivatives(theta[1:])[0], value[1])


def test_three_conditions_and_scenarios_that_one_lacks():
    scenarios, decisions, _ = simulate(0.5, n_scenarios=4, trials=40, sizes=(2,))
    frame = decisions.frame
    third = frame[(frame["trigger"] == "on") & (frame["scenario"] != "s00")].assign(trigger="other")
    lonely = frame[(frame["trigger"] == "off") & (frame["scenario"] == "s03")]
    rows = pd.concat([frame[~((frame["scenario"] == "s03") & (frame["trigger"] == "on"))], third])
    rows = rows[~((rows["scenario"] == "s03") & (rows["trigger"] == "other"))]
    found = compare_conditions(type(decisions)(rows, decisions.conditions), scenarios, "trigger", draws=200)
    assert found.table[["condition_a", "condition_b"]].to_numpy().tolist() == [
        ["off", "on"], ["off", "other"], ["on", "other"],
    ]  # fmt: skip
    assert found.table["n_weights"].tolist() == [6, 4, 4]
    assert found.left_out[["scenario", "reason", "count"]].to_numpy().tolist() == [
        ["s03", "under one condition only", len(lonely)]
    ]
    assert "left out: 40 trials (under one condition only)" in str(found)


def test_one_scenario_has_no_correlation():
    scenarios, decisions, _ = simulate(0.5, n_scenarios=1, trials=15)
    found = compare_conditions(decisions, scenarios, "trigger", draws=200)
    assert found.table[["r_median", "cosine_hdi_low"]].isna().all(axis=None)
    assert found.table["sign_flips_expected"].notna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition": "colour"}, r"condition: expected a column of the decisions \(model, trigger\), got 'colour'"),
        ({"condition": "preferences"}, "got 'preferences', which makes the groups"),
        ({"condition": "trigger", "priors": PooledPriors(omega=LogNormal(0.3))}, "priors without omega"),
        ({"condition": "trigger", "inference": "vi"}, "inference: expected"),
        ({"condition": "trigger", "by": ["trigger"]}, "which makes the groups"),
    ],
)
def test_errors(arguments, message):
    scenarios, decisions, _ = simulate(0.5, n_scenarios=2, trials=5)
    with pytest.raises(ArgumentError, match=message):
        compare_conditions(decisions, scenarios, **arguments)


def test_a_single_condition_is_an_error():
    scenarios, decisions, _ = simulate(0.5, n_scenarios=2, trials=5)
    rows = decisions.frame[decisions.frame["trigger"] == "on"]
    with pytest.raises(ArgumentError, match="two values or more that share a scenario, got 'trigger', with on"):
        compare_conditions(type(decisions)(rows, decisions.conditions), scenarios, "trigger")
