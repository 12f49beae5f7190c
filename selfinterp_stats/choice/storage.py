"""Fits as netCDF files: what goes where, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfinterp_stats.choice.fit import ChoiceFit, ChoiceSpec
from selfinterp_stats.choice.priors import Beta, ChoicePriors, Gamma, LogNormal, Normal, PooledPriors, StudentT
from selfinterp_stats.containers import read_groups, write_groups
from selfinterp_stats.errors import ArgumentError, check_choice
from selfinterp_stats.tables import Decisions, Scenarios

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["read_fit", "write_fit"]

_FORMAT = "selfinterp-choice-fit"
_VERSION = 1
_TABLES = ("contexts", "slopes", "left_out", "decisions", "scenarios", "population")
_FAMILIES = {family.__name__: family for family in (Beta, Gamma, LogNormal, Normal, StudentT)}
_PRIORS = {"none": ChoicePriors, "partial": PooledPriors}


def write_fit(fit: ChoiceFit, path: str | Path, *, dtype: str = "float64") -> None:
    """Write a fit to a netCDF file; see ``ChoiceFit.to_netcdf``."""
    check_choice("dtype", dtype, ("float64", "float32"))
    frames = {
        "contexts": fit.contexts,
        "slopes": fit.slopes,
        "left_out": fit.left_out,
        "population": fit.population,
        "decisions": fit.decisions.frame,
        "scenarios": fit.scenarios.frame.sort_values(["scenario", "slot"], ignore_index=True),
    }
    posterior = fit.draws.astype(dtype)
    # netCDF marks no coordinate whose name has a space in it
    plain = {str(name): str(name).replace(" ", "_") for name in posterior.coords if " " in str(name)}
    groups = {"posterior": posterior.rename(plain)}
    groups |= {f"table_{name}": _pack(frame) for name, frame in frames.items()}
    write_groups(
        path,
        groups,
        {
            "format": _FORMAT,
            "version": str(_VERSION),
            "spec": json.dumps(_describe_spec(fit.spec), sort_keys=True),
            "conditions": json.dumps(list(fit.decisions.conditions)),
        },
    )


def read_fit(path: str | Path) -> ChoiceFit:
    """Read a fit that ``ChoiceFit.to_netcdf`` wrote.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    ChoiceFit
        The same fit; draws stored as float32 come back in that precision.

    Raises
    ------
    ArgumentError
        If the file is missing, is no such file, or comes from a newer version of the package.
    """
    groups, attributes = read_groups(path)
    if attributes.get("format") != _FORMAT:
        raise ArgumentError(
            "path", expected="a fit written by to_netcdf", got=f"{path}, which is none", remedy="check the path"
        )
    if int(attributes["version"]) > _VERSION:
        raise ArgumentError(
            "path",
            expected=f"version {_VERSION} of the format or older",
            got=f"version {attributes['version']}",
            remedy="install a newer selfinterp-stats",
        )
    frames = {name: _unpack(groups[f"table_{name}"]) for name in _TABLES}
    posterior = groups["posterior"]
    return ChoiceFit(
        spec=_restore_spec(json.loads(attributes["spec"])),
        decisions=Decisions(frames["decisions"], tuple(json.loads(attributes["conditions"]))),
        scenarios=Scenarios(frames["scenarios"]),
        contexts=frames["contexts"],
        slopes=frames["slopes"],
        slope_draws=_rows(posterior["slope"]),
        intercept_draws=_rows(posterior["intercept"]),
        left_out=frames["left_out"],
        population=frames["population"],
        population_draws=_rows(posterior["population"])
        if len(frames["population"])
        else np.empty((0, posterior.sizes["draw"])),
    )


def _rows(draws: xr.DataArray) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.ascontiguousarray(draws.to_numpy()[0].T, dtype=np.float64)


def _pack(frame: pd.DataFrame) -> xr.Dataset:
    """Columns as numbered variables, since a condition may have any name; text as JSON, so that gaps stay gaps."""
    import xarray as xr

    variables = {}
    for i, column in enumerate(frame.columns):
        values = frame[column].to_numpy()
        text = values.dtype.kind not in "fiub"
        if text:
            codes, distinct = pd.factorize(values, use_na_sentinel=False)  # most columns repeat a few labels
            encoded = [json.dumps(None if pd.isna(v) else str(v)) for v in distinct]
            values = np.array(encoded, dtype=object)[codes] if len(codes) else np.empty(0, dtype=object)
        variables[f"column_{i}"] = xr.Variable(
            ("row",),
            values.astype("int8") if values.dtype == bool else values,
            {"name": str(column), "text": int(text)},
        )
        variables[f"column_{i}"].attrs["logical"] = int(frame[column].dtype == bool)
    return xr.Dataset(variables, attrs={"rows": len(frame)})


def _unpack(dataset: xr.Dataset) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for i in range(len(dataset.data_vars)):
        variable = dataset[f"column_{i}"]
        values: Any = variable.to_numpy()
        if variable.attrs["text"]:
            decoded = [json.loads(v) for v in values]
            values = pd.array([np.nan if v is None else v for v in decoded], dtype="str")
        elif variable.attrs["logical"]:
            values = values.astype(bool)
        columns[str(variable.attrs["name"])] = values
    return pd.DataFrame(columns)


def _describe_spec(spec: ChoiceSpec) -> dict[str, Any]:
    described = asdict(spec)
    parts = {field.name: getattr(spec.priors, field.name) for field in fields(spec.priors)}
    described["priors"] = {
        name: {"family": type(prior).__name__, **asdict(prior)} for name, prior in parts.items() if prior is not None
    }
    return described


def _restore_spec(described: Mapping[str, Any]) -> ChoiceSpec:
    priors: dict[str, Any] = {}
    for name, parts in described["priors"].items():
        parameters = dict(parts)
        priors[name] = _FAMILIES[parameters.pop("family")](**parameters)
    return ChoiceSpec(
        by=tuple(described["by"]),
        pooling=described["pooling"],
        response=described["response"],
        truncation=described["truncation"],
        priors=_PRIORS[described["pooling"]](**priors),
        inference=described["inference"],
        draws=described["draws"],
        seed=described["seed"],
    )
