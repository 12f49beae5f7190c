"""Describe draws of any kind: describe_posterior of bayestestR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError, check_choice, check_range
from selfinterp_stats.summaries import find_hdi, find_probability_of_direction

__all__ = ["describe_posterior"]

Floats = NDArray[np.float64]

_CENTRALITY = ("median", "mean", "map", "all")
_TESTS = ("p_direction", "rope")
_METHODS = ("hdi", "eti")
_SAMPLE_DIMS = ("chain", "draw", "sample")
_DEFAULT_ROPE = (-0.1, 0.1)
_MODE_GRID = 1_024


def describe_posterior(
    draws: Any,
    *,
    centrality: str = "median",
    ci: float | Sequence[float] = 0.95,
    ci_method: str = "hdi",
    test: str | Sequence[str] | None = ("p_direction", "rope"),
    rope_range: tuple[float, float] | None = None,
    rope_ci: float = 0.95,
) -> pd.DataFrame:
    """Centre, interval and indices of existence and size of every parameter, as bayestestR defines them.

    Parameters
    ----------
    draws : object
        A fit, weights or trends of this package (whatever has ``.draws``), ArviZ's InferenceData or DataTree, an xarray
        Dataset or DataArray with dimensions chain and draw, a DataFrame or mapping with one parameter in each column, or a
        one-dimensional array.
    centrality : {"median", "mean", "map", "all"}
        ``map`` is the highest point of a kernel density estimate.
    ci : float or sequence of float
        Probability of the intervals; one row for each.
    ci_method : {"hdi", "eti"}
        Highest density, or equal tails.
    test : sequence of {"p_direction", "rope"}, optional
        Probability of direction; share of the highest-density interval that lies in the region of practical equivalence.
    rope_range : tuple of float, optional
        That region, on the scale of the draws; the table repeats it. Without one it is a tenth of the response's standard
        deviation around zero for a Gaussian or Student-t regression, 0.18 for a Bernoulli one and 0.1 for everything else.
    rope_ci : float
        Probability of the interval whose draws the share is of.

    Returns
    -------
    pandas.DataFrame
        ``parameter``, the centre, ``ci, hdi_low, hdi_high`` (or ``eti_low, eti_high``), ``p_direction, rope_low,
        rope_high, rope_percentage`` (0 to 1).

    Raises
    ------
    ArgumentError
        If an argument has no usable value, or `draws` is nothing that holds draws.

    Notes
    -----
    Source: Makowski, Ben-Shachar and Lüdecke (2019), "bayestestR: Describing effects and their uncertainty, existence and
    significance within the Bayesian framework", Journal of Open Source Software 4; rope as in Kruschke (2018), "Rejecting
    or accepting parameter values in Bayesian estimation", Advances in Methods and Practices in Psychological Science 1.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(0.5, 0.2, 4000)
    >>> describe_posterior({"slope": x})[["parameter", "rope_low", "rope_high"]].values.tolist()
    [['slope', -0.1, 0.1]]
    """
    check_choice("centrality", centrality, _CENTRALITY)
    check_choice("ci_method", ci_method, _METHODS)
    tests = (test,) if isinstance(test, str) else tuple(test or ())
    for name in tests:
        check_choice("test", name, _TESTS)
    probs = tuple(ci) if isinstance(ci, Sequence) else (ci,)
    for prob in probs:
        check_range("ci", prob, low=0.01, high=0.999, remedy="pass ci=0.95, for example")
    check_range("rope_ci", rope_ci, low=0.01, high=1.0, remedy="pass rope_ci=0.95, or 1 for all draws")
    rope = _check_rope(rope_range) if rope_range is not None else getattr(draws, "default_rope", _DEFAULT_ROPE)
    rows = []
    for name, values in _iterate(draws):
        shared = {"parameter": name, **_find_centres(values, centrality)}
        existence = {"p_direction": float(find_probability_of_direction(values))} if "p_direction" in tests else {}
        size = _measure_rope(values, rope, rope_ci) if "rope" in tests else {}
        for prob in probs:
            rows.append({**shared, "ci": prob, **_find_interval(values, prob, ci_method), **existence, **size})
    return pd.DataFrame(rows)


def _check_rope(rope_range: object) -> tuple[float, float]:
    pair = tuple(rope_range) if isinstance(rope_range, (tuple, list)) else ()
    numbers = [float(end) for end in pair if isinstance(end, (int, float))]
    if not (len(pair) == len(numbers) == 2 and numbers[0] < numbers[1]):
        raise ArgumentError(
            "rope_range",
            expected="two numbers, the lower first",
            got=repr(rope_range),
            remedy="pass rope_range=(-0.1, 0.1), for example",
        )
    return numbers[0], numbers[1]


def _find_centres(values: Floats, centrality: str) -> dict[str, float]:
    wanted = ("median", "mean", "map") if centrality == "all" else (centrality,)
    found = {}
    for name in wanted:
        if name == "map":
            found[name] = _find_mode(values)
        else:
            found[name] = float(np.median(values) if name == "median" else values.mean())
    return found


def _find_mode(values: Floats) -> float:
    from scipy.stats import gaussian_kde

    if np.ptp(values) <= 1e-12 * np.abs(values).max():  # no density to estimate
        return float(np.median(values))
    grid = np.linspace(values.min(), values.max(), _MODE_GRID)
    return float(grid[np.argmax(gaussian_kde(values)(grid))])


def _find_interval(values: Floats, prob: float, method: str) -> dict[str, float]:
    if method == "hdi":
        low, high = find_hdi(values, prob)
    else:
        low, high = np.quantile(values, [(1.0 - prob) / 2.0, (1.0 + prob) / 2.0])
    return {f"{method}_low": float(low), f"{method}_high": float(high)}


def _measure_rope(values: Floats, rope: tuple[float, float], rope_ci: float) -> dict[str, float]:
    low, high = find_hdi(values, rope_ci) if rope_ci <= 0.999 else (values.min(), values.max())
    inside = values[(values >= low) & (values <= high)]
    share = float(((inside >= rope[0]) & (inside <= rope[1])).mean())
    return {"rope_low": rope[0], "rope_high": rope[1], "rope_percentage": share}


def _iterate(draws: Any) -> Iterator[tuple[str, Floats]]:
    """Names and draws (S,) of every parameter."""
    import xarray as xr

    if isinstance(draws, (pd.DataFrame, Mapping)) and not isinstance(draws, (xr.Dataset, xr.DataTree)):
        for name in draws:
            yield str(name), _as_row(str(name), draws[name])
        return
    if hasattr(draws, "draws"):
        draws = draws.draws
    elif hasattr(draws, "posterior"):  # InferenceData, and a DataTree with such a group
        draws = draws.posterior
    if isinstance(draws, xr.DataTree):
        draws = draws.to_dataset()
    if isinstance(draws, xr.DataArray):
        yield from _iterate_array("" if draws.name is None else str(draws.name), draws)
    elif isinstance(draws, xr.Dataset):
        for name, array in draws.data_vars.items():
            yield from _iterate_array(str(name), array)
    elif isinstance(draws, np.ndarray) and draws.ndim == 1:
        yield "draws", _as_row("draws", draws)
    else:
        raise ArgumentError(
            "draws",
            expected="a fit, ArviZ or xarray draws, a DataFrame, a mapping or a one-dimensional array",
            got=f"an array of shape {draws.shape}" if isinstance(draws, np.ndarray) else type(draws).__name__,
            remedy="name the parameters: pass {'slope': draws}, for example",
        )


def _iterate_array(name: str, array: Any) -> Iterator[tuple[str, Floats]]:
    sample = [dim for dim in array.dims if dim in _SAMPLE_DIMS]
    rest = [dim for dim in array.dims if dim not in _SAMPLE_DIMS]
    if not sample:
        raise ArgumentError(
            "draws",
            expected=f"a dimension among {', '.join(_SAMPLE_DIMS)} in {name or 'the array'}",
            got=f"dimensions {', '.join(map(str, array.dims))}",
            remedy="name the dimensions of the draws chain and draw",
        )
    values = array.transpose(*rest, *sample).to_numpy()
    for place in np.ndindex(*values.shape[: len(rest)]):
        labels = [
            str(array.coords[coord].to_numpy()[i]) if coord is not None else str(i)
            for dim, i in zip(rest, place, strict=True)
            for coord in ([c for c in array.coords if array.coords[c].dims == (dim,)] or [None])
        ]
        plain = rest == ["parameter"] and len(labels) == 1
        label = labels[0] if plain else f"{name}[{', '.join(labels)}]" if labels else name
        yield label, _as_row(label, values[place].ravel())


def _as_row(name: str, values: Any) -> Floats:
    try:
        row = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ArgumentError("draws", expected=f"numbers in {name}", got=str(error), remedy="leave it out") from error
    if not len(row) or not np.isfinite(row).all():
        raise ArgumentError(
            "draws",
            expected="finite draws",
            got=f"{len(row)} draws of {name}, {int((~np.isfinite(row)).sum())} of them missing or infinite",
            remedy="leave this parameter out",
        )
    return row
