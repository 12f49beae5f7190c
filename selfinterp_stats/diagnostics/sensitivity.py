"""How much a posterior hangs on its priors and on its likelihood: power-scaling, through ArviZ."""

from __future__ import annotations

import pandas as pd

from selfinterp_stats.containers import make_data_tree
from selfinterp_stats.regression import RegressionFit

__all__ = ["check_prior_sensitivity"]

_DIGITS = 6


def check_prior_sensitivity(fit: RegressionFit) -> pd.DataFrame:
    """Change of each parameter's posterior when the prior, or the likelihood, is made a little stronger or weaker.

    Parameters
    ----------
    fit : RegressionFit
        Of fixed terms: priors of group-specific terms are not part of it.

    Returns
    -------
    pandas.DataFrame
        ``parameter, prior, likelihood, diagnosis``: distances for a change of the power by one per cent, relative to it;
        above 0.05 in both, prior and data are in conflict, in the prior alone, the prior dominates.

    Notes
    -----
    Flat priors do not change with their power: only those of the intercept and of standard deviations count then. Source:
    Kallioinen, Paananen, Bürkner and Vehtari (2024), "Detecting and diagnosing prior and likelihood sensitivity with
    power-scaling", Statistics and Computing 34.
    """
    from arviz_stats import psense_summary

    found = psense_summary(make_data_tree(fit.groups()), round_to=_DIGITS)
    table = pd.DataFrame(found).rename_axis("parameter").reset_index()
    return table.assign(parameter=list(fit.names))  # as they are called here
