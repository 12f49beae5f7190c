import numpy as np
import pandas as pd
import pytest
from helpers.tables import unit_decisions, unit_scenarios

from selfinterp_stats import ArgumentError, Decisions, make_scenarios
from selfinterp_stats.choice.design import build_design


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    scenarios = unit_scenarios([2, 3])
    x = [rng.uniform(-1, 1, (6, 2)), rng.uniform(-1, 1, (5, 3))]
    return scenarios, x, unit_decisions(scenarios, x, [rng.random(6) < 0.5, rng.random(5) < 0.5], trigger="on")


def test_differences_are_scaled_by_the_range(data):
    scenarios, x, decisions = data
    design = build_design(decisions, scenarios, [])
    assert design.contexts["n_trials"].tolist() == [6, 5]
    assert design.contexts["n_attributes"].tolist() == [2, 3]
    assert np.allclose(sorted(design.x[:6, 0]), sorted(x[0][:, 0]))
    assert (design.x[:6, 2] == 0).all()
    wider = make_scenarios(scenarios.frame.assign(high=2.0))
    assert np.allclose(build_design(decisions, wider, []).x, design.x / 2)


def test_order_of_rows_does_not_matter(data):
    scenarios, _, decisions = data
    design = build_design(decisions, scenarios, ["trigger"])
    shuffled = Decisions(decisions.frame.sample(frac=1, random_state=3), decisions.conditions)
    again = build_design(shuffled, scenarios, ["trigger"])
    assert np.array_equal(design.x, again.x)
    assert np.array_equal(design.s, again.s)
    pd.testing.assert_frame_equal(design.slopes, again.slopes)


def test_signs_follow_the_choices(data):
    scenarios, x, decisions = data
    design = build_design(decisions, scenarios, [])
    for t in range(6):
        row = decisions.frame.iloc[t]
        place = np.flatnonzero(np.isclose(design.x[:6, :2], x[0][t]).all(axis=1))
        assert design.s[place] == (1 if row["chosen"] == "A" else -1)


def test_rows_without_a_group_are_counted(data):
    scenarios, _, decisions = data
    frame = decisions.frame.copy()
    frame.loc[:1, "trigger"] = np.nan
    design = build_design(Decisions(frame, ("trigger",)), scenarios, ["trigger"])
    assert design.left_out.to_dict("records") == [
        {
            "trigger": design.left_out["trigger"].iloc[0],
            "scenario": "s0000",
            "reason": "no value to group by",
            "count": 2,
        }
    ]
    assert design.contexts["n_trials"].sum() == 9


@pytest.mark.parametrize("by", [["nothing"], ["scenario"]])
def test_unknown_groups(data, by):
    scenarios, _, decisions = data
    with pytest.raises(ArgumentError, match=r"by: expected columns of the decisions \(base_model, .*trigger\)"):
        build_design(decisions, scenarios, by)


def test_tables_that_do_not_fit_together(data):
    scenarios, _, decisions = data
    with pytest.raises(ArgumentError, match="none called 's0000'"):
        build_design(decisions, unit_scenarios([2, 3], prefix="other"), [])
    with pytest.raises(ArgumentError, match="other numbers of attributes"):
        build_design(decisions, unit_scenarios([3, 3]), [])
    with pytest.raises(ArgumentError, match="other numbers of attributes"):
        build_design(decisions, unit_scenarios([2, 2]), [])
    with pytest.raises(ArgumentError, match="at least one trial"):
        build_design(Decisions(decisions.frame.iloc[:0]), scenarios, [])
