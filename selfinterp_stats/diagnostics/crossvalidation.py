"""Cross-validation that leaves out whole scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.regression import RegressionFit, fit_regression

__all__ = ["CrossValidation", "cross_validate_regression"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidation:
    """Log predictive densities of groups that a model has not seen.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each group: ``group, rows, elpd`` (of all its rows together).
    elpd, se : float
        Sum over groups, and its standard error from the spread between groups.
    """

    table: pd.DataFrame
    elpd: float
    se: float

    def summary(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def __str__(self) -> str:
        return f"Leave-group-out: {len(self.table)} groups, elpd {self.elpd:.1f} (standard error {self.se:.1f})"

    __repr__ = __str__


def cross_validate_regression(
    fit: RegressionFit, groups: Sequence[object] | pd.Series | NDArray[np.object_], *, seed: int = 1
) -> CrossValidation:
    """Leave out all rows of a group, such as a scenario, fit to the others, and predict what was left out.

    Parameters
    ----------
    fit : RegressionFit
        With a closed form.
    groups : sequence
        Group of each row that was fitted, (N,).
    seed : int
        What makes the draws repeatable.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ArgumentError
        If the fit is of chains, or `groups` does not fit its rows or holds one group.
    """
    labels = pd.Series(groups).reset_index(drop=True)
    if fit.inference != "exact":
        raise ArgumentError(
            "fit",
            expected="a regression with a closed form",
            got=f"inference={fit.inference!r}",
            remedy="use compute_loo, which needs no further fits",
        )
    if fit.design.response not in fit.design.data:
        raise ArgumentError(
            "fit",
            expected="a response that is a column of the table",
            got=fit.design.response,
            remedy="transform it in the table first: a function may have another result on fewer rows",
        )
    if len(labels) != len(fit.design.y) or labels.nunique() < 2 or labels.isna().any():
        raise ArgumentError(
            "groups",
            expected=f"one label for each of {len(fit.design.y)} rows, of two groups or more",
            got=f"{len(labels)} labels of {labels.nunique()} groups, {int(labels.isna().sum())} of them missing",
            remedy="pass the column of the table that was fitted",
        )
    rows = []
    for group, members in labels.groupby(labels, sort=True).groups.items():
        inside = labels.index.isin(members)
        rows.append({"group": group, "rows": int(inside.sum()), "elpd": _predict_group(fit, inside, seed)})
    table = pd.DataFrame(rows)
    spread = float(table["elpd"].std(ddof=1)) * np.sqrt(len(table))
    return CrossValidation(table, float(table["elpd"].sum()), spread)


def _predict_group(fit: RegressionFit, inside: NDArray[np.bool_], seed: int) -> float:
    data = fit.design.data
    _check_levels(data, inside)
    others = fit_regression(
        fit.formula,
        data[~inside],
        priors={**fit.priors.coefficients, **_other_priors(fit)},
        inference="exact",
        draws=fit.values[0].size,
        seed=seed,
    )
    X = others.design.evaluate(data[inside])
    sigma = others.take("sigma")
    error = (fit.design.y[inside][:, None] - X @ others.coefficient_draws) / sigma
    log_density = (-0.5 * np.square(error) - np.log(sigma) - 0.5 * np.log(2.0 * np.pi)).sum(axis=0)
    return float(logsumexp(log_density) - np.log(len(log_density)))


def _check_levels(data: pd.DataFrame, inside: NDArray[np.bool_]) -> None:
    """Every level of what is left out has to be known from the rest."""
    for name in data.columns[[isinstance(dtype, pd.CategoricalDtype) for dtype in data.dtypes]]:
        lost = sorted(set(map(str, data.loc[inside, name])) - set(map(str, data.loc[~inside, name])))
        if lost:
            raise ArgumentError(
                "groups",
                expected="groups without a factor level of their own",
                got=f"one that has all of {name} {', '.join(lost)}",
                remedy="take the factor out of the formula",
            )


def _other_priors(fit: RegressionFit) -> dict[str, object]:
    """Priors of all rows, not those that fewer rows would give."""
    intercept, sigma = fit.priors.for_gaussian()
    return {"sigma": sigma} if intercept is None else {"Intercept": intercept, "sigma": sigma}
