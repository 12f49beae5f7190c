"""How well a regression describes its data, predicts others, and hangs on its priors."""

from selfinterp_stats.diagnostics.crossvalidation import CrossValidation, cross_validate_regression
from selfinterp_stats.diagnostics.loo import compare_models, compute_loo
from selfinterp_stats.diagnostics.predictive import PredictiveCheck, check_posterior_predictive
from selfinterp_stats.diagnostics.sensitivity import check_prior_sensitivity

__all__ = [
    "CrossValidation",
    "PredictiveCheck",
    "check_posterior_predictive",
    "check_prior_sensitivity",
    "compare_models",
    "compute_loo",
    "cross_validate_regression",
]
