"""The exported names, pinned: adding one is a decision, removing one breaks somebody's script."""

import ast
import doctest
import importlib
import inspect
import pkgutil

import pytest

import selfinterp_stats

PUBLIC = [
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

# Public besides: what only those need who simulate or test.
MODULES_OF_THEIR_OWN = {
    "selfinterp_stats.agents": [
        "MEASURES",
        "Agent",
        "Decider",
        "DeterministicDecider",
        "Experiment",
        "GaussianNoise",
        "IdealPointDecider",
        "LapsingDecider",
        "LexicographicDecider",
        "LogitDecider",
        "Noise",
        "OneAttributeDecider",
        "Reporter",
        "StudentNoise",
        "draw_noise_free_reports",
        "find_population_truth",
        "find_used_weights",
        "measure_association",
        "simulate_experiment",
    ],
    "selfinterp_stats.testing": [
        "DAMAGES",
        "ERROR_KINDS",
        "WARNING_KINDS",
        "Calibration",
        "Recovery",
        "assert_calibrated",
        "assert_recovers",
        "damage_files",
        "encode_published",
        "normal_prior",
        "write_files",
    ],
    "selfinterp_stats.testing.strategies": [
        "agents",
        "archives",
        "damaged_archives",
        "deciders",
        "decision_tables",
        "designs",
        "experiments",
        "report_tables",
        "reporters",
        "scenario_sets",
        "target_tables",
    ],
}

MODULES = [m.name for m in pkgutil.walk_packages(selfinterp_stats.__path__, "selfinterp_stats.")]


def test_exported_names():
    assert sorted(selfinterp_stats.__all__) == sorted(PUBLIC)
    assert dir(selfinterp_stats) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_loads_and_is_described(name):
    value = getattr(selfinterp_stats, name)
    if callable(value):
        assert inspect.getdoc(value)


@pytest.mark.parametrize("module", MODULES_OF_THEIR_OWN)
def test_public_modules(module):
    loaded = importlib.import_module(module)
    assert sorted(loaded.__all__) == sorted(MODULES_OF_THEIR_OWN[module])
    for name in loaded.__all__:
        value = getattr(loaded, name)
        if callable(value):
            assert inspect.getdoc(value), name


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'fit_choice'"):
        selfinterp_stats.fit_choice  # noqa: B018


def test_star_and_type_checking_imports_agree():
    tree = ast.parse(inspect.getsource(selfinterp_stats))
    block = next(n for n in tree.body if isinstance(n, ast.If) and getattr(n.test, "id", "") == "TYPE_CHECKING")
    typed = {alias.name for statement in block.body for alias in statement.names}
    assert typed | {"__version__"} == set(PUBLIC)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert found.failed == 0


def test_some_examples_were_run():
    finder = doctest.DocTestFinder()
    count = sum(len(t.examples) for name in MODULES for t in finder.find(importlib.import_module(name)))
    assert count > 20


@pytest.mark.checkout
def test_analyses_use_exported_names_alone(checkout):
    scripts = list((checkout / "analyses").rglob("*.py"))
    assert scripts
    for path in scripts:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith("selfinterp_stats.") for a in node.names), path
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("selfinterp_stats"):
                public = {"selfinterp_stats": PUBLIC, **MODULES_OF_THEIR_OWN}
                assert node.module in public, path
                assert {a.name for a in node.names} <= set(public[node.module]), path
