"""Compiled loops over trials: choices of which a known share is coin tosses, and the derivatives of their likelihood.

P(choice) = lapse / 2 + (1 - lapse) * sigmoid(z), with z = s * (theta_0 + x'theta_1..K) the log odds of what was chosen and
s +1 or -1. They run on one thread and hold no lock, as those of ``kernels`` do.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["lapsing_log_likelihood", "lapsing_log_likelihood_derivatives"]

_FACTORS = 64  # probabilities, none below 1e-4, that a product of doubles can hold


@numba.njit(cache=True, error_model="numpy")
def _sigmoid(z):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    if z >= 0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def lapsing_log_likelihood(theta, x, s, first, lapse):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihoods of B problems at S points each, (B, S, K + 1) to (B, S)."""
    n_problems, n_points, n_terms = theta.shape
    out = np.empty((n_problems, n_points))
    for b in range(n_problems):
        for i in range(n_points):
            total, product, factors = 0.0, 1.0, 0
            for n in range(first[b], first[b + 1]):
                eta = theta[b, i, 0]
                for k in range(n_terms - 1):
                    eta += x[n, k] * theta[b, i, k + 1]
                product *= 0.5 * lapse + (1.0 - lapse) * _sigmoid(s[n] * eta)
                factors += 1
                if factors == _FACTORS:
                    total += math.log(product)
                    product, factors = 1.0, 0
            out[b, i] = total + math.log(product)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def lapsing_log_likelihood_derivatives(theta, x, s, first, lapse):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Value (B,), gradient (B, K + 1) and negative Hessian (B, K + 1, K + 1) at one point each, (B, K + 1)."""
    n_problems, n_terms = theta.shape
    value = np.zeros(n_problems)
    gradient = np.zeros((n_problems, n_terms))
    curvature = np.zeros((n_problems, n_terms, n_terms))
    row = np.empty(n_terms)
    for b in range(n_problems):
        for n in range(first[b], first[b + 1]):
            row[0] = 1.0
            eta = theta[b, 0]
            for k in range(n_terms - 1):
                row[k + 1] = x[n, k]
                eta += x[n, k] * theta[b, k + 1]
            sigmoid = _sigmoid(s[n] * eta)
            chance = 0.5 * lapse + (1.0 - lapse) * sigmoid
            # derivatives of log chance by z
            slope = (1.0 - lapse) * sigmoid * (1.0 - sigmoid) / chance
            bend = slope * slope - slope * (1.0 - 2.0 * sigmoid)
            value[b] += math.log(chance)
            for i in range(n_terms):
                gradient[b, i] += s[n] * slope * row[i]
                for j in range(n_terms):
                    curvature[b, i, j] += bend * row[i] * row[j]
    return value, gradient, curvature
