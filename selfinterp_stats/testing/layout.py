"""An archive as files of the published layout, in memory, so that they can be damaged or written anywhere."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from selfinterp_stats.archive import Archive
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.tables import Scenarios

__all__ = ["encode_published", "write_files"]

# Contents by name; None stands for a folder of that name.
Files = dict[str, bytes | None]

_STAGES = {"base": "", "preference-trained": "_instilled"}


def encode_published(archive: Archive) -> Files:
    """Files that hold an archive in the published layout.

    The layout knows three stages of training and no replies but valid ones; the latter are left out, as they were left
    out of the published files.

    Parameters
    ----------
    archive : Archive
        For example ``simulate_experiment(...).archive``.

    Returns
    -------
    dict of str to bytes
        Contents by file name.

    Raises
    ------
    ArgumentError
        If a reporter or a model's name cannot be said in this layout.

    Examples
    --------
    >>> from selfinterp_stats import load_scenarios, simulate_experiment
    >>> files = encode_published(simulate_experiment(load_scenarios(topics=["travel"]), n_trials=(5, 5)).archive)
    >>> sorted(files)[:3]
    ['agent_instilled_latent_selections.csv', 'agent_instilled_latent_weight_reports.csv', 'agent_instilled_selections.csv']
    """
    scenarios = archive.scenarios
    slots = range(1, scenarios.n_slots + 1)
    files: Files = {
        "scenarios.csv": _encode_scenarios(scenarios),
        "candidate_scenarios.json": _encode_units(scenarios),
    }
    if len(archive.targets):
        wide = archive.targets.frame.pivot(index="scenario", columns="slot", values="target").reindex(columns=list(slots))
        order = [name for name in scenarios.names if name in wide.index]
        files["instilled_weights.csv"] = _encode(
            ["scenario", *(f"attr{j}" for j in slots)], [[name, *wide.loc[name]] for name in order]
        )
    for (model, preferences), group in archive.decisions.frame.groupby(["base_model", "preferences"], sort=False):
        latent = "_latent" if preferences == "native" else ""
        name = _check_name(f"{model}_instilled{latent}_selections.csv")
        files[name] = _encode_decisions(group, archive.decisions.conditions, slots)
    keys = ["base_model", "preferences", "reporter", "model"]
    valid = archive.reports.frame[archive.reports.frame["status"] == "valid"]
    for (base, preferences, reporter, model), group in valid.groupby(keys, sort=False):
        latent = "_latent" if preferences == "native" else ""
        name = _check_name(f"{base}{_name_stage(str(reporter), str(model))}{latent}_weight_reports.csv")
        if name in files:
            raise ArgumentError(
                "archive",
                expected="one model at each stage of training, and names that differ in letters or digits",
                got=f"two for {name}",
                remedy="use Archive.write",
            )
        files[name] = _encode_reports(group, archive.reports.conditions, slots)
    return files


def write_files(files: Mapping[str, bytes | None], folder: Path) -> Path:
    """Write files into a folder, which is made if it is not there; None makes a folder in a file's place."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)
    return folder


def _name_stage(reporter: str, model: str) -> str:
    if reporter in _STAGES:
        return _STAGES[reporter]
    if reporter == "introspection-trained":
        return f"_itrained_{re.sub(r'[^A-Za-z0-9]+', '_', model)}"
    raise ArgumentError(
        "archive",
        expected="reporters named base, preference-trained or introspection-trained",
        got=repr(reporter),
        remedy="Archive.write keeps any reporter",
    )


def _check_name(name: str) -> str:
    if "/" in name or "\x00" in name:
        raise ArgumentError(
            "archive", expected="names of models that a file can have", got=repr(name), remedy="use Archive.write"
        )
    return name


def _encode_scenarios(scenarios: Scenarios) -> bytes:
    slots = range(1, scenarios.n_slots + 1)
    header = ["scenario", "question", *(f"attr{j}" for j in slots)]
    header += [f"attr{j}_min" for j in slots] + [f"attr{j}_max" for j in slots]
    rows = []
    for name, group in scenarios.frame.groupby("scenario", sort=False):
        padding = [""] * (scenarios.n_slots - len(group))
        columns = [[*group[column], *padding] for column in ("attribute", "low", "high")]
        rows.append([name, group["question"].iloc[0], *columns[0], *columns[1], *columns[2]])
    return _encode(header, rows)


def _encode_units(scenarios: Scenarios) -> bytes:
    candidates = [
        {
            "short_name": name,
            "question": group["question"].iloc[0],
            "attributes": [
                {"name": attribute, "units": unit, "range": [low, high]}
                for attribute, unit, low, high in group[["attribute", "unit", "low", "high"]].itertuples(index=False)
            ],
        }
        for name, group in scenarios.frame.groupby("scenario", sort=False)
    ]
    return json.dumps(candidates, indent=1, ensure_ascii=False).encode()


def _encode_decisions(group: pd.DataFrame, conditions: Sequence[str], slots: range) -> bytes:
    columns = {"model": "model", "scenario": "scenario", "chosen": "selection"}
    columns |= {f"{side}_{j}": f"{side.upper()}_attribute_{j}" for side in "ab" for j in slots}
    if group["p_a"].notna().any():
        columns["p_a"] = "p_a"
    return _encode([*columns.values(), *conditions], group[[*columns, *conditions]].to_numpy(dtype=object).tolist())


def _encode_reports(group: pd.DataFrame, conditions: Sequence[str], slots: range) -> bytes:
    keys = ["scenario", "reply"]
    order = group[keys].drop_duplicates()
    columns = [(name, j) for name in ("report", "a", "b") for j in slots]
    wide = group.pivot(index=keys, columns="slot", values=["report", "a", "b"]).reindex(
        index=pd.MultiIndex.from_frame(order), columns=pd.MultiIndex.from_tuples(columns)
    )
    first = group.drop_duplicates(keys)
    header = ["explaining_model", "scenario", *(f"report_attr{j}" for j in slots)]
    header += [f"{side}_attribute_{j}" for side in "AB" for j in slots]
    rows = [
        [model, scenario, *values, *rest]
        for model, scenario, values, rest in zip(
            first["model"],
            first["scenario"],
            wide.to_numpy(),
            first[list(conditions)].to_numpy(dtype=object),
            strict=True,
        )
    ]
    return _encode([*header, *conditions], rows)


def _encode(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_show(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


def _show(cell: object) -> object:
    if not isinstance(cell, (float, np.floating)):
        return cell
    return "" if np.isnan(cell) else np.format_float_positional(cell, trim="-")
