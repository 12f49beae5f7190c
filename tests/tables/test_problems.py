import pytest

from selfinterp_stats import DataError, Problems


def _some() -> Problems:
    problems = Problems()
    for row in range(2, 7):
        problems.error("bad-choice", "a.csv", row=row, column="c", found="'C'", expected="A or B", remedy="correct it")
    problems.warn("no-trials", "s.csv", found="none", expected="some", remedy="add some", scenario="x", count=3)
    return problems


def test_everything_is_said_or_counted():
    text = _some().describe(per_kind=2)
    assert text.splitlines() == [
        "error: a.csv, row 2, column c: bad-choice: found 'C'; expected A or B; correct it",
        "error: a.csv, row 3, column c: bad-choice: found 'C'; expected A or B; correct it",
        "error: a.csv: bad-choice: and 3 more",
        "warning: s.csv: no-trials: found none; expected some; add some",
    ]
    assert len(_some().describe().splitlines()) == 6


def test_counts():
    assert _some().counts().to_numpy().tolist() == [
        ["error", "a.csv", "bad-choice", "", 5],
        ["warning", "s.csv", "no-trials", "x", 3],
    ]
    assert Problems().counts().empty


def test_errors_raise_and_warnings_only_when_strict():
    with pytest.raises(DataError, match="5 problems in the data") as caught:
        _some().raise_errors()
    assert len(caught.value.problems) == 5
    only_warnings = Problems(_some().warnings)
    only_warnings.raise_errors()
    with pytest.raises(DataError, match="1 problem in the data\n"):
        only_warnings.raise_errors(strict=True)
