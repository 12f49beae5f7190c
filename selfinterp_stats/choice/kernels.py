"""Compiled loops over trials: the Bernoulli-logit likelihood and its derivatives.

They run on one thread and hold no lock: whoever has many problems shares them out among threads of its own. Every problem
is computed from start to end by one of them, so no sum depends on their number.
``s`` is +1 where A was chosen and -1 where B was; z = s * (theta_0 + x'theta_1..K) is the log odds of what was chosen.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["log_likelihood", "log_likelihood_derivatives"]

_BLOCK = 64  # draws handled together, so that the inner loops run over contiguous memory
_FACTORS = 512  # factors of 1 + exp(-|z|) <= 2 that a product of doubles can hold

# The library's exponential is called number by number; this one is arithmetic that compilers turn into vector instructions,
# which makes the whole loop more than twice as fast. With t = k log 2 + r, exp(t) = 2^k exp(r): a Taylor polynomial of
# degree 13 is exact to rounding for |r| <= log(2) / 2, and 2^k is written into the bits of a double. Adding 1.5 * 2^52
# rounds to a whole number and leaves it in the lowest bits.
_LOWEST = -708.0  # below, exp is no normal number, and adds nothing to 1
_LOG2_E = 1.4426950408889634
_ROUNDER = 6755399441055744.0
_BIAS, _MANTISSA = 1023, 52
_LOG2_HIGH, _LOG2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # k * high is exact
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (1.0 / math.factorial(i) for i in range(2, 14))


@numba.njit(cache=True, error_model="numpy")
def _fill(out, theta, x, s, start, stop):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihood of one problem, whose trials are start .. stop - 1, at points theta (S, K + 1), into out (S,)."""
    n_points, n_terms = theta.shape
    block = np.zeros((n_terms, _BLOCK))
    eta = np.empty(_BLOCK)
    total = np.empty(_BLOCK)
    product = np.empty(_BLOCK)
    rounded = np.empty(_BLOCK)
    rounded_bits = rounded.view(np.int64)
    power_bits = np.empty(_BLOCK, dtype=np.int64)
    power = power_bits.view(np.float64)
    for offset in range(0, n_points, _BLOCK):
        width = min(_BLOCK, n_points - offset)
        for j in range(width):
            for k in range(n_terms):
                block[k, j] = theta[offset + j, k]
        total[:] = 0.0
        product[:] = 1.0
        factors = 0
        for n in range(start, stop):
            for j in range(_BLOCK):
                eta[j] = block[0, j]
            for k in range(n_terms - 1):
                for j in range(_BLOCK):
                    eta[j] += x[n, k] * block[k + 1, j]
            # log P = min(z, 0) - log(1 + exp(-|z|)); the logarithm is taken once for many trials
            for j in range(_BLOCK):
                z = s[n] * eta[j]
                total[j] += min(z, 0.0)
                eta[j] = max(-abs(z), _LOWEST)
                rounded[j] = eta[j] * _LOG2_E + _ROUNDER
            for j in range(_BLOCK):
                power_bits[j] = (rounded_bits[j] + _BIAS) << _MANTISSA
            for j in range(_BLOCK):
                whole = rounded[j] - _ROUNDER
                r = (eta[j] - whole * _LOG2_HIGH) - whole * _LOG2_LOW
                p = _C9 + r * (_C10 + r * (_C11 + r * (_C12 + r * _C13)))
                p = _C4 + r * (_C5 + r * (_C6 + r * (_C7 + r * (_C8 + r * p))))
                p = 1.0 + r * (1.0 + r * (_C2 + r * (_C3 + r * p)))
                product[j] *= 1.0 + p * power[j]
            factors += 1
            if factors == _FACTORS:
                factors = 0
                for j in range(_BLOCK):
                    total[j] -= math.log(product[j])
                    product[j] = 1.0
        for j in range(width):
            out[offset + j] = total[j] - math.log(product[j])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def log_likelihood(theta, x, s, first):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihood at many points of each problem.

    Parameters
    ----------
    theta : numpy.ndarray
        Shape (B, S, K + 1): intercept at the given predictors, then slopes.
    x : numpy.ndarray
        Predictors of all trials, shape (N, K).
    s : numpy.ndarray
        Signs of the choices, shape (N,).
    first : numpy.ndarray of int
        Problem b has the trials first[b] .. first[b + 1] - 1; shape (B + 1,).

    Returns
    -------
    numpy.ndarray
        Shape (B, S).
    """
    out = np.empty(theta.shape[:2])
    for b in range(theta.shape[0]):
        _fill(out[b], theta[b], x, s, first[b], first[b + 1])
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def log_likelihood_derivatives(theta, x, s, first):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihood, gradient and negative Hessian at one point of each problem.

    Parameters
    ----------
    theta : numpy.ndarray
        Shape (B, K + 1).
    x, s, first : numpy.ndarray
        As for :func:`log_likelihood`.

    Returns
    -------
    value, gradient, curvature : numpy.ndarray
        Shapes (B,), (B, K + 1) and (B, K + 1, K + 1).
    """
    n_problems, n_terms = theta.shape
    value = np.zeros(n_problems)
    gradient = np.zeros((n_problems, n_terms))
    curvature = np.zeros((n_problems, n_terms, n_terms))
    for b in range(n_problems):
        row = np.empty(n_terms)
        row[0] = 1.0
        for n in range(first[b], first[b + 1]):
            eta = theta[b, 0]
            for k in range(1, n_terms):
                row[k] = x[n, k - 1]
                eta += row[k] * theta[b, k]
            z = s[n] * eta
            small = math.exp(-abs(z))
            value[b] += min(z, 0.0) - math.log1p(small)
            miss = (small if z > 0 else 1.0) / (1.0 + small)  # probability of the option not chosen
            weight = small / (1.0 + small) ** 2
            for k in range(n_terms):
                gradient[b, k] += s[n] * miss * row[k]
                for m in range(k + 1):
                    curvature[b, k, m] += weight * row[k] * row[m]
        for k in range(n_terms):
            for m in range(k):
                curvature[b, m, k] = curvature[b, k, m]
    return value, gradient, curvature
