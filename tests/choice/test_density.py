"""The compiled likelihood against a likelihood written with SciPy."""

import numpy as np
import pytest
from scipy.special import log_expit

from selfinterp_stats import ChoicePriors, Normal, StudentT
from selfinterp_stats.choice.density import ChoiceDensity, ChoiceLikelihood


def _density(seed=1, sizes=(30, 1, 700), k=4, scale=1.0):
    rng = np.random.default_rng(seed)
    first = np.concatenate([[0], np.cumsum(sizes)])
    x = rng.uniform(-scale, scale, (first[-1], k))
    s = rng.choice([-1.0, 1.0], first[-1])
    return ChoiceDensity(ChoiceLikelihood(x, s, first), ChoicePriors(Normal(0.2, 1.5), StudentT(3, 0, 2.5))), rng


def _reference(density, theta):
    out = np.empty(theta.shape[:2])
    for b in range(theta.shape[0]):
        rows = slice(density.likelihood.first[b], density.likelihood.first[b + 1])
        eta = theta[b, :, 0] + density.likelihood.x[rows] @ theta[b, :, 1:].T
        out[b] = log_expit(density.likelihood.s[rows, None] * eta).sum(axis=0)
    out += density.priors.intercept.log_density(theta[:, :, 0])
    return out + density.priors.slopes.log_density(theta[:, :, 1:]).sum(axis=2)


@pytest.mark.parametrize("size", [0.1, 3.0, 500.0])
def test_values(size):
    density, rng = _density()
    theta = rng.normal(0, size, (3, 130, 5))
    assert np.allclose(density.evaluate(theta), _reference(density, theta), rtol=1e-12, atol=1e-9)


def test_extreme_values_stay_finite():
    density, _ = _density(scale=1e3)
    theta = np.full((3, 2, 5), 1e5)
    assert np.isfinite(density.evaluate(theta)).all()
    assert all(np.isfinite(part).all() for part in density.derivatives(theta[:, 0]))


def test_derivatives():
    density, rng = _density()
    theta = rng.normal(0, 1, (3, 5))
    value, gradient, curvature = density.derivatives(theta)
    assert np.allclose(value, density.evaluate(theta[:, None])[:, 0])
    step = 1e-6
    for k in range(5):
        shift = step * np.eye(5)[k]
        up, down = density.derivatives(theta + shift), density.derivatives(theta - shift)
        assert np.allclose(gradient[:, k], (up[0] - down[0]) / (2 * step), rtol=1e-5, atol=1e-5)
        assert np.allclose(curvature[:, k], -(up[1] - down[1]) / (2 * step), rtol=1e-5, atol=1e-4)


def test_select():
    density, rng = _density()
    theta = rng.normal(0, 1, (3, 7, 5))
    part = density.select([2, 0])
    assert part.shape == (2, 5)
    assert np.array_equal(part.evaluate(theta[[2, 0]]), density.evaluate(theta)[[2, 0]])


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0, 1e4, 1e8])
def test_values_are_exact_at_any_size(scale):
    """Against NumPy's logarithm of the logistic function; 700 trials, more than one product of factors can hold."""
    rng = np.random.default_rng(3)
    x, s = rng.uniform(-1, 1, (700, 3)), rng.choice([-1.0, 1.0], 700)
    theta = scale * rng.standard_normal((1, 150, 4))
    found = ChoiceLikelihood(x, s, np.array([0, 700])).evaluate(theta)[0]
    eta = s * (theta[0, :, :1] + theta[0, :, 1:] @ x.T)
    assert np.allclose(found, -np.logaddexp(0.0, -eta).sum(axis=1), rtol=1e-13, atol=0)
