"""Calibration of the choice model on agents drawn from its prior, and twins that the same checks catch.

Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari and Gelman, 2018, arXiv 1804.06788): if parameters come
from the prior, their ranks among posterior draws are uniform. The agents are drawn here, not by the package.
"""

import numpy as np
import pytest
from helpers.tables import unit_decisions, unit_scenarios
from scipy import stats

from selfinterp_stats import ChoicePriors, Normal, fit_choices, normalise_draws

N_SCENARIOS, N_TRIALS, N_ATTRIBUTES = 800, 30, 4
THINNED = 199  # draws that ranks are taken among


@pytest.fixture(scope="module")
def simulated():
    """Scenarios with slopes and intercepts from the paper's priors: (scenarios, decisions, intercepts, slopes)."""
    rng = np.random.default_rng(20)
    scenarios = unit_scenarios([N_ATTRIBUTES] * N_SCENARIOS)
    slopes = rng.standard_normal((N_SCENARIOS, N_ATTRIBUTES))
    centred = 2.5 * rng.standard_t(3, N_SCENARIOS)  # at centred predictors
    x, chosen, intercepts = [], [], []
    for s in range(N_SCENARIOS):
        x.append(rng.uniform(-1, 1, (N_TRIALS, N_ATTRIBUTES)))
        intercepts.append(centred[s] - x[s].mean(axis=0) @ slopes[s])
        log_odds = intercepts[s] + x[s] @ slopes[s]
        chosen.append(rng.random(N_TRIALS) < 1 / (1 + np.exp(-log_odds)))
    return scenarios, unit_decisions(scenarios, x, chosen), np.array(intercepts), slopes


@pytest.fixture(scope="module")
def calibrated(simulated):
    scenarios, decisions, _, _ = simulated
    return fit_choices(decisions, scenarios, draws=1000, seed=1)


def _ranks(draws, truth):
    """Ranks of the truth among thinned draws, ties broken at random; 0 .. THINNED."""
    rng = np.random.default_rng(3)
    part = draws[:, :: draws.shape[1] // THINNED][:, :THINNED]
    below, equal = (part < truth[:, None]).sum(axis=1), (part == truth[:, None]).sum(axis=1)
    return below + rng.integers(0, equal + 1)


def _p_uniform(ranks):
    """p value for uniform ranks: chi-squared in 20 bins, and a test of their spread, which sees a wrong width early."""
    counts = np.histogram(ranks, bins=20, range=(-0.5, THINNED + 0.5))[0]
    squares = (ranks / THINNED - 0.5) ** 2
    z = (squares.mean() - (THINNED + 2) / (12 * THINNED)) / (squares.std() / np.sqrt(len(ranks)))
    return min(1.0, 2 * min(stats.chisquare(counts).pvalue, 2 * stats.norm.sf(abs(z))))


def _checks(fit, intercepts, slopes):
    """p values of the ranks of one slope, the intercept and one normalised weight for each scenario."""
    rng = np.random.default_rng(4)
    rows = np.arange(N_SCENARIOS) * N_ATTRIBUTES + rng.integers(0, N_ATTRIBUTES, N_SCENARIOS)
    context = fit.slopes["context"].to_numpy()
    weights = normalise_draws(fit.slope_draws, context)
    true_weights = normalise_draws(slopes.reshape(-1, 1), context)[:, 0]
    return {
        "slope": _p_uniform(_ranks(fit.slope_draws[rows], slopes.ravel()[rows])),
        "intercept": _p_uniform(_ranks(fit.intercept_draws, intercepts)),
        "weight": _p_uniform(_ranks(weights[rows], true_weights[rows])),
    }


def test_ranks_are_uniform(calibrated, simulated):
    _, _, intercepts, slopes = simulated
    assert min(_checks(calibrated, intercepts, slopes).values()) > 1e-4


@pytest.mark.parametrize("prob", [0.5, 0.95])
def test_intervals_cover(calibrated, simulated, prob):
    _, _, _, slopes = simulated
    table = calibrated.summary(prob=prob).query("slot == 1")
    hits = int(((table["hdi_low"] < slopes[:, 0]) & (slopes[:, 0] < table["hdi_high"])).sum())
    assert stats.binomtest(hits, N_SCENARIOS, prob).pvalue > 1e-4


def test_weights_cover_where_they_are_not_at_the_bound(calibrated, simulated):
    _, _, _, slopes = simulated
    truth = normalise_draws(slopes.reshape(-1, 1), calibrated.slopes["context"].to_numpy())[:, 0]
    table = calibrated.weights(prob=0.9).table
    hits = (table["hdi_low"] <= truth) & (truth <= table["hdi_high"])
    share = hits.to_numpy().reshape(N_SCENARIOS, N_ATTRIBUTES).mean(axis=1)
    error = share.std() / np.sqrt(N_SCENARIOS)
    # atoms at the bound can only make the shortest interval hold more than its probability
    assert share.mean() > 0.9 - 4 * error


def test_twin_with_a_prior_twice_too_wide(simulated):
    scenarios, decisions, intercepts, slopes = simulated
    twin = fit_choices(decisions, scenarios, priors=ChoicePriors(slopes=Normal(0, 2)), draws=1000, seed=1)
    assert min(_checks(twin, intercepts, slopes).values()) < 1e-4


def test_twin_with_a_flipped_sign(calibrated, simulated):
    _, _, intercepts, slopes = simulated
    assert min(_checks(calibrated, intercepts, -slopes).values()) < 1e-4


def test_twin_with_shuffled_scenarios(calibrated, simulated):
    _, _, intercepts, slopes = simulated
    assert min(_checks(calibrated, np.roll(intercepts, 1), np.roll(slopes, 1, axis=0)).values()) < 1e-4


def test_more_trials_narrow_intervals():
    rng = np.random.default_rng(6)
    widths = []
    for n in (25, 100):
        scenarios = unit_scenarios([3] * 60)
        x = [rng.uniform(-1, 1, (n, 3)) for _ in range(60)]
        chosen = [rng.random(n) < 1 / (1 + np.exp(-(one @ [2.0, -1.0, 0.5]))) for one in x]
        table = fit_choices(unit_decisions(scenarios, x, chosen), scenarios, draws=500).weights().table
        widths.append((table["hdi_high"] - table["hdi_low"]).mean())
    assert widths[1] < 0.8 * widths[0]
