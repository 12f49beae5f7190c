"""Verdicts, scores, nulls and calibration, on agents whose ways are known."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers.choices import by_decider, make_trials, name_first, toss
from scipy.optimize import linprog
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

from selfinterp_stats import (
    ArgumentError,
    ChoicePriors,
    DecisionChecks,
    Normal,
    PooledPriors,
    SelfInterpWarning,
    check_decisions,
    fit_choices,
    make_targets,
)
from selfinterp_stats.agents import DeterministicDecider, LapsingDecider, LogitDecider
from selfinterp_stats.choice.priors import Beta
from selfinterp_stats.diagnostics.reliability import find_reliability
from selfinterp_stats.diagnostics.verdicts import VERDICTS, give_verdicts, is_separated

firm, weak = by_decider(LogitDecider(8.0)), by_decider(LogitDecider(0.0))
strict = by_decider(DeterministicDecider())


@pytest.fixture(scope="module")
def mixed() -> DecisionChecks:
    """Ten of each kind: firm, deterministic, by place, and tossing coins."""
    decisions, scenarios = make_trials([firm] * 10 + [strict] * 10 + [name_first] * 10 + [toss] * 10, 50, 3, seed=5)
    return check_decisions(fit_choices(decisions, scenarios, draws=1000))


def count_verdicts(checks, first, last):
    return checks.contexts["verdict"].iloc[first:last].value_counts().to_dict()


def test_verdicts(mixed):
    assert set(count_verdicts(mixed, 0, 20)) <= {"identified", "separated"}
    assert count_verdicts(mixed, 10, 20) == {"separated": 10}
    assert count_verdicts(mixed, 20, 30).get("position-locked", 0) >= 9
    assert count_verdicts(mixed, 30, 40).get("at chance", 0) >= 9
    chosen = mixed.select("position-locked")
    assert list(chosen.columns) == ["base_model", "preferences", "scenario", "verdict"]
    assert len(chosen) == (mixed.contexts["verdict"] == "position-locked").sum()
    assert "found and expected" in str(mixed)
    assert mixed.summary() is mixed.contexts


def test_what_separation_does(mixed):
    """Consistency hangs on the prior where answers have no exception, more than elsewhere; weights hardly do."""
    table = mixed.contexts.iloc[:20]
    pulled = table.groupby("separated")["consistency_pull"].mean()
    assert pulled[True] < pulled[False] < 0
    assert (table["consistency_hdi_low"] > 2.0).all()


def test_verdicts_of_coins_and_of_the_model_are_expected():
    decisions, scenarios = make_trials([firm] * 40, 40, 3, seed=6)
    fit = fit_choices(decisions, scenarios, draws=1000)
    counts = check_decisions(fit, replications=6).counts.set_index(["kind", "null"])
    for verdict in ("identified", "separated"):
        row = counts.loc[f"verdict: {verdict}", "the fitted model"]
        assert abs(row["found"] - row["expected"]) < 4.0 * np.sqrt(40 * 0.25)
    assert counts.loc["verdict: at chance", "coin tosses"]["expected"] > 38
    for null in ("coin tosses", "the fitted model"):
        expected = [counts.loc[f"verdict: {name}", null]["expected"] for name in VERDICTS]
        assert sum(expected) == pytest.approx(40)


@pytest.fixture(scope="module")
def counted():
    """Counts of populations for which one null or the other holds."""
    rules = {
        "coins": toss,
        "logit": by_decider(LogitDecider(4.0)),
        "placed": by_decider(LogitDecider(4.0, position_bias=1.5)),
    }
    found = {}
    for name, rule in rules.items():
        decisions, scenarios = make_trials([rule] * 60, 40, 3, seed=7)
        checks = check_decisions(fit_choices(decisions, scenarios, draws=500), replications=3)
        found[name] = checks.counts.set_index(["null", "kind"])[["found", "expected"]]
    return found


def is_off(row):
    return abs(row["found"] - row["expected"]) > 3.5 * np.sqrt(max(row["expected"], 1.0))


def test_counts_are_those_expected_under_each_null(counted):
    """With coins the coins' null holds, with logit agents that of the model; a preference of place breaks its own."""
    for kind in counted["coins"].loc["coin tosses"].index:
        assert not is_off(counted["coins"].loc[("coin tosses", kind)])
    assert is_off(counted["logit"].loc["coin tosses"].iloc[0])
    for name in ("coins", "logit"):
        assert not is_off(counted[name].loc["no preference of place"].iloc[0])
    assert is_off(counted["placed"].loc["no preference of place"].iloc[0])
    for table in counted.values():
        for kind in table.loc["the fitted model"].index:
            assert not is_off(table.loc[("the fitted model", kind)])


def test_an_overconfident_model_is_caught():
    """Slopes that are held to be large where answers are nearly coins: log loss out of sample, and miscalibration."""
    decisions, scenarios = make_trials([by_decider(LogitDecider(1.0))] * 60, 40, 3, seed=8)
    found = {}
    for sd in (1.0, 30.0):
        priors = ChoicePriors(Normal(0.0, sd), Normal(0.0, sd))
        fit = fit_choices(decisions, scenarios, pooling="none", priors=priors, draws=500)
        found[sd] = check_decisions(fit, replications=0)
    parts = {sd: checks.overall["miscalibration"].item() for sd, checks in found.items()}
    assert parts[30.0] > 2.0 * parts[1.0]


def test_scores_are_those_of_scikit_learn():
    """A single scenario is its own group, so that both computations meet."""
    decisions, scenarios = make_trials([by_decider(LogitDecider(3.0))], 60, 3, seed=9)
    checks = check_decisions(fit_choices(decisions, scenarios, draws=500), cv=StratifiedKFold(6), replications=0)
    names = ["n_trials", "share_a", "hit_rate", "hit_rate_out", "log_loss", "log_loss_out"]
    assert checks.contexts[names].iloc[0].to_numpy(float) == pytest.approx(checks.overall[names].iloc[0].to_numpy(float))
    elpd = checks.contexts.iloc[0]
    assert elpd["elpd_options"] == pytest.approx(-60 * elpd["log_loss_out"])
    assert elpd["elpd_coin"] == pytest.approx(-60 * np.log(2))
    parts = checks.overall.iloc[0]
    assert parts["brier_out"] == pytest.approx(parts["miscalibration"] - parts["discrimination"] + parts["uncertainty"])


def test_agreement_with_targets():
    decisions, scenarios = make_trials([firm] * 3, 30, 3, seed=10, low=2.0, high=7.0)
    frame = decisions.frame.assign(preferences="instilled")
    instilled = type(decisions)(frame)
    rows = [("s000", "a0", 100.0), ("s000", "a1", -50.0), ("s000", "a2", 0.0)]
    rows += [("s001", f"a{k}", value) for k, value in enumerate((0.0, 0.0, 100.0))]
    targets = make_targets(pd.DataFrame(rows, columns=["scenario", "attribute", "target"]), scenarios)
    fit = fit_choices(instilled, scenarios, draws=500)
    found = check_decisions(fit, targets=targets, replications=0).contexts.set_index("scenario")["target_agreement"]
    own = frame[frame["scenario"] == "s000"]
    advantage = 100 * (own["a_1"] - own["b_1"]) - 50 * (own["a_2"] - own["b_2"])
    assert found["s000"] == pytest.approx(((advantage > 0) == (own["chosen"] == "A")).mean())
    assert np.isnan(found["s002"])
    native = check_decisions(fit_choices(decisions, scenarios, by=("model",), draws=500), targets=targets, replications=0)
    assert native.contexts["target_agreement"].isna().all()


@pytest.mark.parametrize("seed", range(40))
def test_separation_is_that_of_linear_programming(seed):
    rng = np.random.default_rng(seed)
    size, trials = rng.integers(1, 7), rng.integers(2, 50)
    x = rng.random((trials, size)) - rng.random((trials, size))
    x = np.round(x, 1) if seed % 2 else x  # ties, trials on the boundary
    s = np.where(x @ rng.normal(0, 4, size) + rng.logistic(size=trials) * (seed % 4 > 0) > 0, 1.0, -1.0)
    signed = np.column_stack([np.ones(trials), x]) * s[:, None]
    # the largest margin that coefficients between -1 and 1 leave
    rows = np.column_stack([-signed, np.ones(trials)])
    cost = np.r_[np.zeros(size + 1), -1.0]
    best = linprog(cost, A_ub=rows, b_ub=np.zeros(trials), bounds=[(-1, 1)] * (size + 1) + [(None, None)])
    assert is_separated(x, s) == (-best.fun > 1e-7)


def test_an_exception_is_no_separation():
    """An attribute that differs in one trial alone bounds nothing, but other answers have exceptions."""
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.uniform(-1, 1, 40), np.zeros(40)])
    x[0, 1] = 1.0
    assert not is_separated(x, np.where(rng.random(40) < 0.5, 1.0, -1.0))


@pytest.mark.parametrize(
    ("place", "options", "verdict"),
    [
        (-31.0, -20.0, "identified"),
        (-20.0, -17.0, "position-locked"),
        (-31.0, -28.0, "undecided"),
        (-33.0, -32.0, "at chance"),
    ],
)
def test_what_a_verdict_needs(place, options, verdict):
    scores = {"coin": np.array([-34.7]), "place": np.array([place]), "options": np.array([options])}
    assert give_verdicts(scores, np.array([False]), 4.0).tolist() == [verdict]


def test_answers_on_one_side_are_separated():
    assert is_separated(np.random.default_rng(1).random((20, 2)), np.ones(20))


def test_isotonic_regression_by_hand():
    """Pools of the fourth and fifth: 0, 1/2, 1/2, 1."""
    predicted = np.array([0.1, 0.4, 0.6, 0.9])
    found = find_reliability(predicted, np.array([False, True, False, True]), 0.9, np.random.default_rng(1))
    assert found.parts["brier_out"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert found.parts["miscalibration"] == pytest.approx(found.parts["brier_out"] - 0.125)
    assert found.parts["discrimination"] == pytest.approx(0.125)
    curve = found.curve
    assert curve["predicted"].between(0.1, 0.9).all()
    assert curve.loc[curve["predicted"].between(0.41, 0.59), "share"].tolist() == pytest.approx([0.5] * 9)


def test_bands_hold_predictions_that_are_right_and_not_others():
    rng = np.random.default_rng(2)
    predicted = rng.random(3000)
    inside = {}
    for name, truth in {"right": predicted, "too firm": 0.5 + 0.5 * (predicted - 0.5)}.items():
        curve = find_reliability(predicted, rng.random(3000) < truth, 0.95, rng).curve
        inside[name] = ((curve["share"] >= curve["band_low"]) & (curve["share"] <= curve["band_high"])).mean()
    assert inside["right"] > 0.8
    assert inside["too firm"] < 0.5


def test_pull_is_what_another_prior_would_do():
    """Priors of 1.1 times the precision, fitted again: the change is the derivative's times log2 of 1.1, nearly."""
    decisions, scenarios = make_trials([by_decider(LogitDecider(3.0))] * 4, 25, 2, seed=11)

    def run(precision):
        priors = ChoicePriors(Normal(0.0, 2.0 / np.sqrt(precision)), Normal(0.0, 2.0 / np.sqrt(precision)))
        return fit_choices(decisions, scenarios, pooling="none", priors=priors, draws=100_000, seed=4)

    first, second = run(1.0), run(1.3)
    checks = check_decisions(first, replications=0, cv=2).contexts

    def find_consistency(fit):
        owner = fit.slopes["context"].to_numpy()
        return np.array([np.log(np.abs(fit.slope_draws[owner == c]).max(axis=0)).mean() for c in range(4)])

    change = find_consistency(second) - find_consistency(first)
    assert change == pytest.approx(np.log2(1.3) * np.log1p(checks["consistency_pull"].to_numpy()), rel=0.2)

    def find_spread(fit):
        values = fit.weights().values
        spread = values.std(axis=1).reshape(4, 2)
        return np.log(spread.max(axis=1))  # the other is that of the largest weight, often 0

    assert np.sign(find_spread(second) - find_spread(first)).tolist() == np.sign(checks["width_pull"]).tolist()


def test_single_trials_and_ten_attributes():
    decisions, scenarios = make_trials([firm] * 3, 40, 10, seed=12)
    frame = decisions.frame[(decisions.frame["scenario"] != "s001") | (decisions.frame["trial"] == "0")]
    fit = fit_choices(type(decisions)(frame), scenarios, by=(), draws=500)
    with pytest.warns(SelfInterpWarning, match="1 scenarios have a single trial"):
        checks = check_decisions(fit, replications=1)
    table = checks.contexts.set_index("scenario")
    assert table.loc["s001", ["log_loss_out", "elpd_coin", "elpd_options"]].isna().all()
    assert table.loc["s001", "verdict"] == "at chance"
    assert np.isfinite(table.loc[["s000", "s002"], "log_loss_out"]).all()
    assert len(checks.overall) == 1


def test_single_trials_without_pooling():
    decisions, scenarios = make_trials([firm] * 3, 20, 2, seed=12)
    for name in ("s001", "s002"):
        frame = decisions.frame[(decisions.frame["scenario"] != name) | (decisions.frame["trial"] == "0")]
        fit = fit_choices(type(decisions)(frame), scenarios, by=(), pooling="none", draws=500)
        with pytest.warns(SelfInterpWarning, match="1 scenarios have a single trial"):
            table = check_decisions(fit, replications=1).contexts.set_index("scenario")
        assert np.isnan(table.loc[name, "elpd_options"])
        assert np.isfinite(table.drop(index=name)["elpd_options"]).all()


def test_few_trials_and_a_splitter_with_more_folds():
    decisions, scenarios = make_trials([firm] * 2, 3, 2, seed=12)
    checks = check_decisions(fit_choices(decisions, scenarios, pooling="none", draws=500), cv=KFold(5), replications=0)
    assert checks.contexts["log_loss_out"].notna().all()


def test_repeatable():
    decisions, scenarios = make_trials([firm, toss, strict], 20, 3, seed=13)
    fit = fit_choices(decisions, scenarios, draws=500)
    first, again = (check_decisions(fit, replications=1) for _ in range(2))
    for name in ("contexts", "overall", "counts", "calibration"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))


def test_lapsing_agents_are_identified():
    decisions, scenarios = make_trials([by_decider(LapsingDecider(DeterministicDecider(), 0.2))] * 10, 60, 3, seed=14)
    verdicts = check_decisions(fit_choices(decisions, scenarios, draws=500), replications=0).contexts["verdict"]
    assert (verdicts == "identified").sum() >= 9


@pytest.fixture(scope="module")
def small():
    decisions, scenarios = make_trials([firm] * 3, 20, 2, seed=15)
    return partial(fit_choices, decisions, scenarios, draws=200)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cv": 1}, r"cv: expected a whole number from 2 to 1000, got 1; pass cv=5"),
        ({"cv": "five"}, r"cv: expected a number of folds, or a splitter that needs no groups, got 'five'"),
        ({"cv": GroupKFold(3)}, r"cv: expected a number of folds, or a splitter that needs no groups, got GroupKFold"),
        ({"cv": []}, r"cv: expected a number of folds, or a splitter that needs no groups, got \[\]"),
        ({"cv": ShuffleSplit(3)}, r"cv: expected a splitter that tests every trial once, got ShuffleSplit"),
        ({"threshold": -1.0}, r"threshold: expected a number from 0 to 1e\+06, got -1.0; pass threshold=4"),
        ({"replications": 2.5}, r"replications: expected a whole number from 0 to 1000, got 2.5"),
        ({"targets": [1]}, r"targets: expected Targets, got list; make them with make_targets"),
        ({"prob": 2.0}, r"prob: expected a number"),
    ],
)
def test_argument_errors(small, options, text):
    with pytest.raises(ArgumentError, match=text):
        check_decisions(small(), **options)


def test_fits_that_cannot_be_checked(small):
    fit = small()
    spread = type(fit.spec)(**{**vars(fit.spec), "priors": PooledPriors(lapse=Beta(1.0, 19.0))})
    broken = type(fit)(**{**vars(fit), "spec": spread})
    with pytest.raises(ArgumentError, match=r"fit: expected a fit of choices without further options, got one with lapse"):
        check_decisions(broken)
    with pytest.raises(ArgumentError, match=r"verdicts: expected one of 'identified'"):
        check_decisions(fit, replications=0).select("good")
