"""Partial pooling through `fit_choices`: against the reference engine, on agents that share no code, and its tables."""

import numpy as np
import pandas as pd
import pytest
from helpers.tables import unit_decisions, unit_scenarios

from selfinterp_stats import (
    ArgumentError,
    Beta,
    Decisions,
    Gamma,
    LogNormal,
    PooledPriors,
    SelfInterpWarning,
    find_hdi,
    fit_choices,
    make_decisions,
    read_fit,
)
from selfinterp_stats.engines import pooled as engine


def simulate(sizes, *, tau=4.0, sigma=0.5, n_trials=40, seed=1, deterministic=False, **columns):
    rng = np.random.default_rng(seed)
    scenarios = unit_scenarios(sizes)
    x, chosen, slopes = [], [], []
    for k in sizes:
        beta = rng.normal(0, tau, k)
        differences = rng.random((n_trials, k)) - rng.random((n_trials, k))
        eta = rng.normal(0, sigma) + differences @ beta
        x.append(differences)
        chosen.append(eta > 0 if deterministic else rng.random(n_trials) < 1 / (1 + np.exp(-eta)))
        slopes.append(beta)
    return scenarios, unit_decisions(scenarios, x, chosen, **columns), slopes


@pytest.fixture(scope="module")
def mixed():
    """Scenarios with two to six attributes, and their fit."""
    scenarios, decisions, slopes = simulate([2, 5, 5, 3, 6] * 6)
    return scenarios, decisions, slopes, fit_choices(decisions, scenarios, seed=1)


@pytest.mark.thorough
@pytest.mark.parametrize("deterministic", [False, True])
def test_engines_agree(deterministic):
    """Means in Monte-Carlo errors, quantiles of weights and hyperparameters in posterior sds, both engines' noise known."""
    scenarios, decisions, _ = simulate([3, 4] * 6, n_trials=25, deterministic=deterministic)
    fast = fit_choices(decisions, scenarios, draws=8000, seed=1)
    exact = fit_choices(decisions, scenarios, draws=8000, inference="nuts", seed=1)
    assert exact.contexts["converged"].all()
    assert fast.contexts["converged"].all()
    if not deterministic:  # else slopes are known by their prior alone, and vary with it over orders of magnitude
        difference = fast.slope_draws.mean(axis=1) - exact.slope_draws.mean(axis=1)
        z = difference / np.hypot(fast.slopes["mcse"], exact.slopes["mcse"])
        assert np.abs(z).max() < 4.5
        assert 0.7 < np.sqrt(np.mean(z**2)) < 1.3  # 42 slopes
    weights, reference = fast.weights().values, exact.weights().values
    spread = np.maximum(reference.std(axis=1), 0.5)
    for level in (0.05, 0.5, 0.95):
        gap = (np.quantile(weights, level, axis=1) - np.quantile(reference, level, axis=1)) / spread
        assert np.sqrt(np.mean(gap**2)) < 0.12
        gap = np.quantile(fast.population_draws, level, axis=1) - np.quantile(exact.population_draws, level, axis=1)
        assert (np.abs(gap) / exact.population_draws.std(axis=1)).max() < 0.2
    flipped = -reference  # the broken twin
    assert np.sqrt(np.mean(((weights.mean(axis=1) - flipped.mean(axis=1)) / spread) ** 2)) > 1


def test_recovers_weights_and_their_spread(mixed):
    _, _, slopes, fit = mixed
    truth = np.concatenate([100 * beta / np.abs(beta).max() for beta in slopes])
    table = fit.weights().table
    assert np.corrcoef(table["mean"], truth)[0, 1] > 0.9
    assert ((table["hdi_low"] <= truth) & (truth <= table["hdi_high"])).mean() > 0.9
    population = fit.describe_population().set_index("parameter")
    assert list(population.index) == ["tau", "sigma_alpha"]
    actual = np.concatenate(slopes).std()
    assert population.loc["tau", "hdi_low"] < actual < population.loc["tau", "hdi_high"]
    assert (population["n_scenarios"] == 30).all()
    assert fit.population["converged"].all()


def test_shrinks_less_than_the_narrow_prior(mixed):
    scenarios, decisions, slopes, fit = mixed
    paper = fit_choices(decisions, scenarios, pooling="none", seed=1)
    truth = np.concatenate(slopes)
    assert np.square(fit.slope_draws.mean(axis=1) - truth).mean() < np.square(paper.slope_draws.mean(axis=1) - truth).mean()
    assert paper.population.empty
    assert paper.describe_population().empty


def test_tables(mixed):
    _, _, _, fit = mixed
    assert fit.contexts["converged"].all()
    assert (fit.contexts["ess"] >= 400).all()
    consistency = fit.describe_consistency()
    rows = fit.slopes["context"].to_numpy() == 3
    largest = np.abs(fit.slope_draws[rows]).max(axis=0)
    low, high = find_hdi(largest)
    assert consistency.loc[3, ["mean", "hdi_low", "hdi_high"]].tolist() == pytest.approx(
        [largest.mean(), float(low), float(high)]
    )
    assert fit.draws["population"].dims == ("chain", "draw", "hyperparameter")
    text = str(fit)
    assert "Pooling:     partial" in text
    assert "sigma_alpha ~ lognormal(log 0.5, 1)" in text
    assert "Population (95% HDI)" in text


def test_hyperparameters_that_are_not_known_well_enough_are_named(monkeypatch):
    scenarios, decisions, _ = simulate([3] * 6)
    monkeypatch.setattr(engine, "TABLE_NOISE", 1e-9)
    with pytest.warns(SelfInterpWarning, match="the posterior of 2 hyperparameters is not known .*native tau, m"):
        fit = fit_choices(decisions, scenarios, draws=200, seed=1)
    assert not fit.population["converged"].any()
    assert "Not converged: 0 scenarios; nor hyperparameters" in str(fit)


def test_the_order_of_rows_does_not_matter_and_groups_are_separate(mixed):
    scenarios, decisions, _, fit = mixed
    shuffled = Decisions(decisions.frame.sample(frac=1, random_state=1, ignore_index=True))
    again = fit_choices(shuffled, scenarios, seed=1)
    assert np.array_equal(again.slope_draws, fit.slope_draws)
    assert np.array_equal(again.population_draws, fit.population_draws)
    other = decisions.frame.assign(base_model="zeta", chosen=np.where(decisions.frame["chosen"] == "A", "B", "A"))
    both = fit_choices(Decisions(pd.concat([decisions.frame, other], ignore_index=True)), scenarios, seed=1)
    assert np.array_equal(both.slope_draws[: len(fit.slopes)], fit.slope_draws)
    assert len(both.population) == 4


def test_stored_and_read(mixed, tmp_path):
    *_, fit = mixed
    fit.to_netcdf(tmp_path / "fit.nc")
    again = read_fit(tmp_path / "fit.nc")
    assert again.spec == fit.spec
    assert np.array_equal(again.population_draws, fit.population_draws)
    pd.testing.assert_frame_equal(again.population, fit.population)
    pd.testing.assert_frame_equal(again.describe_population(), fit.describe_population())


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:.*divergent transitions")  # three of 8,000, in the reference
def test_many_attributes_and_deterministic_choices():
    """Nearly separated scenarios of very different sizes, few enough to leave their spread open: the exact sampler's."""
    scenarios, decisions, _ = simulate([8, 3], deterministic=True)
    fit = fit_choices(decisions, scenarios, seed=1)
    assert fit.contexts["converged"].all()
    assert fit.population["converged"].all()
    assert (fit.contexts["sampler"] == "slice").any()
    exact = fit_choices(decisions, scenarios, inference="nuts", draws=8000, seed=1)
    weights, reference = fit.weights().values, exact.weights().values
    for level in (0.05, 0.5, 0.95):
        gap = np.quantile(fit.population_draws, level, axis=1) - np.quantile(exact.population_draws, level, axis=1)
        # the upper tail is long, and nuts' effective size a tenth of its draws
        assert (np.abs(gap) / exact.population_draws.std(axis=1)).max() < (0.1 if level < 0.9 else 0.25)
        # some weights stand at 100 in nearly all draws, and sds say little of their tails: probabilities are compared
        assert find_largest_gap(weights, reference, level, fit, exact) < 4.5
    assert find_largest_gap(-weights, reference, 0.5, fit, exact) > 10  # the broken twin


def find_largest_gap(weights, reference, level, fit, exact):
    """Probability below the other engine's quantile, less what it should be, in Monte-Carlo errors; the largest."""
    context = fit.slopes["context"].to_numpy()
    quantile = np.quantile(reference, level, axis=1)[:, None]
    below, upto = (weights < quantile - 1e-9).mean(axis=1), (weights <= quantile + 1e-9).mean(axis=1)
    gap = np.maximum(np.maximum(below - level, level - upto), 0)
    noise = 1 / fit.contexts["ess"].to_numpy()[context] + 1 / exact.contexts["ess"].to_numpy()[context]
    return (gap / np.sqrt(level * (1 - level) * noise)).max()


def test_extremes():
    """One scenario with one trial; answers on one side only."""
    for sizes, n_trials, sigma in (([2], 1, 0.5), ([3, 3], 12, 60.0)):
        scenarios, decisions, _ = simulate(sizes, n_trials=n_trials, sigma=sigma, deterministic=True)
        fit = fit_choices(decisions, scenarios, draws=500, seed=2)
        assert np.isfinite(fit.slope_draws).all()
        assert fit.contexts["converged"].all()


def probabilities(noise=0.5, n_scenarios=20, n_trials=30, seed=2, truncation=0.0):
    rng = np.random.default_rng(seed)
    scenarios = unit_scenarios([3] * n_scenarios)
    x = [rng.random((n_trials, 3)) - rng.random((n_trials, 3)) for _ in range(n_scenarios)]
    slopes = rng.normal(0, 4, (n_scenarios, 3))
    eta = np.array([part @ beta for part, beta in zip(x, slopes, strict=True)]) + rng.normal(0, 0.5, (n_scenarios, 1))
    p_a = 1 / (1 + np.exp(-(eta + noise * rng.standard_normal(eta.shape))))
    p_a = np.where(p_a < truncation, 0.0, np.where(p_a > 1 - truncation, 1.0, p_a))
    decisions = unit_decisions(scenarios, x, list(p_a > 0.5))
    order = {name: i for i, name in enumerate(scenarios.names)}
    frame = decisions.frame
    place = frame["scenario"].map(order).to_numpy()
    return scenarios, Decisions(frame.assign(p_a=p_a[place, frame["trial"].astype(int)])), slopes


def test_probabilities_tell_more_than_choices():
    scenarios, decisions, slopes = probabilities()
    sharp = fit_choices(decisions, scenarios, response="probability", seed=1)
    plain = fit_choices(decisions, scenarios, seed=1)
    truth = (100 * slopes / np.abs(slopes).max(axis=1, keepdims=True)).ravel()
    table = sharp.weights().table
    assert ((table["hdi_low"] <= truth) & (truth <= table["hdi_high"])).mean() > 0.85
    wide = plain.weights().table
    assert (table["hdi_high"] - table["hdi_low"]).mean() < 0.5 * (wide["hdi_high"] - wide["hdi_low"]).mean()


def test_truncated_probabilities_are_bounds():
    scenarios, decisions, slopes = probabilities(truncation=0.05)
    share = decisions.frame["p_a"].isin([0.0, 1.0]).mean()
    assert share > 0.2
    fit = fit_choices(decisions, scenarios, response="probability", truncation=0.05, seed=1)
    low, high = find_hdi(fit.slope_draws, 0.95)
    assert ((low <= slopes.ravel()) & (slopes.ravel() <= high)).mean() > 0.88
    # the broken twin: the bound taken for the value makes slopes too small and too certain
    squashed = Decisions(decisions.frame.assign(p_a=decisions.frame["p_a"].clip(0.05, 0.95)))
    low, high = find_hdi(fit_choices(squashed, scenarios, response="probability", seed=1).slope_draws, 0.95)
    assert ((low <= slopes.ravel()) & (slopes.ravel() <= high)).mean() < 0.6


def test_probabilities_without_noise():
    scenarios, decisions, slopes = probabilities(noise=0.0)
    fit = fit_choices(decisions, scenarios, response="probability", draws=500, seed=1)
    assert np.allclose(fit.slope_draws.mean(axis=1), slopes.ravel(), atol=0.02)
    assert fit.contexts["converged"].all()


def test_trials_without_a_choice_or_probability_are_counted():
    scenarios = unit_scenarios([2])
    rows = [
        ("s0000", t, f"attribute {k}", 0.5 * (t % 2), 0.2 * k, p) for t, p in enumerate([0.9, None, 0.2]) for k in (1, 2)
    ]
    frame = pd.DataFrame(rows, columns=["scenario", "trial", "attribute", "a", "b", "p_a"])
    frame["chosen"] = np.where(frame["trial"] == 0, "", "A")
    decisions = make_decisions(frame, scenarios)
    for response in ("choice", "probability"):
        fit = fit_choices(decisions, scenarios, response=response, draws=100)
        assert fit.left_out[["reason", "count"]].to_numpy().tolist() == [[f"no {response}", 1]]
    alone = make_decisions(frame[frame["trial"] == 0].drop(columns="chosen"), scenarios)
    assert fit_choices(alone, scenarios, response="probability", draws=100).contexts["n_trials"].tolist() == [1]
    with pytest.raises(ArgumentError, match="response: expected decisions with a choice, got a table without any"):
        fit_choices(alone, scenarios)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"response": "probability", "pooling": "none"}, "response: expected 'choice' without pooling"),
        ({"response": "probability"}, "response: expected decisions with a probability"),
        ({"truncation": 0.5}, "truncation: expected"),
        ({"priors": PooledPriors(lapse=Beta(1, 19))}, "inference: expected 'nuts' for a model with lapse"),
        ({"priors": PooledPriors(slope_df=Gamma(2, 0.1))}, "inference: expected 'nuts' for a model with slope_df"),
        ({"inference": "mcmc"}, "inference: expected one of"),
    ],
)
def test_arguments(options, message):
    scenarios, decisions, _ = simulate([2, 3], n_trials=5)
    with pytest.raises(ArgumentError, match=message):
        fit_choices(decisions, scenarios, **options)


def test_a_spread_of_their_own():
    scenarios, decisions, _ = simulate([4] * 25)
    fit = fit_choices(decisions, scenarios, priors=PooledPriors(omega=LogNormal(0.3, 1.0)), draws=1000, seed=1)
    assert list(fit.population["parameter"]) == ["tau", "sigma_alpha", "omega"]
    assert fit.describe_population().set_index("parameter").loc["omega", "median"] < 0.4
