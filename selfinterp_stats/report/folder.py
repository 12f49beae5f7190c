"""A reanalysis as a folder of tables, draws and figures, written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfinterp_stats._version import __version__
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.plots import plot_calibration, plot_correlations, plot_used_against_reported
from selfinterp_stats.report.reanalysis import Reanalysis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from selfinterp_stats.choice import ChoiceFit
    from selfinterp_stats.weights import Weights

__all__ = ["check_target", "write_reanalysis"]

FORMAT = "selfinterp-reanalysis"
FORMAT_VERSION = 1

_LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "pandas",
    "xarray",
    "h5netcdf",
    "h5py",
    "arviz-stats",
    "formulae",
    "scikit-learn",
    "matplotlib",
)
_DIGITS = "%.6g"
_DPI = 160
# Without a fixed salt matplotlib numbers the parts of an SVG at random.
_SVG_STYLE = {"svg.hashsalt": "selfinterp", "svg.fonttype": "path"}


def write_reanalysis(
    result: Reanalysis,
    out: str | Path,
    *,
    force: bool = False,
    run: Mapping[str, Any] | None = None,
    add: Callable[[Path], None] | None = None,
) -> Path:
    """Write a reanalysis to a new folder.

    Everything is written to a folder beside `out` that takes its name at the end, so that `out` is never half written.

    Parameters
    ----------
    result : Reanalysis
        What ``reanalyze`` returned.
    out : str or pathlib.Path
        Folder to make.
    force : bool
        Whether to replace a folder that holds an earlier reanalysis and nothing else.
    run : mapping, optional
        Further entries for the manifest's ``run``: what may differ between runs of the same analysis.
    add : callable, optional
        Called with the folder while it is being written, to put further files into it; the manifest lists them.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ArgumentError
        If `out` exists and may not be replaced, or cannot be written.
    """
    target = Path(os.path.abspath(out))  # "../results" from within results has no name of its own
    started = time.time()
    check_target(target, force)
    with _beside(target, force) as folder:
        _write_tables(result, folder)
        result.fit.to_netcdf(folder / "posterior.nc", dtype="float32")
        result.partial.to_netcdf(folder / "posterior_partial.nc", dtype="float32")
        _write_figures(result, folder / "figures")
        if add is not None:
            add(folder)
        _write_manifest(result, folder, {"seconds_writing": round(time.time() - started, 3), **(run or {})})
    return target


def check_target(target: Path, force: bool) -> None:
    """Raise ArgumentError unless `target` is free, or may be replaced and `force` says so."""
    if not (target.exists() or target.is_symlink()):
        return
    if not force:
        raise ArgumentError(
            "out",
            expected="a folder that does not exist yet",
            got=f"{target}, which does",
            remedy="choose another name, or --force to replace an earlier reanalysis",
        )
    foreign = _foreign_files(target)
    if foreign is None:
        raise ArgumentError(
            "out",
            expected="a folder with the manifest of an earlier reanalysis",
            got=f"{target}, which is none",
            remedy="choose another name; nothing else is replaced",
        )
    if foreign:
        raise ArgumentError(
            "out",
            expected="a folder with nothing but an earlier reanalysis",
            got=f"{target} with {', '.join(foreign[:5])}{' ...' if len(foreign) > 5 else ''}",
            remedy="move these files away, or choose another name",
        )


def _foreign_files(target: Path) -> list[str] | None:
    """Files that an earlier reanalysis did not write; None if the folder holds no reanalysis."""
    try:
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        known = {"manifest.json", *manifest["outputs"]}
        if manifest["format"] != FORMAT or target.is_symlink():
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # links count by themselves, whatever they point to, and so do folders that none of our files lies in
    ours = known | {parent.as_posix() for name in known for parent in Path(name).parents}
    present = {path.relative_to(target).as_posix(): path for path in target.rglob("*")}
    return sorted(name for name, path in present.items() if name not in ours or path.is_symlink())


@contextmanager
def _beside(target: Path, force: bool) -> Iterator[Path]:
    """A folder next to `target` that is moved into its place if all goes well and removed if not."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            yield folder
            folder.chmod(0o755)  # mkdtemp makes it private
            _put_in_place(folder, target, force)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise ArgumentError(
            "out", expected="a place that can be written to", got=str(error), remedy="choose another folder"
        ) from error


def _put_in_place(folder: Path, target: Path, force: bool) -> None:
    check_target(target, force)  # again: it may have come into being, or filled, meanwhile
    if not target.exists():
        folder.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(old / target.name)  # a kill from here on leaves both, under names that tell
    try:
        folder.rename(target)
    except OSError:
        (old / target.name).rename(target)
        old.rmdir()
        raise
    shutil.rmtree(old)


def _write_tables(result: Reanalysis, folder: Path) -> None:
    tables = {
        "correlations.csv": result.correlations_table(),
        "instillation.csv": result.instillation_table(),
        "contrasts.csv": result.contrasts_table(),
        "weights.csv": result.weights_table(),
        "weights_partial.csv": result.weights_partial_table(),
        "population.csv": result.population_table(),
        "checks.csv": result.checks_table(),
        "check_counts.csv": result.check_counts_table(),
        "calibration.csv": result.calibration_table(),
        "attrition.csv": result.attrition_table(),
    }
    conditions = result.conditions_table()
    if conditions is not None:
        tables["conditions.csv"] = conditions
    for name, table in tables.items():
        table.to_csv(folder / name, index=False, float_format=_DIGITS, lineterminator="\n", encoding="utf-8")


def _write_figures(result: Reanalysis, folder: Path) -> None:
    folder.mkdir()
    _save(plot_calibration(result.checks), folder / "calibration")
    correlations = result.correlations
    if correlations.table.empty:
        return
    _save(plot_correlations(correlations), folder / "correlations")
    keys = list(result.fit.spec.by)
    for group in correlations.table[keys].drop_duplicates().itertuples(index=False):
        stem = _free_stem(folder, "_".join(["used_vs_reported", *map(str, group)]))
        _save(plot_used_against_reported(correlations.select(**dict(zip(keys, group, strict=True)))), stem)


def _free_stem(folder: Path, name: str) -> Path:
    """A file name for any model name; models whose names differ in odd characters only do not share one."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    stem, number = folder / plain, 2
    while Path(f"{stem}.png").exists():
        stem, number = folder / f"{plain}_{number}", number + 1
    return stem


def _save(figure: Figure, stem: Path) -> None:
    import matplotlib as mpl

    figure.savefig(f"{stem}.png", dpi=_DPI)
    with mpl.rc_context(_SVG_STYLE):
        figure.savefig(f"{stem}.svg", metadata={"Date": None})


def _write_manifest(result: Reanalysis, folder: Path, run: Mapping[str, Any]) -> None:
    spec = result.fit.spec
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "software": {"selfinterp-stats": __version__, **{name: version(name) for name in _LIBRARIES}},
        "python": platform.python_version(),
        "inputs": {role.name: digest for role, digest in result.archive.files},
        "options": {"draws": spec.draws, "seed": spec.seed, **({} if result.by is None else {"by": result.by})},
        "model": _describe_model(result.fit, result.weights),
        "model_partial": _describe_model(result.partial, result.weights_partial),
        "outputs": sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()),
        "run": {
            "finished": pd.Timestamp.now(tz="UTC").isoformat(timespec="seconds"),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "archive": None if result.archive.path is None else str(result.archive.path),
            **run,
        },
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def _describe_model(fit: ChoiceFit, weights: Weights) -> dict[str, Any]:
    exact = fit.contexts["sampler"] == "slice"
    return {
        "pooling": fit.spec.pooling,
        "priors": str(fit.spec.priors),
        "inference": fit.spec.inference,
        "interval": f"{weights.prob:g} HDI",
        "exact_sampler": fit.contexts.loc[exact, [*fit.spec.by, "scenario"]].to_numpy().tolist(),
    }
