import pytest

from selfinterp_stats import ArgumentError
from selfinterp_stats.seeding import check_seed, make_generator


def test_key_decides():
    reference = make_generator(1, "fit", scenario="a").random(4).tolist()
    assert make_generator(1, "fit", scenario="a").random(4).tolist() == reference
    for other in (
        make_generator(2, "fit", scenario="a"),
        make_generator(1, "correlate", scenario="a"),
        make_generator(1, "fit", scenario="b"),
        make_generator(1, "fit", group="a"),
    ):
        assert other.random(4).tolist() != reference


@pytest.mark.parametrize("seed", [-1, 1.5, "x", None])
def test_bad_seed(seed):
    with pytest.raises(ArgumentError, match="seed: expected a whole number"):
        check_seed(seed)
