"""Compiled loops over trials that carry a probability: normal log odds, censored where the probability was truncated.

``y`` is the logit of the probability of A; ``side`` is 0 where it is known, +1 where all that is known is that it is at
least y, and -1 where it is at most y. The variables of a problem are theta_0 (intercept), theta_1..K (slopes) and lambda,
the logarithm of the noise: y = theta_0 + x'theta_1..K + sd * standard normal, with sd^2 = exp(2 lambda) + floor^2.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["normal_log_likelihood", "normal_log_likelihood_derivatives"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_FAR = -30.0  # below, the error function underflows and the asymptotic series is exact to 1e-9


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _log_cdf(u):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Logarithm of the standard normal distribution function."""
    if u > _FAR:
        return math.log(0.5 * math.erfc(-u / math.sqrt(2.0)))
    square = u * u
    return -0.5 * square - math.log(-u) - _HALF_LOG_TWO_PI + math.log1p(-1.0 / square + 3.0 / square**2 - 15.0 / square**3)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def normal_log_likelihood(theta, x, y, side, first, floor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihood at many points of each problem.

    Parameters
    ----------
    theta : numpy.ndarray
        Shape (B, S, K + 2).
    x : numpy.ndarray
        Predictors of all trials, shape (N, K).
    y, side : numpy.ndarray
        Shape (N,).
    first : numpy.ndarray of int
        Problem b has the trials first[b] .. first[b + 1] - 1; shape (B + 1,).
    floor : float
        Smallest standard deviation.

    Returns
    -------
    numpy.ndarray
        Shape (B, S).
    """
    n_problems, n_points, n_terms = theta.shape
    out = np.empty((n_problems, n_points))
    for b in range(n_problems):
        for j in range(n_points):
            sd = math.sqrt(math.exp(2.0 * theta[b, j, n_terms - 1]) + floor * floor)
            constant = -math.log(sd) - _HALF_LOG_TWO_PI
            total = 0.0
            for n in range(first[b], first[b + 1]):
                eta = theta[b, j, 0]
                for k in range(n_terms - 2):
                    eta += x[n, k] * theta[b, j, k + 1]
                z = (y[n] - eta) / sd
                if side[n] == 0:
                    total += constant - 0.5 * z * z
                else:
                    total += _log_cdf(-z * side[n])
            out[b, j] = total
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def normal_log_likelihood_derivatives(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    theta, x, y, side, first, floor
):
    """Log-likelihood, gradient and negative Hessian at one point of each problem, theta of shape (B, K + 2).

    Returns
    -------
    value, gradient, curvature : numpy.ndarray
        Shapes (B,), (B, K + 2) and (B, K + 2, K + 2).
    """
    n_problems, n_terms = theta.shape
    last = n_terms - 1
    value = np.zeros(n_problems)
    gradient = np.zeros((n_problems, n_terms))
    curvature = np.zeros((n_problems, n_terms, n_terms))
    row = np.empty(last)
    row[0] = 1.0
    for b in range(n_problems):
        noise = math.exp(2.0 * theta[b, last])
        sd = math.sqrt(noise + floor * floor)
        share = noise / (sd * sd)  # derivative of log sd with respect to lambda
        for n in range(first[b], first[b + 1]):
            eta = theta[b, 0]
            for k in range(1, last):
                row[k] = x[n, k - 1]
                eta += row[k] * theta[b, k]
            z = (y[n] - eta) / sd
            if side[n] == 0:
                value[b] += -math.log(sd) - _HALF_LOG_TWO_PI - 0.5 * z * z
                by_eta, by_log_sd = z / sd, z * z - 1.0
                eta_eta, eta_sd, sd_sd = 1.0 / (sd * sd), 2.0 * z / sd, 2.0 * z * z
            else:
                u = -z * side[n]
                log_cdf = _log_cdf(u)
                value[b] += log_cdf
                mills = math.exp(-0.5 * u * u - _HALF_LOG_TWO_PI - log_cdf)
                bend = mills * (u + mills)
                by_eta, by_log_sd = side[n] * mills / sd, -u * mills
                eta_eta = bend / (sd * sd)
                eta_sd = side[n] * (mills - u * bend) / sd
                sd_sd = u * u * bend - u * mills
            for k in range(last):
                gradient[b, k] += by_eta * row[k]
                for m in range(k + 1):
                    curvature[b, k, m] += eta_eta * row[k] * row[m]
                curvature[b, last, k] += share * eta_sd * row[k]
            gradient[b, last] += share * by_log_sd
            curvature[b, last, last] += share * share * sd_sd - 2.0 * share * (1.0 - share) * by_log_sd
        for k in range(n_terms):
            for m in range(k):
                curvature[b, m, k] = curvature[b, k, m]
    return value, gradient, curvature
