"""Tables for a screen."""

from __future__ import annotations

import json
import math

import pandas as pd

from selfinterp_stats.correlation import ConditionComparison
from selfinterp_stats.diagnostics import VERDICTS
from selfinterp_stats.report.reanalysis import Reanalysis

__all__ = ["align_columns", "describe_reanalysis", "encode_reanalysis"]


def describe_reanalysis(result: Reanalysis) -> str:
    """The table that a reader looks for first, as text."""
    table = result.correlations_table()
    prob = f"{result.correlations.prob:.0%} HDI"
    lines = []
    if len(table):
        shown = pd.DataFrame(
            {
                "base model": table["base_model"],
                "preferences": table["preferences"],
                **_show_condition(table),
                "reports of": table["reporter"],
                "weights": table["n_weights"].astype(str),
                "r": table["pearson_r"].map(_number),
                f"slope, {prob}": [
                    f"{_number(m)} {_interval(lo, hi)}"
                    for m, lo, hi in table[["slope_median", "slope_hdi_low", "slope_hdi_high"]].itertuples(index=False)
                ],
                f"r, scenarios resampled, {prob}": [
                    _interval(lo, hi) for lo, hi in table[["cluster_r_low", "cluster_r_high"]].itertuples(index=False)
                ],
            }
        )
        lines += ["Used against reported weights", align_columns(shown)]
    else:
        lines.append("No reports to correlate with.")
    for _, row in result.instillation_table().iterrows():
        whose = ", ".join(str(row[key]) for key in ("base_model", "condition") if key in row)
        lines.append(
            f"Used against target weights, {whose}: r = {_number(row['pearson_r'])} "
            f"{_interval(row['cluster_r_low'], row['cluster_r_high'])}, {row['n_weights']} weights"
        )
    lines += _describe_training(result)
    if result.comparison is not None:
        lines += [*_describe_conditions(result.comparison)]
    lines += [_describe_verdicts(result), _describe_checks(result)]
    return "\n".join(lines)


def _describe_training(result: Reanalysis) -> list[str]:
    """Contrasts of all introspection-trained models together; those of single models are in the table only."""
    table = result.contrasts_table()
    table = table[~table["contrast"].str.contains("(", regex=False)]
    if table.empty:
        return []
    shown = pd.DataFrame(
        {
            "preferences": table["preferences"],
            **_show_condition(table),
            "method": table["method"],
            f"slope after less before, {result.training.prob:.0%} HDI": [
                f"{_number(m)} {_interval(lo, hi)}"
                for m, lo, hi in table[["estimate_median", "hdi_low", "hdi_high"]].itertuples(index=False)
            ],
        }
    )
    return ["Effect of introspection training", align_columns(shown), *result.training.notes]


def _show_condition(table: pd.DataFrame) -> dict[str, pd.Series]:
    return {"condition": table["condition"]} if "condition" in table else {}


def _describe_conditions(comparison: ConditionComparison) -> list[str]:
    table = comparison.table
    prob = f"{comparison.prob:.0%} HDI"
    shown = {key: table[key] for key in ("base_model", "preferences", "condition_a", "condition_b")}
    for measure in ("r", "cosine"):
        columns = table[[f"{measure}_median", f"{measure}_hdi_low", f"{measure}_hdi_high"]]
        shown[f"{measure}, {prob}"] = pd.Series(
            [f"{_number(m)} {_interval(lo, hi)}" for m, lo, hi in columns.itertuples(index=False)], index=table.index
        )
    flips = zip(table["sign_flips_expected"], table["n_weights"], strict=True)
    shown["signs expected to differ"] = pd.Series([f"{found:.1f} of {n}" for found, n in flips], index=table.index)
    frame = pd.DataFrame(shown).rename(columns=lambda name: name.replace("_", " "))
    return ["Used weights under different conditions, scenarios resampled", align_columns(frame)]


def encode_reanalysis(result: Reanalysis) -> str:
    """Correlations, instillation and contrasts as JSON; what is not identified is null."""
    tables = {
        "correlations": result.correlations_table(),
        "instillation": result.instillation_table(),
        "contrasts": result.contrasts_table(),
        "check_counts": result.check_counts_table(),
    }
    conditions = result.conditions_table()
    if conditions is not None:
        tables["conditions"] = conditions
    return json.dumps({name: _records(table) for name, table in tables.items()}, indent=2, ensure_ascii=False)


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    for record in table.to_dict("records"):
        records.append({str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in record.items()})
    return records


def _describe_verdicts(result: Reanalysis) -> str:
    contexts, overall = result.checks.contexts, result.checks.overall
    counts = contexts["verdict"].value_counts()
    named = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts)
    losses = overall["log_loss_out"]
    span = _number(losses.min()) if len(losses) == 1 else f"{_number(losses.min())} to {_number(losses.max())}"
    return f"Decisions: {named}; log loss out of sample {span} (a coin has 0.69). checks.csv has every scenario."


def _describe_checks(result: Reanalysis) -> str:
    contexts = result.fit.contexts
    exact = contexts[contexts["sampler"] == "slice"]
    text = (
        f"{len(contexts)} scenarios fitted; k-hat up to {contexts['k_hat'].max():.2f}, "
        f"effective sample size from {contexts['ess'].min():.0f}"
    )
    if len(exact):
        names = ", ".join(exact["scenario"].astype(str)[:5]) + (" ..." if len(exact) > 5 else "")
        text += f"; the exact sampler took over in {len(exact)}: {names}"
    return text + "."


def _number(value: float) -> str:
    return "not identified" if math.isnan(value) else f"{value:.2f}"


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"[{low:.2f}, {high:.2f}]"


def align_columns(frame: pd.DataFrame) -> str:
    """A table of text, columns flush left."""
    columns = [[name, *frame[name].astype(str)] for name in frame.columns]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
