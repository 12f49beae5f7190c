"""Targets: the weights that a model was fine-tuned to use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import RawTable, TableSource, load_table
from selfinterp_stats.tables.scenarios import Scenarios

__all__ = ["Targets", "build_targets", "make_targets"]

COLUMNS = ("scenario", "slot", "attribute", "target")


@dataclass(frozen=True)
class Targets:
    """Validated target weights.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row for each scenario and attribute: ``scenario, slot, attribute, target`` (-100 to 100, the largest absolute
        value of a scenario being 100).
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)


def make_targets(source: TableSource, scenarios: Scenarios) -> Targets:
    """Validate target weights given in long form.

    Parameters
    ----------
    source : pandas.DataFrame or path
        A data frame or CSV file with one row for each scenario and attribute: ``scenario, attribute, target``.
    scenarios : Scenarios
        The scenarios that they belong to.

    Returns
    -------
    Targets
        The validated table.

    Raises
    ------
    DataError
        With every problem found.
    ArgumentError
        If the source is neither a data frame nor a file.

    Examples
    --------
    >>> import pandas as pd
    >>> from selfinterp_stats import make_scenarios
    >>> scenarios = make_scenarios(pd.DataFrame({
    ...     "scenario": "flat", "attribute": ["rent", "distance"], "low": [400, 0], "high": [1600, 12]}))
    >>> targets = make_targets(pd.DataFrame({
    ...     "scenario": "flat", "attribute": ["rent", "distance"], "target": [-100, -40]}), scenarios)
    >>> targets.frame["target"].tolist()
    [-100.0, -40.0]
    """
    problems = Problems()
    raw = load_table(source, problems, name="targets")
    entries = pd.DataFrame()
    remedy = "name the columns scenario, attribute, target"
    if raw is not None and raw.require(("scenario", "attribute", "target"), problems, remedy=remedy):
        entries = _entries_of_long(raw, scenarios, problems)
    targets = build_targets(entries, scenarios, raw.file if raw is not None else "targets", problems)
    problems.raise_errors()
    return targets


def _entries_of_long(raw: RawTable, scenarios: Scenarios, problems: Problems) -> pd.DataFrame:
    entries = pd.DataFrame(
        {
            "scenario": raw.text("scenario"),
            "attribute": raw.text("attribute"),
            "target": raw.numbers("target", problems),
            "row": raw.rows,
            "column": "target",
        }
    )
    known = scenarios.frame[["scenario", "attribute", "slot"]]
    return entries.merge(known, on=["scenario", "attribute"], how="left")


def build_targets(entries: pd.DataFrame, scenarios: Scenarios, file: str, problems: Problems) -> Targets:
    """Check target weights read from whichever layout; findings go to `problems`.

    Parameters
    ----------
    entries : pandas.DataFrame
        ``scenario, slot, attribute, target`` and, for messages, ``row`` and ``column``; slot is NaN for an attribute that
        the scenario does not have.
    scenarios : Scenarios
        The scenarios.
    file : str
        Name for messages.
    problems : Problems
        Where findings go.
    """
    if entries.empty:
        return Targets(_empty_template().copy())
    for _, entry in entries[entries["slot"].isna()].iterrows():
        problems.error(
            "wrong-attribute",
            file,
            row=int(entry["row"]),
            column=entry["column"],
            found=f"{entry['attribute']!r} of {entry['scenario']!r}",
            expected="a scenario and attribute of the table of scenarios",
            remedy="correct the name or declare it",
            scenario=entry["scenario"],
        )
    known = entries[entries["slot"].notna()]
    doubled = known.duplicated(["scenario", "slot"])
    for row, column, scenario, attribute in known.loc[doubled, ["row", "column", "scenario", "attribute"]].itertuples(
        index=False
    ):
        problems.error(
            "doubled-scenario",
            file,
            row=int(row),
            column=column,
            found=f"a second target for {attribute!r} of {scenario!r}",
            expected="one target for each attribute",
            remedy="remove one of the rows",
            scenario=scenario,
        )
    known = known[~doubled & known["scenario"].isin(scenarios.names)]
    frame = known[list(COLUMNS)].astype({"slot": np.int64}).reset_index(drop=True)
    return Targets(frame)


@cache  # building it costs more than reading a small file
def _empty_template() -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(dtype="float64") for name in COLUMNS})
    return frame.astype({"scenario": "str", "attribute": "str", "slot": "int64"})
