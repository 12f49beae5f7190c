"""The slope's posterior under brms' default priors: against integration, against its limit, and by its draws."""

import numpy as np
import pytest
from scipy import stats

from selfinterp_stats.correlation.gaussian import find_slope_posterior


def _data(n, r, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = r * x + np.sqrt(1 - r**2) * rng.normal(size=n)
    return x, y


@pytest.mark.parametrize("n", [500, 50])
def test_near_least_squares_with_many_points(n):
    x, y = _data(n, 0.5, 1)
    posterior = find_slope_posterior(x, y)
    reference = stats.linregress(x, y)
    low, high = posterior.find_interval(0.95)
    half = stats.t.ppf(0.975, n - 2) * reference.stderr
    assert posterior.mean == pytest.approx(reference.slope)
    # flat priors in place of brms' weak ones: the difference vanishes with n
    assert high - posterior.mean == pytest.approx(half, rel=3 / n)
    assert posterior.mean - low == pytest.approx(half, rel=3 / n)


@pytest.mark.parametrize(("n", "shift"), [(3, 0.0), (5, 0.0), (8, 30.0), (40, 1.0)])
def test_against_reweighted_draws_of_the_flat_prior(n, shift):
    """Closed form under flat priors, then importance weights for the priors that brms sets."""
    x, y = _data(n, 0.3, 4)
    y = y + shift
    location = round(np.median(y), 1)  # as brms writes the prior: student_t(3, 0.4, 2.5)
    scale = max(2.5, round(1.4826 * np.median(np.abs(y - np.median(y))), 1))
    xc = x - x.mean()
    slope = np.sum(xc * y) / np.sum(xc**2)
    rss = np.sum((y - y.mean() - slope * xc) ** 2)
    rng = np.random.default_rng(7)
    size = 400_000
    sigma = np.sqrt(rss / rng.chisquare(n - 2, size))  # under 1 / sigma
    b = slope + sigma / np.sqrt(np.sum(xc**2)) * rng.standard_normal(size)
    a = y.mean() + sigma / np.sqrt(n) * rng.standard_normal(size)
    weights = stats.t.pdf(a, 3, location, scale) * stats.t.pdf(sigma, 3, 0, scale) * sigma
    weights /= weights.sum()
    posterior = find_slope_posterior(x, y)
    for prob in (0.5, 0.95):
        low, high = posterior.find_interval(prob)
        error = 4.5 * np.sqrt(prob * (1 - prob) * np.sum(weights**2))
        assert weights[(b > low) & (b < high)].sum() == pytest.approx(prob, abs=error)
        assert weights[b < low].sum() == pytest.approx((1 - prob) / 2, abs=error)


def test_draws_are_of_the_same_posterior():
    x, y = _data(12, 0.6, 5)
    posterior = find_slope_posterior(x, y)
    draws = posterior.sample(100_000, np.random.default_rng(1))
    for prob in (0.5, 0.95):
        low, high = posterior.find_interval(prob)
        assert ((draws > low) & (draws < high)).mean() == pytest.approx(prob, abs=0.006)
        assert (draws < low).mean() == pytest.approx((1 - prob) / 2, abs=0.006)


def test_what_is_not_identified():
    for x, y in (([1.0, 2.0], [0.0, 1.0]), ([1.0, 1.0, 1.0], [0.0, 1.0, 2.0]), ([], [])):
        posterior = find_slope_posterior(np.array(x), np.array(y))
        assert np.isnan([posterior.mean, *posterior.find_interval(0.95)]).all()
        assert np.isnan(posterior.sample(3, np.random.default_rng(1))).all()


def test_an_exact_fit():
    posterior = find_slope_posterior(np.arange(5.0), 3 * np.arange(5.0))
    assert posterior.find_interval(0.95) == (3.0, 3.0)


def test_interval_is_scale_free_for_large_samples():
    x, y = _data(300, 0.4, 6)
    low, high = find_slope_posterior(x, y).find_interval(0.95)
    scaled = find_slope_posterior(x, 2 * y).find_interval(0.95)
    assert scaled == pytest.approx((2 * low, 2 * high), rel=1e-3)


def test_coverage_of_the_slope():
    """For independent rows the interval covers; calibrated at n = 25, where the prior hardly matters."""
    hits = 0
    for seed in range(600):
        low, high = find_slope_posterior(*_data(25, 0.5, seed)).find_interval(0.9)
        hits += low < 0.5 < high
    assert stats.binomtest(hits, 600, 0.9).pvalue > 1e-4
