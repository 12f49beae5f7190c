import numpy as np
import pytest
from helpers.densities import Gaussians, HeavyTails
from scipy import stats

from selfinterp_stats.engines.slice import sample_slice


def test_correlated_gaussian_from_a_poor_start():
    covariance = np.array([[[100.0, 9.5], [9.5, 1.0]]])
    density = Gaussians(np.array([[3.0, -1.0]]), covariance)
    start = np.random.default_rng(1).normal(0, 0.1, (200, 2))
    chains = sample_slice(density, start, 4000, np.random.default_rng(2))
    assert chains.converged
    assert chains.draws.shape == (4000, 2)
    z = (chains.draws.mean(axis=0) - density.mean[0]) / chains.mcse
    assert np.abs(z).max() < 4.5
    assert np.cov(chains.draws.T) == pytest.approx(covariance[0], rel=0.25)


def test_tails_of_a_cauchy_like_density():
    chains = sample_slice(HeavyTails(1, 1, 2.0), np.zeros((10, 1)), 8000, np.random.default_rng(3))
    p = stats.ecdf(np.abs(chains.draws[:, 0])).cdf.evaluate(stats.t.ppf(0.975, 2.0))
    assert p == pytest.approx(0.95, abs=0.02)


def test_chains_that_cannot_mix_say_so():
    class Islands(Gaussians):
        def evaluate(self, theta):
            return np.logaddexp(super().evaluate(theta), super().evaluate(theta - 500.0))

        def select(self, problems):
            return self

    density = Islands(np.zeros((1, 2)), np.eye(2)[None])
    start = np.concatenate([np.zeros((100, 2)), np.full((100, 2), 500.0)])
    # whitening stretches steps along the gap; a sampler that never re-scales stays where it began
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("selfinterp_stats.engines.slice._whitening", lambda points, fallback: fallback)
        patch.setattr("selfinterp_stats.engines.slice._DOUBLINGS", 0)
        stuck = sample_slice(density, start, 500, np.random.default_rng(4))
    assert not stuck.converged
    assert stuck.r_hat > 1.01
