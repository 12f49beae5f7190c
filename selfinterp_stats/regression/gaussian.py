"""Gaussian regression with fixed terms, without a Markov chain.

The model is y ~ Normal(a + Xc b, sigma^2) with centred columns Xc, Student-t or normal priors on a, half-Student-t on sigma
and flat or normal priors on b. Given sigma, a and b are independent: b is normal, a has one dimension; what is left is the
density of log sigma, which is put on a fine grid. Draws from it are independent draws of the posterior.

Source: O'Hagan and Forster (2004), "Kendall's Advanced Theory of Statistics 2B: Bayesian Inference", chapter 11, for the
conjugate part; the intercept's and sigma's priors are integrated by quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice import Normal, StudentT

__all__ = ["LinearProblem", "make_problem", "sample_linear", "tabulate_sigma"]

Floats = NDArray[np.float64]

_WIDE = 30.0  # the first look at log sigma reaches so far either way
_DEPTH = 40.0  # the grid reaches where the density is e**-40 of its peak
_COARSE, _FINE = 1_501, 2_001
_HERMITE = 32
_TINY = np.finfo(np.float64).tiny
_NARROW = 2.0  # standard errors; an intercept's prior of a smaller scale is no smooth factor of the likelihood
_FALLS = 2.0  # of the prior's log density, from where it is largest there to the likelihood's centre
_PLACES, _TAILS = 241, 6.0  # of a grid; sinh(6) is 200 scales of the prior
_REACH = 8.0  # of the intercept around its likelihood's centre, in standard errors
_EXACT_FIT = 1e-20  # residuals below this share of the total are rounding


@dataclass(frozen=True)
class LinearProblem:
    """Sufficient statistics of a Gaussian regression and its priors.

    Attributes
    ----------
    n_rows : int
    root : numpy.ndarray
        A matrix that with its own transpose gives the inverse of the columns' cross products, (P, P); columns are centred
        if there is an intercept.
    least_squares : numpy.ndarray
        Coefficients of least squares, (P,).
    rss : float
        Residual sum of squares.
    mean : float
        Of the response.
    prior_mean, prior_precision : numpy.ndarray
        Of the coefficients, (P,); a flat prior has precision zero.
    intercept : Normal or StudentT, optional
        None for a model without one.
    sigma : StudentT
        Its positive half.
    """

    n_rows: int
    root: Floats
    least_squares: Floats
    rss: float
    mean: float
    prior_mean: Floats
    prior_precision: Floats
    intercept: Normal | StudentT | None
    sigma: StudentT


def make_problem(
    X: Floats,
    y: Floats,
    prior_mean: Floats,
    prior_precision: Floats,
    intercept: Normal | StudentT | None,
    sigma: StudentT,
) -> LinearProblem:
    """Statistics of columns X (N, P) without the intercept's, and a response y (N,)."""
    centre, mean = (X.mean(axis=0), float(y.mean())) if intercept is not None else (np.zeros(X.shape[1]), 0.0)
    columns, response = X - centre, y - mean
    # by orthogonal columns of length one: cross products would lose half of the digits
    length = np.sqrt(np.square(columns).sum(axis=0))
    orthogonal, triangle = np.linalg.qr(columns / length)
    root = np.linalg.inv(triangle) / length[:, None]
    least_squares = root @ (orthogonal.T @ response)
    rss = float(np.sum(np.square(response - columns @ least_squares)))
    if rss <= _EXACT_FIT * float(np.sum(np.square(response))):
        rss = 0.0
    return LinearProblem(len(y), root, least_squares, rss, mean, prior_mean, prior_precision, intercept, sigma)


def tabulate_sigma(problem: LinearProblem) -> tuple[Floats, Floats]:
    """Values of sigma and their posterior probabilities, on a grid that is even in log sigma."""
    centre = 0.5 * np.log(problem.rss / problem.n_rows)
    wide = np.linspace(centre - _WIDE, centre + _WIDE, _COARSE)
    density = _log_density(problem, wide, np.ones(_COARSE, dtype=bool))
    inside = np.flatnonzero(density > density.max() - _DEPTH)
    first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, len(wide) - 1)
    log_sigma = np.linspace(wide[first], wide[last], _FINE)
    density = _log_density(problem, log_sigma, _is_smooth(problem, np.exp(log_sigma)))
    weights = np.exp(density - density.max())
    return np.exp(log_sigma), weights / weights.sum()


def _is_smooth(problem: LinearProblem, sigma: Floats) -> NDArray[np.bool_]:
    """Whether the intercept's prior hardly varies where its likelihood is."""
    error = sigma / np.sqrt(problem.n_rows)
    prior = problem.intercept
    if not isinstance(prior, StudentT):
        return np.ones(len(sigma), dtype=bool)
    low, high = problem.mean - _REACH * error, problem.mean + _REACH * error
    falls = prior.log_density(np.clip(prior.location, low, high)) - prior.log_density(np.asarray(problem.mean))
    return np.asarray((prior.scale > _NARROW * error) & (falls < _FALLS))


def _log_density(problem: LinearProblem, log_sigma: Floats, smooth: NDArray[np.bool_]) -> Floats:
    """Log posterior density of log sigma, coefficients and intercept integrated out.

    The intercept's integral takes a grid, and time, where its prior is not smooth, and a few nodes otherwise.
    """
    sigma = np.exp(log_sigma)
    log_prior = problem.sigma.log_density(sigma) + log_sigma  # the last for the density of the logarithm
    total = log_prior - problem.n_rows * log_sigma - 0.5 * problem.rss / np.square(sigma)
    total += _integrate_coefficients(problem, sigma)
    if problem.intercept is not None:
        error = sigma / np.sqrt(problem.n_rows)
        total += log_sigma + _integrate_intercept(problem.intercept, problem.mean, error, smooth)
    return np.asarray(total)


def _integrate_intercept(prior: Normal | StudentT, mean: float, error: Floats, smooth: NDArray[np.bool_]) -> Floats:
    """Log of the mean of the prior's density over Normal(mean, error^2), up to a constant."""
    if isinstance(prior, Normal):
        spread = np.square(error) + prior.sd**2
        return np.asarray(-0.5 * np.square(mean - prior.mean) / spread - 0.5 * np.log(spread))
    found = np.empty_like(error)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_HERMITE)
    places = mean + error[smooth, None] * nodes
    found[smooth] = np.log(np.maximum(np.exp(prior.log_density(places)) @ (weights / weights.sum()), _TINY))
    _, mass = _lay_grid(prior, mean, error[~smooth])
    found[~smooth] = np.log(np.maximum(mass.sum(axis=1), _TINY)) - np.log(error[~smooth] * np.sqrt(2.0 * np.pi))
    return found


def _lay_grid(prior: StudentT, mean: float, error: Floats) -> tuple[Floats, Floats]:
    """Places of the intercept (S, K) and, between neighbours, the mass of prior times likelihood, (S, K - 1).

    A narrow prior with its long tails and a likelihood far from it can make two modes: places are fine around both.
    """
    even, tails = np.linspace(-_REACH, _REACH, _PLACES), np.sinh(np.linspace(-_TAILS, _TAILS, _PLACES))
    around_prior = np.broadcast_to(prior.location + prior.scale * tails, (len(error), _PLACES))
    places = np.sort(np.concatenate([mean + error[:, None] * even, around_prior], axis=1), axis=1)
    density = np.exp(prior.log_density(places) - 0.5 * np.square((places - mean) / error[:, None]))
    return places, 0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(places, axis=1)


def _integrate_coefficients(problem: LinearProblem, sigma: Floats) -> Floats:
    """Log of the integral over the coefficients of prior and likelihood, relative to least squares."""
    if not problem.prior_precision.any():
        return np.asarray(len(problem.least_squares) * np.log(sigma))
    _, ratios, pull = _rotate(problem)
    precision = 1.0 / np.square(sigma)[:, None] + ratios
    off = problem.least_squares - problem.prior_mean
    lost = off @ (problem.prior_precision * off) - (np.square(pull) / precision).sum(axis=1)
    return np.asarray(-0.5 * lost - 0.5 * np.log(precision).sum(axis=1))


def _rotate(problem: LinearProblem) -> tuple[Floats, Floats, Floats]:
    """Coordinates in which coefficients, as deviations from least squares, are independent whatever sigma is.

    Returns the matrix that leads back (P, P), prior precisions there (P,), and the prior's pull (P,); the likelihood's
    precisions are all 1 / sigma^2.
    """
    ratios, turned = np.linalg.eigh(problem.root.T @ (problem.prior_precision[:, None] * problem.root))
    back = problem.root @ turned
    pull = back.T @ (problem.prior_precision * (problem.prior_mean - problem.least_squares))
    return back, np.maximum(ratios, 0.0), pull


def sample_linear(problem: LinearProblem, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Independent draws of the coefficients (P, S), the centred intercept (S,) and sigma (S,).

    The intercept is NaN where the model has none.
    """
    values, weights = tabulate_sigma(problem)
    log_values = np.log(values)
    step = log_values[1] - log_values[0]
    chosen = rng.choice(len(values), size=draws, p=weights)
    sigma = np.exp(log_values[chosen] + step * (rng.random(draws) - 0.5))
    coefficients = _draw_coefficients(problem, sigma, rng)
    if problem.intercept is None:
        return coefficients, np.full(draws, np.nan), sigma
    error, smooth = sigma / np.sqrt(problem.n_rows), _is_smooth(problem, sigma)
    return coefficients, _draw_intercepts(problem.intercept, problem.mean, error, smooth, rng), sigma


def _draw_coefficients(problem: LinearProblem, sigma: Floats, rng: np.random.Generator) -> Floats:
    back, ratios, pull = _rotate(problem)
    precision = 1.0 / np.square(sigma)[:, None] + ratios
    turned = pull / precision + rng.standard_normal(precision.shape) / np.sqrt(precision)
    return np.asarray(problem.least_squares[:, None] + back @ turned.T)


def _draw_intercepts(
    prior: Normal | StudentT, mean: float, error: Floats, smooth: NDArray[np.bool_], rng: np.random.Generator
) -> Floats:
    """One draw for each standard error, from Normal(mean, error^2) times the prior."""
    if isinstance(prior, Normal):
        precision = 1.0 / np.square(error) + prior.sd**-2
        centre = (mean / np.square(error) + prior.mean / prior.sd**2) / precision
        return np.asarray(centre + rng.standard_normal(len(error)) / np.sqrt(precision))
    draws = np.empty_like(error)
    draws[smooth] = _accept(prior, mean, error[smooth], rng)
    places, mass = _lay_grid(prior, mean, error[~smooth])
    cumulative = np.cumsum(mass, axis=1)
    position = rng.random(len(places)) * cumulative[:, -1] if len(places) else np.empty(0)
    cell = (cumulative < position[:, None]).sum(axis=1)
    rows = np.arange(len(places))
    left, right = places[rows, cell], places[rows, cell + 1]
    draws[~smooth] = left + rng.random(len(rows)) * (right - left)
    return draws


def _accept(prior: StudentT, mean: float, error: Floats, rng: np.random.Generator) -> Floats:
    """Draws of the likelihood, kept in proportion to the prior, which hardly varies there."""
    low, high = mean - _REACH * error, mean + _REACH * error
    bound = prior.log_density(np.clip(prior.location, low, high))
    draws = np.empty_like(error)
    todo = np.arange(len(error))
    while len(todo):
        proposal = np.clip(mean + error[todo] * rng.standard_normal(len(todo)), low[todo], high[todo])
        kept = np.log(rng.random(len(todo))) < prior.log_density(proposal) - bound[todo]
        draws[todo[kept]] = proposal[kept]
        todo = todo[~kept]
    return draws
