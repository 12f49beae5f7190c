"""Chains at several hyperparameters, weighted together, against closed forms: normal means with known noise."""

import numpy as np
import pytest
from helpers.densities import NormalMeans
from scipy import stats

from selfinterp_stats.engines import LearnedScales
from selfinterp_stats.engines.bridge import bridge_unit
from selfinterp_stats.engines.diagnostics import effective_size
from selfinterp_stats.engines.shared import propagate_noise, propose, weigh_unit

pytestmark = pytest.mark.thorough

SCALES = LearnedScales(np.log([0.5, 3.0]), np.ones(2))
WANTED = np.array([[np.log(0.7), log_tau] for log_tau in np.linspace(-1.2, 1.6, 8)])


def normalise(log_weights):
    weights = np.exp(log_weights - log_weights.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def make_bridge(seed, size=8):
    rng = np.random.default_rng(seed)
    density = NormalMeans(rng.normal(0, 1.5, (1, size + 1)))
    unit = propose(density, SCALES, np.log([[0.5, 0.1]]), 200, [rng])[0]  # proposals that serve hardly anything
    return density, bridge_unit(density, unit, SCALES, WANTED, 400.0, 1000, rng)


@pytest.fixture(scope="module")
def bridges():
    return [make_bridge(seed) for seed in range(6)]


def test_serves_every_hyperparameter_asked_for(bridges):
    for _, unit in bridges:
        weights = normalise(weigh_unit(unit, SCALES, WANTED))
        assert (effective_size(weights) * unit.independent >= 400).all()
        assert 1 < len(unit.chains.references) < 16
        assert unit.chains.r_hat < 1.01
    # the broken twin: the first chains alone
    unit = bridges[0][1]
    alone = unit.points[: unit.counts[0]], unit.statistics[: unit.counts[0]]
    log_weights = SCALES.log_density(WANTED, alone[1], unit.sizes) - SCALES.log_density(
        unit.chains.references[:1], alone[1], unit.sizes
    )
    assert effective_size(normalise(log_weights)).min() < 50


def test_marginal_likelihoods_and_means_have_the_errors_claimed(bridges):
    """Differences of log marginal likelihoods, and posterior means, in claimed standard errors."""
    z = []
    for density, unit in bridges:
        log_weights = weigh_unit(unit, SCALES, WANTED)
        weights = normalise(log_weights)
        sd = np.sqrt(np.exp(2 * WANTED[:, [0] + [1] * (density.shape[1] - 1)]) + 1)
        exact = stats.norm.logpdf(density.y[0], 0, sd).sum(axis=1)
        found = np.logaddexp.reduce(log_weights, axis=1)
        error = (found - found[0]) - (exact - exact[0])
        claimed = np.sqrt(propagate_noise(unit, (weights - weights[0]).T))
        z.append(error[1:] / claimed[1:])
        for row, (_, log_tau) in zip(weights[::3], WANTED[::3], strict=True):
            variance = np.exp(2 * log_tau)
            mean = row @ unit.points
            claimed = np.sqrt(propagate_noise(unit, row[:, None] * (unit.points - mean)))
            z.append(((mean - variance / (variance + 1) * density.y[0]) / claimed)[1:])
    z = np.concatenate(z)
    assert np.abs(z).max() < 4.5
    assert 0.75 < np.sqrt(np.mean(z**2)) < 1.25  # they are correlated within a unit


def test_can_be_added_to():
    density, unit = make_bridge(20)
    rng = np.random.default_rng(1)
    further = WANTED + np.array([0.0, 1.5])
    again = bridge_unit(density, unit, SCALES, further, 400.0, 1000, rng)
    assert np.array_equal(again.chains.references[: len(unit.chains.references)], unit.chains.references)
    weights = normalise(weigh_unit(again, SCALES, further))
    assert (effective_size(weights) * again.independent >= 400).all()
