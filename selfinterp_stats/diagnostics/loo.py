"""Leave-one-out cross-validation by importance sampling, through ArviZ."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from selfinterp_stats.containers import make_data_tree
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.regression import RegressionFit

__all__ = ["compare_models", "compute_loo"]


def compute_loo(fit: RegressionFit) -> Any:
    """Expected log predictive density of rows left out one at a time.

    Parameters
    ----------
    fit : RegressionFit

    Returns
    -------
    arviz_stats.ELPDData
        ``elpd, se, p`` and, for each row, ``elpd_i`` and ``pareto_k``; a k-hat above ``good_k`` is warned about.

    Notes
    -----
    Source: Vehtari, Gelman and Gabry (2017), "Practical Bayesian model evaluation using leave-one-out cross-validation and
    WAIC", Statistics and Computing 27. Rows of one scenario are not independent: what is predicted here is another row of
    scenarios that are known; for other scenarios see :func:`cross_validate_regression`.
    """
    from arviz_stats import loo

    return loo(make_data_tree(fit.groups()), pointwise=True)


def compare_models(fits: Mapping[str, RegressionFit]) -> pd.DataFrame:
    """Rank regressions of the same responses by their expected log predictive density.

    Parameters
    ----------
    fits : mapping of str to RegressionFit
        Two or more.

    Returns
    -------
    pandas.DataFrame
        The best first: ``rank, elpd, p, elpd_diff, weight, se, dse, warning, indistinguishable``; the last says whether the
        difference to the best is less than 4, too little to tell the two apart by.

    Raises
    ------
    ArgumentError
        If there are fewer than two models, or their responses differ.

    Notes
    -----
    The limit of 4: Sivula, Magnusson, Matamoros and Vehtari (2020), "Uncertainty in Bayesian leave-one-out cross-validation
    based model comparison", arXiv 2008.10296.
    """
    from arviz_stats import compare

    if len(fits) < 2:
        raise ArgumentError("fits", expected="two models or more", got=str(len(fits)), remedy="pass {'a': fit, 'b': other}")
    first = next(iter(fits.values())).design.y
    other = [name for name, fit in fits.items() if not np.array_equal(fit.design.y, first)]
    if other:
        raise ArgumentError(
            "fits",
            expected="models of the same responses, in the same order",
            got=f"others in {', '.join(other)}",
            remedy="fit them to the same rows",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, within ArviZ
        table = compare({name: compute_loo(fit) for name, fit in fits.items()})
    return pd.DataFrame(table).assign(indistinguishable=lambda t: (t["rank"] > 0) & (t["elpd_diff"].abs() < 4.0))
