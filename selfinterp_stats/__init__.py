"""Does this language model know why it decides as it does?

Estimate the weights that a model's choices reveal, and compare them with the weights that it reports. Names are loaded
when they are first used, so that importing the package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from selfinterp_stats._version import __version__

if TYPE_CHECKING:
    from selfinterp_stats.agents import Experiment, simulate_experiment
    from selfinterp_stats.archive import Archive, check_archive, fetch_archive, read_archive
    from selfinterp_stats.choice import (
        PAPER_PRIORS,
        Beta,
        ChoiceFit,
        ChoicePriors,
        ChoiceSpec,
        Gamma,
        LogNormal,
        Normal,
        PooledPriors,
        StudentT,
        fit_choices,
        read_fit,
    )
    from selfinterp_stats.correlation import (
        ConditionComparison,
        Correlations,
        TrainingEffects,
        compare_conditions,
        correlate,
        estimate_training_effects,
    )
    from selfinterp_stats.description import describe_posterior
    from selfinterp_stats.diagnostics import (
        CrossValidation,
        DecisionChecks,
        PredictiveCheck,
        RuleComparison,
        check_decisions,
        check_posterior_predictive,
        check_prior_sensitivity,
        compare_models,
        compare_rules,
        compute_loo,
        cross_validate_regression,
    )
    from selfinterp_stats.diagnostics.classifier import ChoiceClassifier, list_trials
    from selfinterp_stats.errors import ArgumentError, SelfInterpError, SelfInterpWarning
    from selfinterp_stats.plots import plot_calibration, plot_correlations, plot_used_against_reported
    from selfinterp_stats.regression import (
        Contrasts,
        Flat,
        Hypothesis,
        RegressionFit,
        RegressionPriors,
        Trends,
        estimate_trends,
        evaluate_hypothesis,
        fit_regression,
    )
    from selfinterp_stats.report import Reanalysis, reanalyze, write_reanalysis
    from selfinterp_stats.scenarios import (
        OptionPairs,
        add_characters,
        draw_option_pairs,
        draw_targets,
        list_topics,
        load_characters,
        load_scenarios,
    )
    from selfinterp_stats.summaries import find_hdi
    from selfinterp_stats.tables import (
        DataError,
        Decisions,
        Problem,
        Problems,
        Reports,
        Scenarios,
        Targets,
        make_decisions,
        make_reports,
        make_scenarios,
        make_targets,
    )
    from selfinterp_stats.weights import Weights, make_weights, normalise_draws

_HOMES = {
    "agents": ("Experiment", "simulate_experiment"),
    "archive": ("Archive", "check_archive", "fetch_archive", "read_archive"),
    "choice": (
        "PAPER_PRIORS",
        "Beta",
        "ChoiceFit",
        "ChoicePriors",
        "ChoiceSpec",
        "Gamma",
        "LogNormal",
        "Normal",
        "PooledPriors",
        "StudentT",
        "fit_choices",
        "read_fit",
    ),
    "correlation": (
        "ConditionComparison",
        "Correlations",
        "TrainingEffects",
        "compare_conditions",
        "correlate",
        "estimate_training_effects",
    ),
    "description": ("describe_posterior",),
    "diagnostics": (
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
    ),
    "diagnostics.classifier": ("ChoiceClassifier", "list_trials"),
    "errors": ("ArgumentError", "SelfInterpError", "SelfInterpWarning"),
    "plots": ("plot_calibration", "plot_correlations", "plot_used_against_reported"),
    "regression": (
        "Contrasts",
        "Flat",
        "Hypothesis",
        "RegressionFit",
        "RegressionPriors",
        "Trends",
        "estimate_trends",
        "evaluate_hypothesis",
        "fit_regression",
    ),
    "report": ("Reanalysis", "reanalyze", "write_reanalysis"),
    "scenarios": (
        "OptionPairs",
        "add_characters",
        "draw_option_pairs",
        "draw_targets",
        "list_topics",
        "load_characters",
        "load_scenarios",
    ),
    "summaries": ("find_hdi",),
    "tables": (
        "DataError",
        "Decisions",
        "Problem",
        "Problems",
        "Reports",
        "Scenarios",
        "Targets",
        "make_decisions",
        "make_reports",
        "make_scenarios",
        "make_targets",
    ),
    "weights": ("Weights", "make_weights", "normalise_draws"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "PAPER_PRIORS",
    "Archive",
    "ArgumentError",
    "Beta",
    "ChoiceClassifier",
    "ChoiceFit",
    "ChoicePriors",
    "ChoiceSpec",
    "ConditionComparison",
    "Contrasts",
    "Correlations",
    "CrossValidation",
    "DataError",
    "DecisionChecks",
    "Decisions",
    "Experiment",
    "Flat",
    "Gamma",
    "Hypothesis",
    "LogNormal",
    "Normal",
    "OptionPairs",
    "PooledPriors",
    "PredictiveCheck",
    "Problem",
    "Problems",
    "Reanalysis",
    "RegressionFit",
    "RegressionPriors",
    "Reports",
    "RuleComparison",
    "Scenarios",
    "SelfInterpError",
    "SelfInterpWarning",
    "StudentT",
    "Targets",
    "TrainingEffects",
    "Trends",
    "Weights",
    "__version__",
    "add_characters",
    "check_archive",
    "check_decisions",
    "check_posterior_predictive",
    "check_prior_sensitivity",
    "compare_conditions",
    "compare_models",
    "compare_rules",
    "compute_loo",
    "correlate",
    "cross_validate_regression",
    "describe_posterior",
    "draw_option_pairs",
    "draw_targets",
    "estimate_training_effects",
    "estimate_trends",
    "evaluate_hypothesis",
    "fetch_archive",
    "find_hdi",
    "fit_choices",
    "fit_regression",
    "list_topics",
    "list_trials",
    "load_characters",
    "load_scenarios",
    "make_decisions",
    "make_reports",
    "make_scenarios",
    "make_targets",
    "make_weights",
    "normalise_draws",
    "plot_calibration",
    "plot_correlations",
    "plot_used_against_reported",
    "read_archive",
    "read_fit",
    "reanalyze",
    "simulate_experiment",
    "write_reanalysis",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
