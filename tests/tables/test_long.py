"""Long decisions, reports and targets: the way in for people's own data."""

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, DataError, make_decisions, make_reports, make_scenarios, make_targets

SCENARIOS = make_scenarios(
    pd.DataFrame(
        {
            "scenario": ["s", "s", "t", "t", "t"],
            "attribute": ["x", "y", "x", "y", "z"],
            "low": 0.0,
            "high": [10.0, 1.0, 10.0, 1.0, 5.0],
        }
    )
)


def _decisions(**changes):
    frame = {
        "scenario": ["s", "s", "t", "t", "t"],
        "trial": [1, 1, 1, 1, 1],
        "attribute": ["x", "y", "z", "x", "y"],
        "a": [1.0, 0.2, 3.0, 4.0, 0.5],
        "b": [2.0, 0.1, 2.0, 6.0, 0.7],
        "chosen": ["A", "A", "B", "B", "B"],
    }
    return pd.DataFrame({**frame, **changes})


def _reports(**changes):
    frame = {
        "scenario": ["s", "s", "t", "t", "t"],
        "reply": 1,
        "attribute": ["x", "y", "x", "y", "z"],
        "report": [10, -20, 30, 40, 50],
    }
    return pd.DataFrame({**frame, **changes})


def _kinds(caught):
    return sorted(p.kind for p in caught.value.problems)


def test_decisions():
    decisions = make_decisions(_decisions(temperature=0.7, note="n"), SCENARIOS, model="m", preferences="instilled")
    assert decisions.conditions == ("temperature", "note")
    assert decisions.n_slots == 3
    first, second = decisions.frame.to_dict("records")
    assert (first["scenario"], first["chosen"], first["a_1"], first["b_2"]) == ("s", "A", 1.0, 0.1)
    assert np.isnan(first["a_3"])
    # attributes come in any order; slots are those of the scenario
    assert [second[f"a_{j}"] for j in (1, 2, 3)] == [4.0, 0.5, 3.0]
    assert {second[c] for c in ("base_model", "model")} == {"m"}
    assert second["preferences"] == "instilled"


def test_the_same_trial_under_two_conditions():
    both = pd.concat([_decisions(trigger="yes"), _decisions(trigger="no")])
    assert len(make_decisions(both, SCENARIOS)) == 4
    with pytest.raises(DataError) as caught:
        make_decisions(pd.concat([_decisions(), _decisions()]), SCENARIOS)
    assert set(_kinds(caught)) == {"doubled-trial"}


def test_probabilities():
    assert make_decisions(_decisions(p_a=[0.9, 0.9, 0.1, 0.1, 0.1]), SCENARIOS).frame["p_a"].tolist() == [0.9, 0.1]
    with pytest.raises(DataError, match="a probability from 0 to 1"):
        make_decisions(_decisions(p_a=90), SCENARIOS)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"scenario": ["s", "s", "u", "u", "u"]}, ["unknown-scenario"]),
        ({"attribute": ["x", "Y", "z", "x", "y"]}, ["missing-attribute", "wrong-attribute"]),
        ({"attribute": ["x", "x", "z", "x", "y"]}, ["doubled-trial", "missing-attribute"]),
        ({"chosen": ["A", "B", "B", "B", "B"]}, ["contradiction"]),
        ({"chosen": ["a", "a", "", "", ""]}, ["bad-choice", "bad-choice"]),
        ({"a": ["one", 0.2, 3.0, None, 0.5]}, ["missing-value", "not-a-number"]),
        ({"preferences": "learned"}, ["bad-preferences"]),
    ],
)
def test_problems_of_decisions(changes, kinds):
    with pytest.raises(DataError) as caught:
        make_decisions(_decisions(**changes), SCENARIOS)
    assert _kinds(caught) == kinds


def test_all_problems_at_once():
    with pytest.raises(DataError) as caught:
        make_decisions(_decisions(a=["?", 0.2, 3.0, 4.0, 0.5], chosen=["A", "A", "C", "C", "C"]), SCENARIOS)
    assert _kinds(caught) == ["bad-choice", "not-a-number"]


def test_missing_columns():
    with pytest.raises(DataError) as caught:
        make_decisions(_decisions().drop(columns=["a", "chosen"]), SCENARIOS)
    assert [p.column for p in caught.value.problems] == ["a", "chosen"]


def test_bad_defaults():
    with pytest.raises(ArgumentError, match="preferences: expected one of 'native', 'instilled', got 'own'"):
        make_decisions(_decisions(), SCENARIOS, preferences="own")
    with pytest.raises(ArgumentError, match="preferences"):
        make_reports(_reports(), SCENARIOS, preferences="own")


def test_reports():
    reports = make_reports(_reports(a=1.0, b=2.0, language="en"), SCENARIOS, model="m", reporter="base")
    assert reports.conditions == ("language",)
    assert reports.frame["report"].tolist() == [10, -20, 30, 40, 50]
    assert reports.frame["slot"].tolist() == [1, 2, 1, 2, 3]
    assert set(reports.frame["reporter"]) == {"base"}


def test_refused_replies_keep_their_rows():
    status = ["valid", "valid", "refused", "refused", "refused"]
    reports = make_reports(_reports(status=status, report=[10, -20, None, None, None]), SCENARIOS)
    assert reports.frame["status"].tolist() == status
    with pytest.raises(DataError) as caught:
        make_reports(_reports(report=[10, -20, None, None, None]), SCENARIOS)
    assert _kinds(caught) == ["missing-value"] * 3


def test_targets():
    frame = _reports().rename(columns={"report": "target"})[["scenario", "attribute", "target"]]
    assert make_targets(frame, SCENARIOS).frame["target"].tolist() == [10, -20, 30, 40, 50]
    with pytest.raises(DataError) as caught:
        make_targets(pd.concat([frame, frame.iloc[:1]]).assign(attribute=["x", "y", "x", "q", "z", "x"]), SCENARIOS)
    assert _kinds(caught) == ["doubled-scenario", "wrong-attribute"]


@pytest.mark.parametrize("make", [make_decisions, make_reports, make_targets])
def test_header_only_files_give_empty_tables(make, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("scenario,trial,reply,attribute,a,b,chosen,report,target\n")
    assert len(make(path, SCENARIOS)) == 0
