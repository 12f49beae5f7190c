"""Regressions written as formulas, and what is asked of them afterwards."""

from selfinterp_stats.regression.fit import RegressionFit
from selfinterp_stats.regression.fitting import fit_regression
from selfinterp_stats.regression.hypotheses import Hypothesis, evaluate_hypothesis
from selfinterp_stats.regression.priors import Flat, RegressionPriors
from selfinterp_stats.regression.trends import Contrasts, Trends, estimate_trends

__all__ = [
    "Contrasts",
    "Flat",
    "Hypothesis",
    "RegressionFit",
    "RegressionPriors",
    "Trends",
    "estimate_trends",
    "evaluate_hypothesis",
    "fit_regression",
]
