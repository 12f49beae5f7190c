"""How well models describe their data: regressions, and the choice model held against the decisions themselves.

The scikit-learn estimator is in ``classifier``, which is not imported here: it would load scikit-learn.
"""

from selfinterp_stats.diagnostics.crossvalidation import CrossValidation, cross_validate_regression
from selfinterp_stats.diagnostics.decisions import DecisionChecks, check_decisions
from selfinterp_stats.diagnostics.loo import compare_models, compute_loo
from selfinterp_stats.diagnostics.predictive import PredictiveCheck, check_posterior_predictive
from selfinterp_stats.diagnostics.rules import RuleComparison, compare_rules
from selfinterp_stats.diagnostics.sensitivity import check_prior_sensitivity
from selfinterp_stats.diagnostics.verdicts import VERDICTS

__all__ = [
    "VERDICTS",
    "CrossValidation",
    "DecisionChecks",
    "PredictiveCheck",
    "RuleComparison",
    "check_decisions",
    "check_posterior_predictive",
    "check_prior_sensitivity",
    "compare_models",
    "compare_rules",
    "compute_loo",
    "cross_validate_regression",
]
