"""Calibration of our choice model on agents drawn from its prior, and twins that the same checks catch.

Two thousand fixed seeds, each a scenario of its own; checks fail at p < 1e-4. The agents share no code with the model.
"""

import numpy as np
import pytest
from scipy import stats

from selfinterp_stats import ChoicePriors, Normal, fit_choices
from selfinterp_stats.testing import assert_calibrated
from selfinterp_stats.testing.calibration import _check_ranks, _rank

pytestmark = pytest.mark.thorough

N_SEEDS, N_TRIALS, N_ATTRIBUTES = 2000, 30, 4


def paper_prior(differences, rng):
    """The prior in force, written out once more: the intercept's is at centred predictors."""
    slopes = rng.standard_normal(differences.shape[1])
    centred = 2.5 * rng.standard_t(3)
    return centred - differences.mean(axis=0) @ slopes, slopes


class Recorder:
    """The prior, remembering what it drew."""

    def __init__(self):
        self.slopes, self.intercepts = [], []

    def __call__(self, differences, rng):
        intercept, slopes = paper_prior(differences, rng)
        self.intercepts.append(intercept)
        self.slopes.append(slopes)
        return intercept, slopes


@pytest.fixture(scope="module")
def run():
    """(fit, true slopes, true intercepts, calibration) for all seeds."""
    recorder, kept = Recorder(), []

    def estimate(decisions, scenarios):
        kept.append(fit_choices(decisions, scenarios, pooling="none", draws=1000, seed=1))
        return kept[0].draws["slope"]

    settings = {"n_scenarios": N_SEEDS, "n_trials": N_TRIALS, "n_attributes": N_ATTRIBUTES, "probs": (0.5, 0.9, 0.95)}
    calibration = assert_calibrated(estimate, prior=recorder, **settings)
    return kept[0], np.array(recorder.slopes), np.array(recorder.intercepts), calibration


def test_ranks_are_uniform_and_equal_tailed_intervals_cover(run):
    _, _, _, calibration = run
    # assert_calibrated has raised by now if a check failed
    assert set(calibration.checks["quantity"]) == {"slope", "weight"}
    assert len(calibration.ranks) == N_SEEDS
    assert calibration.scale == pytest.approx(1, abs=0.06)
    assert calibration.pull == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("prob", [0.5, 0.9, 0.95])
def test_highest_density_intervals_cover(run, prob):
    fit, slopes, intercepts, _ = run
    table = fit.summary(prob=prob)
    for slot, truth in ((0, intercepts), (1, slopes[:, 0]), (N_ATTRIBUTES, slopes[:, -1])):
        part = table[table["slot"] == slot]
        hits = int(((part["hdi_low"].to_numpy() < truth) & (truth < part["hdi_high"].to_numpy())).sum())
        assert stats.binomtest(hits, N_SEEDS, prob).pvalue > 1e-4, (slot, hits / N_SEEDS)


def test_intercepts_are_ranked_uniformly(run):
    fit, _, intercepts, _ = run
    rng = np.random.default_rng(3)
    ranks = np.array([_rank(d, t, rng) for d, t in zip(fit.intercept_draws, intercepts, strict=True)])
    assert min(check["p_value"] for check in _check_ranks("intercept", ranks)) > 1e-4


def _weight_ranks(fit, slopes, weights):
    """Ranks of one true normalised weight of each scenario among draws of them, ties at the bounds at random."""
    rng = np.random.default_rng(4)
    truth = 100 * slopes / np.abs(slopes).max(axis=1, keepdims=True)
    picked = rng.integers(0, N_ATTRIBUTES, N_SEEDS)
    rows = np.arange(N_SEEDS) * N_ATTRIBUTES + picked
    return np.array([_rank(weights[row], truth[i, picked[i]], rng) for i, row in enumerate(rows)])


def test_normalised_weights_of_the_fit_are_ranked_uniformly(run):
    fit, slopes, _, _ = run
    draws = fit.weights().draws.transpose("weight", ...).to_numpy().reshape(len(fit.slopes), -1)
    ranks = _weight_ranks(fit, slopes, draws)
    assert min(check["p_value"] for check in _check_ranks("weight", ranks)) > 1e-4


def test_twin_that_summarises_before_normalising(run):
    """Divided by the largest posterior mean of the scenario rather than by each draw's own largest slope."""
    fit, slopes, _, _ = run
    means = np.abs(fit.slope_draws.mean(axis=1)).reshape(N_SEEDS, N_ATTRIBUTES).max(axis=1)
    weights = 100 * fit.slope_draws / np.repeat(means, N_ATTRIBUTES)[:, None]
    ranks = _weight_ranks(fit, slopes, weights)
    assert min(check["p_value"] for check in _check_ranks("weight", ranks)) < 1e-4


def test_intervals_of_weights_cover_at_least(run):
    fit, slopes, _, _ = run
    truth = (100 * slopes / np.abs(slopes).max(axis=1, keepdims=True)).ravel()
    table = fit.weights(prob=0.9).table
    hits = ((table["hdi_low"] <= truth) & (truth <= table["hdi_high"])).to_numpy().reshape(N_SEEDS, N_ATTRIBUTES)
    share = hits.mean(axis=1)
    # atoms at the bound can only make the shortest interval hold more than its probability
    assert share.mean() > 0.9 - 4 * share.std() / np.sqrt(N_SEEDS)


def _twin(change=lambda draws: draws, **settings):
    def estimate(decisions, scenarios):
        draws = fit_choices(decisions, scenarios, pooling="none", draws=500, seed=1, **settings).draws["slope"]
        return change(draws)

    with pytest.raises(AssertionError) as caught:
        assert_calibrated(estimate, prior=paper_prior, n_scenarios=400, n_trials=N_TRIALS, n_attributes=N_ATTRIBUTES)
    return str(caught.value)


def test_twin_with_a_prior_twice_too_wide():
    assert "slopes are too large" in _twin(priors=ChoicePriors(slopes=Normal(0, 2)))


def test_twin_with_a_flipped_sign():
    assert "slope: ranks" in _twin(lambda draws: -draws)


def test_twin_with_shuffled_scenarios():
    def shuffle(draws):
        return draws.copy(data=np.roll(draws.to_numpy(), N_ATTRIBUTES, axis=draws.get_axis_num("weight")))

    assert "slope: coverage of 90% intervals" in _twin(shuffle)
