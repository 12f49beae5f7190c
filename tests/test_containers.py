import hashlib

import numpy as np
import pytest
import xarray as xr

from selfinterp_stats import ArgumentError
from selfinterp_stats.containers import make_inference_data, read_groups, write_groups


def _groups() -> dict[str, xr.Dataset]:
    values = np.random.default_rng(1).normal(size=(1, 50, 3)).astype("float32")
    names = ("weight", np.array(["a", "b", "ü"], dtype=object))
    return {"posterior": xr.Dataset({"w": (("chain", "draw", "weight"), values)}, coords={"name": names})}


def test_round_trip(tmp_path):
    write_groups(tmp_path / "a.nc", _groups(), {"format": "x"})
    groups, attributes = read_groups(tmp_path / "a.nc")
    assert attributes == {"format": "x"}
    xr.testing.assert_identical(groups["posterior"].compute(), _groups()["posterior"])


def test_same_content_same_bytes(tmp_path):
    digests = set()
    for name in ("a.nc", "b.nc"):
        write_groups(tmp_path / name, _groups(), {"format": "x"})
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "a.nc").write_text("mine")
    with pytest.raises(ArgumentError, match="a file that does not exist yet"):
        write_groups(tmp_path / "a.nc", _groups(), {})
    assert (tmp_path / "a.nc").read_text() == "mine"


def test_reading_what_is_not_there(tmp_path):
    with pytest.raises(ArgumentError, match="no file at"):
        read_groups(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(ArgumentError, match="expected a netCDF file"):
        read_groups(tmp_path / "text.nc")


def test_inference_data():
    data = make_inference_data(_groups())
    assert data.posterior["w"].shape == (1, 50, 3)
