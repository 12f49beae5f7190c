"""What must not matter does not: places, names, units, order, and what else is in the batch. Each with a broken twin.

The checks are functions of an estimator, so that a twin that breaks one of them can be shown to fail it.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfinterp_stats import Decisions, Scenarios, fit_choices, load_scenarios, simulate_experiment
from selfinterp_stats.agents import Agent, LogitDecider
from selfinterp_stats.choice.density import ChoiceDensity, ChoiceLikelihood
from selfinterp_stats.choice.priors import PAPER_PRIORS
from selfinterp_stats.engines.newton import find_modes
from selfinterp_stats.testing import strategies

pytestmark = pytest.mark.thorough

DRAWS = 1000
SLOW = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def tables():
    """(decisions, scenarios) of a decider with a place that it likes."""
    scenarios = load_scenarios(topics=["travel"], n_attributes=[3, 5, 7])
    agents = [Agent("m", LogitDecider(3.0, 0.6), reporters={})]
    archive = simulate_experiment(scenarios, agents=agents, n_instilled=0, n_trials=(40, 40), seed=3).archive
    return archive.decisions, archive.scenarios


def fit(decisions, scenarios, **options):
    return fit_choices(decisions, scenarios, pooling="none", draws=DRAWS, **{"seed": 1, **options})


def find_mode(decisions, scenarios):
    """Modes of intercept and slopes of every scenario, by our engine's Newton method, and of a fit by its order."""
    low, high = scenarios.ranges(list(decisions.frame["scenario"]))
    k = scenarios.n_slots
    a, b = (decisions.frame[[f"{side}_{j}" for j in range(1, k + 1)]].to_numpy(dtype=float) for side in "ab")
    x = (a - b) / (high - low)
    modes = {}
    for name, size in scenarios.n_attributes.items():
        rows = np.flatnonzero(decisions.frame["scenario"] == name)
        own = x[rows][:, :size]
        s = np.where(decisions.frame["chosen"].to_numpy()[rows] == "A", 1.0, -1.0)
        centred = np.ascontiguousarray(own - own.mean(axis=0))
        mode = find_modes(ChoiceDensity(ChoiceLikelihood(centred, s, np.array([0, len(rows)])), PAPER_PRIORS)).location[0]
        modes[name] = np.concatenate([[mode[0] - own.mean(axis=0) @ mode[1:]], mode[1:]])
    return modes


def swap_options(decisions):
    frame = decisions.frame.rename(
        columns=lambda c: {"a": "b", "b": "a"}.get(c[0], c[0]) + c[1:] if c[:2] in ("a_", "b_") else c
    )
    frame = frame.assign(chosen=np.where(frame["chosen"] == "A", "B", "A"))
    return Decisions(frame[list(decisions.frame.columns)], decisions.conditions)


def relabel(decisions, scenarios, *, reverse=False, rename=False, scale=1.0, shift=0.0):
    """The same trials with attributes in reverse order, under other names, or in other units."""
    place = scenarios.frame.copy()
    sizes = place["scenario"].map(scenarios.n_attributes)
    if rename:
        place["attribute"] = "other " + place["attribute"]
    place["low"], place["high"] = place["low"] * scale + shift, place["high"] * scale + shift
    frame = decisions.frame.copy()
    columns = {side: [f"{side}_{j}" for j in range(1, scenarios.n_slots + 1)] for side in "ab"}
    for side in "ab":
        frame[columns[side]] = frame[columns[side]] * scale + shift
    if reverse:
        place["slot"] = sizes - place["slot"] + 1
        place = place.sort_values(["scenario", "slot"], kind="stable", ignore_index=True)
        own = frame["scenario"].map(scenarios.n_attributes).to_numpy()
        for side in "ab":
            values = frame[columns[side]].to_numpy()
            turned = np.full(values.shape, np.nan)
            for k in np.unique(own):
                turned[own == k, :k] = values[own == k, :k][:, ::-1]
            frame[columns[side]] = turned
    return Decisions(frame, decisions.conditions), Scenarios(place)


def _by_scenario(found):
    """{scenario: (intercept draws, slope draws (K, S), mcse (K + 1,))}"""
    result = {}
    for context, row in enumerate(found.contexts.itertuples()):
        rows = (found.slopes["context"] == context).to_numpy()
        mcse = np.array([row.intercept_mcse, *found.slopes["mcse"][rows]])
        result[row.scenario] = (found.intercept_draws[context], found.slope_draws[rows], mcse)
    return result


def check_swap(estimate, tables):
    decisions, scenarios = tables
    one, two = _by_scenario(estimate(decisions, scenarios)), _by_scenario(estimate(swap_options(decisions), scenarios))
    for name, (intercept, slopes, mcse) in one.items():
        turned, same, other = two[name]
        error = 4 * np.hypot(mcse, other)
        assert abs(intercept.mean() + turned.mean()) < error[0] + 1e-12
        assert (np.abs(slopes.mean(axis=1) - same.mean(axis=1)) < error[1:] + 1e-12).all()


def check_labels(estimate, tables, **change):
    decisions, scenarios = tables
    one = _by_scenario(estimate(decisions, scenarios))
    two = _by_scenario(estimate(*relabel(decisions, scenarios, **change)))
    for name, (intercept, slopes, mcse) in one.items():
        other_intercept, other, other_mcse = two[name]
        if change.get("reverse"):
            other, other_mcse = other[::-1], np.concatenate([other_mcse[:1], other_mcse[1:][::-1]])
        error = 4 * np.hypot(mcse, other_mcse)
        assert abs(intercept.mean() - other_intercept.mean()) < error[0] + 1e-12
        assert (np.abs(slopes.mean(axis=1) - other.mean(axis=1)) < error[1:] + 1e-12).all()


def check_rows(estimate, tables, seed):
    decisions, scenarios = tables
    one = estimate(decisions, scenarios)
    shuffled = decisions.frame.sample(frac=1, random_state=seed, ignore_index=True)
    two = _by_scenario(estimate(Decisions(shuffled, decisions.conditions), scenarios))
    for name, (intercept, slopes, _) in _by_scenario(one).items():
        assert np.array_equal(intercept, two[name][0])
        assert np.array_equal(slopes, two[name][1])


def check_alone(estimate, tables, name):
    decisions, scenarios = tables
    together = _by_scenario(estimate(decisions, scenarios))[name]
    own = Decisions(decisions.frame[decisions.frame["scenario"] == name].reset_index(drop=True), decisions.conditions)
    alone = _by_scenario(estimate(own, scenarios))[name]
    assert np.array_equal(together[0], alone[0])
    assert np.array_equal(together[1], alone[1])


LABELS = [{"reverse": True}, {"rename": True}, {"scale": 1000.0}, {"scale": 0.01, "shift": -7.0}]


def test_swapping_the_options(tables):
    check_swap(fit, tables)
    decisions, scenarios = tables
    one, two = find_mode(decisions, scenarios), find_mode(swap_options(decisions), scenarios)
    for name, mode in one.items():
        assert two[name] == pytest.approx(mode * np.r_[-1, np.ones(len(mode) - 1)], abs=1e-8)


@pytest.mark.parametrize("change", LABELS, ids=str)
def test_labels(tables, change):
    check_labels(fit, tables, **change)
    one, two = find_mode(*tables), find_mode(*relabel(*tables, **change))
    for name, mode in one.items():
        other = two[name]
        if change.get("reverse"):
            other = np.concatenate([other[:1], other[1:][::-1]])
        assert other == pytest.approx(mode, abs=1e-8)


@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_rows(tables, seed):
    check_rows(fit, tables, seed)


def test_what_else_is_in_the_batch(tables):
    for name in tables[1].names[:3]:
        check_alone(fit, tables, name)


def _changed(found, slope_draws):
    return dataclasses.replace(found, slope_draws=slope_draws)


def twin_sign_by_place(decisions, scenarios):
    """Slopes take their sign from which answer is more frequent."""
    found = fit(decisions, scenarios)
    share = found.contexts["share_a"].to_numpy()[found.slopes["context"]]
    return _changed(found, found.slope_draws * np.sign(share - 0.5)[:, None])


def twin_raw_units(decisions, scenarios):
    """Forgets to divide by the ranges."""
    found = fit(decisions, scenarios)
    low, high = scenarios.ranges(list(found.slopes["scenario"]))
    width = (high - low)[np.arange(len(found.slopes)), found.slopes["slot"].to_numpy() - 1]
    return _changed(found, found.slope_draws / width[:, None])


def twin_first_slot(decisions, scenarios):
    """Gives the first slot's slope to every attribute."""
    found = fit(decisions, scenarios)
    first = np.flatnonzero(found.slopes["slot"] == 1)[found.slopes["context"]]
    return _changed(found, found.slope_draws[first])


def twin_order(decisions, scenarios):
    """Its seed depends on the first row."""
    return fit(decisions, scenarios, seed=int(decisions.frame["a_1"].iloc[0] * 1000) % 1000)


def twin_batch(decisions, scenarios):
    """Its slopes are pulled towards the mean of the batch."""
    found = fit(decisions, scenarios)
    return _changed(found, 0.9 * found.slope_draws + 0.1 * found.slope_draws.mean())


@pytest.mark.parametrize(
    ("check", "twin", "options"),
    [
        (check_swap, twin_sign_by_place, {}),
        (check_labels, twin_raw_units, {"scale": 1000.0}),
        (check_labels, twin_first_slot, {"reverse": True}),
        (check_rows, twin_order, {"seed": 1}),
        (check_alone, twin_batch, {"name": None}),
    ],
)
def test_twins_fail(tables, check, twin, options):
    if "name" in options:
        options = {"name": tables[1].names[0]}
    with pytest.raises(AssertionError):
        check(twin, tables, **options)


def check_bounds(draws, context):
    draws = pd.DataFrame(np.abs(draws))
    assert draws.max(axis=None) <= 100
    assert (draws.groupby(context).max() == 100).all(axis=None)


@SLOW
@given(strategies.decision_tables(), st.integers(0, 99))
def test_weights_stay_within_their_bounds(decisions, seed):
    scenarios = _scenarios_of(decisions)
    found = fit_choices(decisions, scenarios, pooling="none", draws=100, seed=seed)
    weights = found.weights()
    draws = weights.draws.transpose("weight", ...).to_numpy().reshape(len(found.slopes), -1)
    check_bounds(draws, found.slopes["context"].to_numpy())
    assert weights.table[["hdi_low", "hdi_high", "mean"]].abs().max(axis=None) <= 100


def _scenarios_of(decisions):
    """Scenarios with the ranges that the decisions show."""
    rows = []
    for name, group in decisions.frame.groupby("scenario", sort=False):
        for j in range(1, decisions.n_slots + 1):
            values = group[[f"a_{j}", f"b_{j}"]].to_numpy(dtype=float)
            if not np.isnan(values).all():
                rows.append((name, "", j, f"x{j}", "", np.nanmin(values) - 1, np.nanmax(values) + 1))
    return Scenarios(pd.DataFrame(rows, columns=["scenario", "question", "slot", "attribute", "unit", "low", "high"]))


def test_twin_that_summarises_before_normalising_leaves_the_bounds(tables):
    found = fit(*tables)
    context = found.slopes["context"].to_numpy()
    largest = pd.Series(np.abs(found.slope_draws.mean(axis=1))).groupby(context).transform("max").to_numpy()
    with pytest.raises(AssertionError):
        check_bounds(100 * found.slope_draws / largest[:, None], context)


def mean_widths(estimate, scenarios):
    agents = [Agent("m", LogitDecider(3.0), reporters={})]
    widths = []
    for n in (25, 100):
        archive = simulate_experiment(scenarios, agents=agents, n_instilled=0, n_trials=(n, n)).archive
        table = estimate(archive.decisions, archive.scenarios).weights().table
        widths.append(float((table["hdi_high"] - table["hdi_low"]).mean()))
    return widths


def test_more_trials_narrow_intervals(tables):
    few, many = mean_widths(fit, tables[1])
    assert many < 0.8 * few

    def twin(decisions, scenarios):
        """Looks at the first trials of each scenario alone."""
        frame = decisions.frame[decisions.frame.groupby("scenario").cumcount() < 25].reset_index(drop=True)
        return fit(Decisions(frame, decisions.conditions), scenarios)

    few, many = mean_widths(twin, tables[1])
    assert not many < 0.8 * few
