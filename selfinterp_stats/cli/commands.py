"""The subcommands: a few lines each over public functions."""

from __future__ import annotations

import dataclasses
import json
import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from selfinterp_stats.cli.progress import Steps
from selfinterp_stats.errors import SelfInterpWarning

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_command", "completion_command", "demo_command", "reanalyze_command"]

_STEPS = 9
_PER_KIND = 3  # warnings shown of one kind in one file; all are counted


@click.command(
    "reanalyze",
    epilog="Examples:\n\n  selfinterp reanalyze plunkett-2025 --out results\n\n"
    "  selfinterp reanalyze plunkett-2025 --out results --force --draws 10000 --seed 7 --json",
)
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to make for the results.")
@click.option("--by", metavar="COLUMN", help="Condition column: do everything condition by condition, and compare them.")
@click.option("--draws", default=4000, show_default=True, help="Posterior draws for each scenario (100 or more).")
@click.option("--seed", default=1, show_default=True, help="Seed; the same seed gives the same files.")
@click.option("--strict", is_flag=True, help="Treat warnings about the data as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the tables as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors (and the JSON, with --json).")
@click.option("--force", is_flag=True, help="Replace OUT if it holds an earlier reanalysis and nothing else.")
def reanalyze_command(
    archive: Path,
    out: Path,
    by: str | None,
    draws: int,
    seed: int,
    strict: bool,
    as_json: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Re-analyse the trials in the folder ARCHIVE.

    Fits the published choice model to every scenario, and one with partial pooling beside it, correlates used with
    reported weights, prints one table and writes the folder OUT: correlations.csv, instillation.csv, contrasts.csv,
    weights.csv, weights_partial.csv, population.csv, checks.csv, check_counts.csv, calibration.csv, attrition.csv,
    posterior.nc, posterior_partial.nc, figures and manifest.json; with --by also conditions.csv.
    """
    from selfinterp_stats.report import describe_reanalysis, encode_reanalysis, reanalyze, write_reanalysis
    from selfinterp_stats.report.folder import check_target
    from selfinterp_stats.seeding import check_draws, check_seed

    started = time.perf_counter()
    # before the work, not after it
    check_target(Path(os.path.abspath(out)), force)
    check_draws(draws)
    check_seed(seed)
    with warnings.catch_warnings(record=True) as caught, Steps(_STEPS + (by is not None), quiet=quiet) as steps:
        warnings.simplefilter("always", SelfInterpWarning)
        result = reanalyze(archive, by=by, draws=draws, seed=seed, strict=strict, progress=steps.begin)
        steps.begin("writing tables, draws and figures")
        write_reanalysis(result, out, force=force, run=_describe_run(started))
        steps.begin(f"done in {time.perf_counter() - started:.1f} s")
    if not quiet:
        if result.archive.problems.warnings:
            click.echo(_summarise_findings(result.archive.problems.counts()), err=True)
        for warning in caught:
            if "see archive.problems" not in str(warning.message):  # those were listed one by one
                click.echo(f"warning: {warning.message}", err=True)
    if as_json:
        click.echo(encode_reanalysis(result))
    elif not quiet:
        click.echo(describe_reanalysis(result))
        click.echo(f"Everything is in {out}.")


@click.command("demo", epilog="Examples:\n\n  selfinterp demo\n\n  selfinterp demo --out demo --force --seed 7")
@click.option("--out", default="demo", show_default=True, type=click.Path(path_type=Path), help="Folder to make.")
@click.option("--draws", default=4000, show_default=True, help="Posterior draws for each scenario (100 or more).")
@click.option("--seed", default=1, show_default=True, help="Seed of the simulation and of the analysis.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--force", is_flag=True, help="Replace OUT if it holds an earlier demo or reanalysis and nothing else.")
def demo_command(out: Path, draws: int, seed: int, quiet: bool, force: bool) -> None:
    """Simulate an experiment of the published study's size, analyse it, and print estimates beside the truth.

    Writes the folder OUT as `reanalyze` does, with the simulated trials in OUT/archive and the truth in truth.csv,
    true_weights.csv and true_reports.csv; estimates_and_truth.csv has the table that is printed.
    """
    from selfinterp_stats.demo import describe_demo, run_demo
    from selfinterp_stats.report import write_reanalysis
    from selfinterp_stats.report.folder import check_target

    started = time.perf_counter()
    check_target(Path(os.path.abspath(out)), force)
    with Steps(_STEPS, quiet=quiet) as steps:
        demo = run_demo(draws=draws, seed=seed, progress=steps.begin)
        steps.begin("writing trials, truth, tables, draws and figures")
        write_reanalysis(demo.result, out, force=force, run=_describe_run(started), add=demo.write_truth)
        steps.begin(f"done in {time.perf_counter() - started:.1f} s")
    if not quiet:
        click.echo(describe_demo(demo))
        click.echo(f"Everything is in {out}; the trials alone are in {out / 'archive'}.")


@click.command("check", epilog="Examples:\n\n  selfinterp check plunkett-2025\n\n  selfinterp check my-trials --strict")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print every finding as JSON.")
@click.option("--all", "show_all", is_flag=True, help="Show every finding, not the first few of a kind.")
def check_command(archive: Path, strict: bool, as_json: bool, show_all: bool) -> int:
    """Check the folder ARCHIVE without analysing it.

    Every finding says file, row (the header is row 1), column, what was found, what was expected and what to do. Exit
    status 2 if there is an error.
    """
    from selfinterp_stats.archive import check_archive

    problems = check_archive(archive)
    failed = bool(problems.errors or (strict and problems.warnings))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(p) for p in problems], indent=2, ensure_ascii=False))
    else:
        if len(problems):
            click.echo(problems.describe(per_kind=None if show_all else _PER_KIND))
            if not show_all:
                click.echo("(--all shows every finding)")
        errors, found = len(problems.errors), len(problems.warnings)
        click.echo(f"{archive}: {errors} error{'s' * (errors != 1)}, {found} warning{'s' * (found != 1)}")
    return 2 if failed else 0


@click.command("completion", epilog='Example:\n\n  eval "$(selfinterp completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the lines that teach a shell to complete this command."""
    generator = get_completion_class(shell)
    if generator is None:  # pragma: no cover - click knows all three
        raise click.UsageError(f"no completion for {shell}")
    click.echo(generator(context.find_root().command, {}, "selfinterp", "_SELFINTERP_COMPLETE").source())


def _describe_run(started: float) -> dict[str, object]:
    return {
        "seconds": round(time.perf_counter() - started, 3),
        "threads": os.environ.get("NUMBA_NUM_THREADS", "all"),
    }


def _summarise_findings(counts: pd.DataFrame) -> str:
    by_file = counts.groupby(["file", "kind"], sort=False)["count"].sum().reset_index()
    lines = [f"warning: {file}: {kind} ({count})" for file, kind, count in by_file.itertuples(index=False)]
    return "\n".join([*lines, "warning: `selfinterp check` explains each of them; attrition.csv counts them"])
