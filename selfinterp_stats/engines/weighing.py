"""Compiled loops over the proposals of a unit, for prior densities that are exponential families.

The log weight of proposal p at one value of the hyperparameters is base[p] + natural . statistics[:, p]. Millions of such
weights are computed for each unit, so the exponential is arithmetic that compilers turn into vector instructions: with
t = k log 2 + r, exp(t) = 2^k exp(r), a Taylor polynomial for |r| <= log(2) / 2 and 2^k written into the bits of a double.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["marginalise", "pick_by_weight"]

_LOWEST = -708.0  # below, the exponential is no normal number
_LOG2_E = 1.4426950408889634
_ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves a rounded number in the lowest bits
_BIAS, _MANTISSA = 1023, 52
_LOG2_HIGH, _LOG2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11 = (1.0 / math.factorial(i) for i in range(2, 12))


@numba.njit(cache=True, error_model="numpy")
def _weigh(values, rounded, bits, base, statistics, natural):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Weights relative to the largest into values (P,), with two arrays to work in; the logarithm of that largest."""
    n_proposals = len(base)
    for p in range(n_proposals):
        values[p] = base[p]
    for t in range(len(natural)):
        factor = natural[t]
        for p in range(n_proposals):
            values[p] += factor * statistics[t, p]
    top = values[0]
    for p in range(n_proposals):
        top = max(top, values[p])
    rounded_bits = rounded.view(np.int64)
    power = bits.view(np.float64)
    for p in range(n_proposals):
        values[p] = max(values[p] - top, _LOWEST)
        rounded[p] = values[p] * _LOG2_E + _ROUNDER
    for p in range(n_proposals):
        bits[p] = (rounded_bits[p] + _BIAS) << _MANTISSA
    for p in range(n_proposals):
        whole = rounded[p] - _ROUNDER
        r = (values[p] - whole * _LOG2_HIGH) - whole * _LOG2_LOW
        tail = _C8 + r * (_C9 + r * (_C10 + r * _C11))
        tail = _C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * (_C7 + r * tail)))))
        values[p] = (1.0 + r * (1.0 + r * tail)) * power[p]
    return top


@numba.njit(cache=True, nogil=True, error_model="numpy")
def marginalise(base, statistics, constants, natural):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Logarithm of the mean weight at each of n values of the hyperparameters.

    Parameters
    ----------
    base : numpy.ndarray
        Shape (P,).
    statistics : numpy.ndarray
        Shape (T, P), contiguous.
    constants, natural : numpy.ndarray
        Of the prior, (n,) and (n, T).

    Returns
    -------
    numpy.ndarray
        Shape (n,).
    """
    n_proposals = len(base)
    found = np.empty(len(constants))
    values, rounded = np.empty(n_proposals), np.empty(n_proposals)
    bits = np.empty(n_proposals, dtype=np.int64)
    for i in range(len(constants)):
        top = _weigh(values, rounded, bits, base, statistics, natural[i])
        found[i] = constants[i] + top + math.log(values.sum() / n_proposals)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pick_by_weight(base, statistics, natural, places):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One proposal at each of n values of the hyperparameters, where the cumulative weights reach a place in 0..1.

    Parameters
    ----------
    base, statistics, natural : numpy.ndarray
        As for :func:`marginalise`.
    places : numpy.ndarray
        Shape (n,).

    Returns
    -------
    numpy.ndarray of int
        Shape (n,).
    """
    n_proposals = len(base)
    picked = np.empty(len(places), dtype=np.int64)
    values, rounded = np.empty(n_proposals), np.empty(n_proposals)
    bits = np.empty(n_proposals, dtype=np.int64)
    for i in range(len(places)):
        _weigh(values, rounded, bits, base, statistics, natural[i])
        left = places[i] * values.sum()
        p = 0
        while p < n_proposals - 1 and left >= values[p]:
            left -= values[p]
            p += 1
        picked[i] = p
    return picked
