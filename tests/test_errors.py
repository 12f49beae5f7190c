import math

import pytest

from selfinterp_stats import ArgumentError, DataError, SelfInterpError, SelfInterpWarning
from selfinterp_stats.errors import check_choice, check_range


def test_family():
    assert issubclass(ArgumentError, SelfInterpError)
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(DataError, SelfInterpError)
    assert issubclass(SelfInterpWarning, UserWarning)


def test_message_has_four_parts():
    error = ArgumentError("draws", expected="a whole number", got="'many'", remedy="pass draws=4000")
    assert str(error) == "draws: expected a whole number, got 'many'; pass draws=4000"


def test_check_choice():
    check_choice("scale", "l2", ("max", "l2"))
    with pytest.raises(ArgumentError, match=r"scale: expected one of 'max', 'l2', got 'l1'; pass scale='max'"):
        check_choice("scale", "l1", ("max", "l2"))


@pytest.mark.parametrize("value", [0, 11, 2.5, math.nan, "3", None, True])
def test_check_range_refuses(value):
    with pytest.raises(ArgumentError, match="draws: expected a whole number from 1 to 10"):
        check_range("draws", value, low=1, high=10, whole=True)


def test_check_range_without_upper_end():
    check_range("x", 1e300, low=0, high=math.inf)
    with pytest.raises(ArgumentError, match="of at least 0"):
        check_range("x", -1, low=0, high=math.inf)
