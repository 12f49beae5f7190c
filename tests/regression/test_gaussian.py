"""The closed form against reweighted draws of the conjugate posterior, and against its own prior."""

import numpy as np
import pytest
from scipy import stats

from selfinterp_stats import Normal, StudentT
from selfinterp_stats.regression.gaussian import make_problem, sample_linear, tabulate_sigma

LEVELS = np.array([0.025, 0.25, 0.5, 0.75, 0.975])


def make_data(seed, rows, columns=3, shift=2.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, columns)) @ rng.standard_normal((columns, columns)) + 3.0
    return X, shift + X @ np.array([0.5, -1.0, 0.0][:columns]) + 1.5 * rng.standard_normal(rows)


def reference_draws(X, y, draws, rng):
    """The posterior under flat coefficients and p(sigma) = 1/sigma, from scaled inverse chi-squared and normal draws."""
    design = np.column_stack([np.ones(len(y)), X - X.mean(axis=0)])
    estimate, rss = np.linalg.lstsq(design, y, rcond=None)[:2]
    sigma = np.sqrt(rss[0] / rng.chisquare(len(y) - design.shape[1], draws))
    factor = np.linalg.cholesky(np.linalg.inv(design.T @ design))
    return estimate[:, None] + factor @ rng.standard_normal((len(estimate), draws)) * sigma, sigma


def weighted_levels(values, weights, places):
    """Posterior probabilities below some places."""
    return np.array([weights[values < place].sum() for place in places]) / weights.sum()


@pytest.mark.parametrize(
    ("rows", "intercept", "sds"),
    [
        (8, StudentT(3.0, 1.0, 2.5), (np.inf, np.inf, np.inf)),
        (40, StudentT(3.0, 2.0, 2.5), (np.inf, np.inf, np.inf)),
        (12, StudentT(3.0, -1.0, 0.2), (np.inf, 1.0, np.inf)),
        (12, Normal(0.0, 1.0), (0.5, 0.5, 0.5)),
    ],
)
def test_against_reweighted_conjugate_draws(rows, intercept, sds):
    X, y = make_data(3, rows)
    sigma_prior = StudentT(3.0, 0.0, 2.5)
    precision = np.array([0.0 if np.isinf(sd) else sd**-2 for sd in sds])
    problem = make_problem(X, y, np.zeros(3), precision, intercept, sigma_prior)
    coefficients, centred, sigma = sample_linear(problem, 30_000, np.random.default_rng(1))
    theta, reference_sigma = reference_draws(X, y, 1_000_000, np.random.default_rng(2))
    density = {Normal: stats.norm(0.0, 1.0), StudentT: None}[type(intercept)]
    if density is None:
        density = stats.t(intercept.df, intercept.location, intercept.scale)
    log_weights = density.logpdf(theta[0]) + stats.t.logpdf(reference_sigma, 3, 0, 2.5) + np.log(reference_sigma)
    for k, sd in enumerate(sds):
        log_weights += 0.0 if np.isinf(sd) else stats.norm.logpdf(theta[k + 1], 0.0, sd)
    weights = np.exp(log_weights - log_weights.max())
    size = weights.sum() ** 2 / np.square(weights).sum()
    assert size > 3_000
    found = [centred, *coefficients, sigma]
    for values, expected in zip(found, [*theta, reference_sigma], strict=True):
        off = weighted_levels(expected, weights, np.quantile(values, LEVELS)) - LEVELS
        error = np.sqrt(LEVELS * (1 - LEVELS) * (1 / size + 1 / 30_000))
        assert np.abs(off / error).max() < 4.5  # of 100 comparisons


def test_two_modes():
    """A narrow prior far from the data keeps what its tails give it; against a grid of intercept and log sigma."""
    X, y = make_data(3, 12)
    prior = StudentT(3.0, -3.0, 0.2)
    problem = make_problem(X, y, np.zeros(3), np.zeros(3), prior, StudentT(3.0, 0.0, 2.5))
    _, centred, _ = sample_linear(problem, 30_000, np.random.default_rng(1))
    places, log_sigma = np.linspace(-20, 20, 4_001), np.linspace(-2, 4, 151)
    sigma = np.exp(log_sigma)[:, None]
    residual = y - y.mean() - (X - X.mean(axis=0)) @ np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    log_density = -0.5 * (residual @ residual + 12 * np.square(places - y.mean())) / sigma**2
    log_density += (3 + 1 - 12) * log_sigma[:, None] + stats.t.logpdf(sigma, 3, 0, 2.5) + stats.t.logpdf(places, 3, -3, 0.2)
    mass = np.exp(log_density - log_density.max()).sum(axis=0)
    expected = mass[places < -2].sum() / mass.sum()
    assert expected > 0.005
    assert (centred < -2).mean() == pytest.approx(expected, abs=5 * np.sqrt(expected / 30_000))


def test_without_an_intercept():
    """Columns and response are then not centred; flat coefficients given sigma are those of least squares."""
    X, y = make_data(5, 30, shift=0.0)
    problem = make_problem(X, y, np.zeros(3), np.zeros(3), None, StudentT(3.0, 0.0, 2.5))
    coefficients, centred, _ = sample_linear(problem, 50_000, np.random.default_rng(1))
    estimate = np.linalg.lstsq(X, y, rcond=None)[0]
    assert np.isnan(centred).all()
    assert np.abs(coefficients.mean(axis=1) - estimate).max() < 5 * coefficients.std(axis=1).max() / np.sqrt(50_000)


def ranks_of_truth(seed, break_it=None):
    """Ranks of the true values among draws, the truth from the priors."""
    rng = np.random.default_rng([seed, 7])
    intercept, sigma_prior = StudentT(3.0, 1.0, 2.5), StudentT(3.0, 0.0, 2.5)
    b, sigma = 0.7 * rng.standard_normal(2), abs(2.5 * rng.standard_t(3))
    X = rng.standard_normal((15, 2)) + 2.0
    y = 1.0 + 2.5 * rng.standard_t(3) + (X - X.mean(axis=0)) @ b + sigma * rng.standard_normal(15)
    precision = np.full(2, 0.7**-2)
    if break_it == "prior":
        precision = precision * 10.0
    problem = make_problem(X, y, np.zeros(2), precision, intercept, sigma_prior)
    coefficients, _, found = sample_linear(problem, 199, rng)
    if break_it == "sigma":
        found = found * 1.3
    return [int((coefficients[0] < b[0]).sum()), int((found < sigma).sum())]


def uniform_p(ranks):
    return stats.chisquare(np.histogram(ranks, np.linspace(0, 200, 21))[0]).pvalue


def test_calibrated():
    ranks = np.array([ranks_of_truth(seed) for seed in range(300)])
    assert uniform_p(ranks[:, 0]) > 1e-3
    assert uniform_p(ranks[:, 1]) > 1e-3
    broken = np.array([ranks_of_truth(seed, "prior") for seed in range(300)])
    assert uniform_p(broken[:, 0]) < 1e-6
    broken = np.array([ranks_of_truth(seed, "sigma") for seed in range(300)])
    assert uniform_p(broken[:, 1]) < 1e-6


@pytest.mark.parametrize("rows", [4, 100, 100_000])
def test_grid_holds_the_posterior_of_sigma(rows):
    X, y = make_data(1, rows, columns=1)
    problem = make_problem(X, y, np.zeros(1), np.zeros(1), StudentT(3.0, 0.0, 2.5), StudentT(3.0, 0.0, 2.5))
    sigma, weights = tabulate_sigma(problem)
    assert weights[0] < 1e-10
    assert weights[-1] < 1e-10
    assert weights.max() < 0.02
    assert weights @ sigma == pytest.approx(1.5, rel=0.8 if rows == 4 else 0.3 if rows == 100 else 0.02)
