import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import DataError, make_scenarios


def _long(**changes):
    frame = {"scenario": ["s", "s"], "attribute": ["x", "y"], "low": [0.0, 1.0], "high": [2.0, 5.0]}
    return pd.DataFrame({**frame, **changes})


def test_table():
    scenarios = make_scenarios(_long(unit=["m", "kg"], question="which?"))
    assert scenarios.names == ["s"]
    assert len(scenarios) == 1
    assert scenarios.frame.to_dict("records") == [
        {"scenario": "s", "question": "which?", "slot": 1, "attribute": "x", "unit": "m", "low": 0.0, "high": 2.0},
        {"scenario": "s", "question": "which?", "slot": 2, "attribute": "y", "unit": "kg", "low": 1.0, "high": 5.0},
    ]


def test_from_a_file(tmp_path):
    _long().to_csv(tmp_path / "s.csv", index=False)
    assert make_scenarios(tmp_path / "s.csv").n_attributes == {"s": 2}


def test_ranges_are_padded():
    both = pd.concat([_long(), _long(scenario="t"), _long(scenario="t", attribute=["z", "q"])])
    low, high = make_scenarios(both).ranges(["t", "s", "s"])
    assert low.shape == (3, 4)
    assert np.isnan(high[1:, 2:]).all()
    assert high[0].tolist() == [2.0, 5.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"high": [0.0, 5.0]}, ["bad-range"]),
        ({"high": [-1.0, 0.5]}, ["bad-range", "bad-range"]),
        ({"attribute": ["x", "x"]}, ["doubled-attribute"]),
        ({"attribute": ["x", ""]}, ["missing-value"]),
        ({"scenario": ["", ""]}, ["missing-value", "missing-value"]),
        ({"scenario": ["s", "t"]}, ["attribute-count", "attribute-count"]),
        ({"low": ["zero", "1"]}, ["not-a-number"]),
        ({"low": [np.nan, 1.0], "high": [2.0, 0.0]}, ["missing-value", "bad-range"]),
    ],
)
def test_problems(changes, kinds):
    with pytest.raises(DataError) as caught:
        make_scenarios(_long(**changes))
    assert [p.kind for p in caught.value.problems] == kinds
    assert all(p.row and p.column and p.remedy for p in caught.value.problems)


@pytest.mark.parametrize("count", [1, 21])
def test_number_of_attributes(count):
    names = [f"a{i}" for i in range(count)]
    with pytest.raises(DataError, match="from 2 to 20"):
        make_scenarios(pd.DataFrame({"scenario": "s", "attribute": names, "low": 0, "high": 1}))


def test_twenty_attributes_are_fine():
    names = [f"a{i}" for i in range(20)]
    assert make_scenarios(pd.DataFrame({"scenario": "s", "attribute": names, "low": 0, "high": 1})).n_slots == 20


def test_missing_columns():
    with pytest.raises(DataError) as caught:
        make_scenarios(pd.DataFrame({"scenario": ["s"], "attribute": ["x"]}))
    assert [p.column for p in caught.value.problems] == ["low", "high"]
