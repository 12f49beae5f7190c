"""Adaptive importance sampling of one density against closed forms."""

import numpy as np
from helpers.densities import HeavyTails, Skewed, random_gaussians
from scipy.special import digamma, polygamma

from selfinterp_stats.engines.known import sample_known


def test_moments_of_a_normal_density():
    density = random_gaussians(1, 5, seed=2)
    found = sample_known(density, 4000, np.random.default_rng(1))
    sd = np.sqrt(np.diagonal(density.covariance[0]))
    assert found.converged
    assert found.ess > 3000
    assert np.abs((found.draws.mean(axis=0) - density.mean[0]) / sd).max() < 4.5 / np.sqrt(3000)
    assert np.allclose(found.draws.std(axis=0) / sd, 1, atol=0.06)


def test_skewed_densities():
    found = sample_known(Skewed(1, 3, 2.0), 8000, np.random.default_rng(3))
    assert np.abs(found.draws.mean(axis=0) - digamma(2.0)).max() < 0.05
    assert np.allclose(found.draws.var(axis=0), polygamma(1, 2.0), rtol=0.1)


def test_what_proposals_cannot_cover_is_said():
    assert not sample_known(HeavyTails(1, 4, 1.2), 2000, np.random.default_rng(4)).converged
