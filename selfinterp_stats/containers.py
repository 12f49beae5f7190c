"""Posterior containers: the one file that makes and opens them.

Everything else works on arrays and labelled xarray datasets. ArviZ 0.23 calls its container InferenceData, ArviZ 1 uses
xarray's DataTree; a netCDF file with one group for each dataset is read by both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfinterp_stats.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["make_data_tree", "make_inference_data", "read_groups", "write_groups"]


def make_inference_data(groups: Mapping[str, xr.Dataset]) -> Any:
    """ArviZ InferenceData of the given groups."""
    import arviz

    return arviz.InferenceData(**dict(groups))


def make_data_tree(groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """The same as xarray's DataTree, which arviz_stats takes."""
    import xarray as xr

    return xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in groups.items()})


def write_groups(path: str | Path, groups: Mapping[str, xr.Dataset], attributes: Mapping[str, str]) -> None:
    """Write datasets as the groups of a netCDF file that holds no time of its making.

    Raises
    ------
    ArgumentError
        If the file exists: nothing is overwritten.
    """
    target = Path(path)
    if target.exists():
        raise ArgumentError(
            "path", expected="a file that does not exist yet", got=str(path), remedy="remove it or choose another name"
        )
    tree = make_data_tree(groups)
    tree.attrs.update(attributes)
    tree.to_netcdf(target, engine="h5netcdf")


def read_groups(path: str | Path) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    """Read the groups of a netCDF file and the attributes of its root.

    Raises
    ------
    ArgumentError
        If there is no such file or it is no netCDF file.
    """
    import xarray as xr

    source = Path(path)
    if not source.is_file():
        raise ArgumentError("path", expected="a netCDF file", got=f"no file at {path}", remedy="check the path")
    try:
        with xr.open_datatree(source, engine="h5netcdf") as tree:
            loaded = tree.load()
            groups = {name: node.to_dataset() for name, node in loaded.children.items()}
            return groups, {str(k): str(v) for k, v in loaded.attrs.items()}
    except (OSError, ValueError) as error:
        raise ArgumentError(
            "path", expected="a netCDF file", got=f"{path} ({error})", remedy="write it with to_netcdf"
        ) from error
