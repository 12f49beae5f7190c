"""Priors of pairs: log densities against SciPy, derivatives against differences."""

import numpy as np
import pytest
from helpers.densities import PairedMeans
from scipy import stats

from selfinterp_stats.engines import LearnedCovariances

PRIOR = LearnedCovariances(np.log([[0.5, 0.7], [3.0, 2.0]]), np.array([[1.0, 0.5], [0.8, 1.2]]))
PHI = np.array([[-0.3, 0.2, 0.4, 0.9, 0.5, -1.3], [0.1, 0.0, 3.0, 0.2, -0.4, 0.7]])


@pytest.fixture
def density():
    return PairedMeans(np.random.default_rng(1).normal(0, 2, (3, 8)))


def test_log_density_is_that_of_normal_pairs(density):
    points = np.random.default_rng(2).normal(0, 1.5, (5, 8))
    found = PRIOR.log_density(PHI, PRIOR.statistics(density, points), PRIOR.sizes(density))
    for row, phi in zip(found, PHI, strict=True):
        exact = np.zeros(len(points))
        for (left, right), (a, b, z) in zip(density.pairs, phi.reshape(-1, 3), strict=True):
            sd, r = np.exp([a, b]), np.tanh(z)
            covariance = np.outer(sd, sd) * np.array([[1.0, r], [r, 1.0]])
            for i, j in zip(range(left.start, left.stop), range(right.start, right.stop), strict=True):
                exact += stats.multivariate_normal.logpdf(points[:, [i, j]], cov=covariance)
        assert np.allclose(np.diff(row), np.diff(exact))
    # constants depend on the hyperparameters, too
    both = np.array([row[0] for row in found])
    change = both[1] - both[0]
    exact = 0.0
    for k, (left, right) in enumerate(density.pairs):
        for i, j in zip(range(left.start, left.stop), range(right.start, right.stop), strict=True):
            for sign, (a, b, z) in zip((-1, 1), PHI[:, 3 * k : 3 * k + 3], strict=True):
                sd, r = np.exp([a, b]), np.tanh(z)
                covariance = np.outer(sd, sd) * np.array([[1.0, r], [r, 1.0]])
                exact += sign * stats.multivariate_normal.logpdf(points[0, [i, j]], cov=covariance)
    assert change == pytest.approx(exact)


def test_correlations_are_uniform_and_scales_log_normal():
    z = np.linspace(-3, 3, 7)
    phi = np.tile(PHI[0], (7, 1))
    phi[:, 5] = z
    assert np.allclose(np.diff(PRIOR.log_prior(phi)), np.diff(np.log(1 - np.tanh(z) ** 2)))
    phi = np.tile(PHI[0], (7, 1))
    phi[:, 1] = z
    assert np.allclose(np.diff(PRIOR.log_prior(phi)), np.diff(stats.norm.logpdf(z, np.log(0.7), 0.5)))


@pytest.mark.parametrize("phi", PHI)
def test_derivatives_against_differences(phi):
    sizes, step = (1, 3), 1e-5

    def natural(at):
        constant, value = PRIOR.natural_parameters(at[None], sizes)
        return np.r_[constant, value[0]]

    found = PRIOR.differentiate(phi, sizes)
    assert np.allclose(np.r_[found.constant, found.value], natural(phi))
    for i, unit in enumerate(step * np.eye(6)):
        slope = (natural(phi + unit) - natural(phi - unit)) / (2 * step)
        assert np.allclose(np.r_[found.constant_gradient[i], found.gradient[:, i]], slope, rtol=1e-6, atol=1e-6)
        above, below = (PRIOR.differentiate(phi + sign * unit, sizes) for sign in (1, -1))
        bend = (above.gradient - below.gradient) / (2 * step)
        assert np.allclose(found.hessian[:, :, i], bend, rtol=1e-5, atol=1e-5)
        bend = (above.constant_gradient - below.constant_gradient) / (2 * step)
        assert np.allclose(found.constant_hessian[i], bend, atol=1e-6)
        gradient, hessian = PRIOR.prior_derivatives(phi)
        slope = (PRIOR.log_prior(phi + unit) - PRIOR.log_prior(phi - unit)) / (2 * step)
        assert gradient[i] == pytest.approx(float(slope), abs=1e-6)
        change = PRIOR.prior_derivatives(phi + unit)[0] - PRIOR.prior_derivatives(phi - unit)[0]
        assert np.allclose(hessian[i], change / (2 * step), atol=1e-6)


def test_units_at_one_value(density):
    conditioned = PRIOR.condition(density, PHI[0])
    theta = np.random.default_rng(3).normal(0, 1, (3, 8))
    value, gradient, curvature = conditioned.derivatives(theta)
    assert np.allclose(value, conditioned.evaluate(theta[:, None])[:, 0])
    prior = PRIOR.log_density(PHI[:1], PRIOR.statistics(density, theta), PRIOR.sizes(density))[0]
    assert np.allclose(np.diff(value - density.evaluate(theta[:, None])[:, 0]), np.diff(prior))
    for i, step in enumerate(1e-5 * np.eye(8)):
        above, below = conditioned.derivatives(theta + step), conditioned.derivatives(theta - step)
        assert np.allclose((above[0] - below[0]) / 2e-5, gradient[:, i], atol=1e-6)
        assert np.allclose((below[1] - above[1]) / 2e-5, curvature[:, i], atol=1e-6)
    assert conditioned.select([1]).evaluate(theta[1:2, None])[0, 0] == pytest.approx(value[1])


def test_the_widest_has_the_largest_scales_and_the_correlations_nearest_to_zero():
    assert PRIOR.find_widest(PHI).tolist() == [0.1, 0.2, 0.4, 0.9, 0.5, 0.7]
