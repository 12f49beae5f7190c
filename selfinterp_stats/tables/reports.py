"""Reports: what a model says of its own weights, one row for each reply and attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from selfinterp_stats.errors import check_choice
from selfinterp_stats.tables.long import LongLayout, fold_long
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import TableSource, load_table
from selfinterp_stats.tables.scenarios import Scenarios

__all__ = ["REPORTERS", "SCALE", "Reports", "build_reports", "make_reports"]

REPORTERS = ("base", "preference-trained", "introspection-trained")
SCALE = 100.0
KEYS = ("base_model", "preferences", "reporter", "model", "scenario", "reply")
COLUMNS = (*KEYS, "slot", "attribute", "report", "status", "a", "b")

_SHARES_TOLERANCE = 1e-6

_LAYOUT = LongLayout(
    argument="reports",
    needed=("scenario", "reply", "attribute", "report"),
    optional=("base_model", "preferences", "reporter", "model", "status", "a", "b"),
    unit="reply",
    values=("report", "a", "b"),
    constant=("status",),
    labels=("reporter",),
)


@dataclass(frozen=True)
class Reports:
    """Validated reports.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row for each reply and attribute: ``base_model, preferences, reporter, model, scenario, reply, slot, attribute,
        report`` (on the scale that the model was asked for, -100 to 100), ``status`` ("valid" if the reply could be
        used), ``a, b`` (values of the attribute on the screen, NaN where unknown), then the condition columns.
    conditions : tuple of str
        Names of the condition columns.
    """

    frame: pd.DataFrame
    conditions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)


def make_reports(
    source: TableSource,
    scenarios: Scenarios,
    *,
    model: str = "model",
    reporter: str = "base",
    preferences: str = "native",
) -> Reports:
    """Validate reports given in long form.

    Parameters
    ----------
    source : pandas.DataFrame or path
        A data frame or CSV file with one row for each reply and attribute. Columns ``scenario, reply, attribute,
        report``, and if you have them ``model``, ``base_model``, ``preferences``, ``reporter``, ``status`` ("valid" for
        replies that can be used, anything else for refused or unparsed ones, whose report may be empty), ``a`` and ``b``
        (what was on the screen). Every further column is kept as a condition.
    scenarios : Scenarios
        The scenarios that the replies belong to.
    model, reporter, preferences : str
        Values for all rows where there is no such column. The base model is the model where it is not given. Reporters of
        the published study are "base", "preference-trained" and "introspection-trained"; other names are in order.

    Returns
    -------
    Reports
        The validated table.

    Raises
    ------
    DataError
        With every problem found.
    ArgumentError
        If an argument has no usable value.

    Examples
    --------
    >>> import pandas as pd
    >>> from selfinterp_stats import make_scenarios
    >>> scenarios = make_scenarios(pd.DataFrame({
    ...     "scenario": "flat", "attribute": ["rent", "distance"], "low": [400, 0], "high": [1600, 12]}))
    >>> reports = make_reports(pd.DataFrame({
    ...     "scenario": "flat", "reply": 1, "attribute": ["rent", "distance"], "report": [-100, -35]}), scenarios)
    >>> reports.frame[["scenario", "reply", "attribute", "report", "status"]]
      scenario reply attribute  report status
    0     flat     1      rent  -100.0  valid
    1     flat     1  distance   -35.0  valid
    """
    check_choice("preferences", preferences, ("native", "instilled"))
    problems = Problems()
    raw = load_table(source, problems, name="reports")
    defaults = {"model": model, "preferences": preferences, "reporter": reporter}
    entries, conditions = fold_long(raw, scenarios, problems, _LAYOUT, defaults)
    reports = build_reports(entries, conditions, scenarios, raw.file if raw is not None else "reports", problems)
    problems.raise_errors()
    return reports


def build_reports(
    entries: pd.DataFrame, conditions: Sequence[str], scenarios: Scenarios, file: str, problems: Problems
) -> Reports:
    """Check replies read from whichever layout and unfold them; findings go to `problems`.

    Parameters
    ----------
    entries : pandas.DataFrame
        One row for each reply: ``base_model, preferences, reporter, model, scenario, reply, status``, ``report_<slot>,
        a_<slot>, b_<slot>``, the conditions, and ``row`` for messages.
    conditions : sequence of str
        The condition columns among them.
    scenarios : Scenarios
        The scenarios; replies of other scenarios have been reported and are set aside here.
    file : str
        Name for messages.
    problems : Problems
        Where findings go.
    """
    columns = [*COLUMNS, *conditions]
    if entries.empty:
        return Reports(pd.DataFrame(columns=columns), tuple(conditions))
    entries = entries[entries["scenario"].isin(scenarios.names)].reset_index(drop=True)
    if entries.empty:
        return Reports(pd.DataFrame(columns=columns), tuple(conditions))
    _warn_odd_replies(entries, scenarios, file, problems)
    return Reports(_unfold(entries, conditions, scenarios)[columns], tuple(conditions))


def _warn_odd_replies(entries: pd.DataFrame, scenarios: Scenarios, file: str, problems: Problems) -> None:
    names = [f"report_{slot}" for slot in range(1, scenarios.n_slots + 1)]
    values = entries[names].to_numpy(dtype=np.float64)
    values = np.where((entries["status"] == "valid").to_numpy()[:, None], values, np.nan)
    answered = (~np.isnan(values)).sum(axis=1) > 1
    beyond = np.nan_to_num(np.abs(values)).max(axis=1, initial=0.0) > SCALE
    lowest = np.where(np.isnan(values), np.inf, values).min(axis=1, initial=np.inf)
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    total = np.nansum(values, axis=1)
    shares = answered & (lowest >= 0) & (np.abs(total - SCALE) < _SHARES_TOLERANCE)
    findings = (
        ("off-scale", beyond, f"-{SCALE:g} to {SCALE:g}", "it is kept as it stands, as in the published analysis"),
        ("all-equal", answered & (lowest == highest), "different weights", "the reply tells no attribute from another"),
        ("shares", shares, "weights, not shares of 100", "see whether the model took the scale for percentages"),
    )
    for kind, mask, expected, remedy in findings:
        for i in np.flatnonzero(mask):
            numbers = ", ".join(f"{v:.12g}" for v in values[i] if not np.isnan(v))
            problems.warn(
                kind,
                file,
                row=int(entries["row"].iloc[i]),
                found=f"a report of {numbers}",
                expected=expected,
                remedy=remedy,
                scenario=entries["scenario"].iloc[i],
            )


def _unfold(entries: pd.DataFrame, conditions: Sequence[str], scenarios: Scenarios) -> pd.DataFrame:
    attributes = [scenarios.attributes[name] for name in entries["scenario"]]
    place = np.concatenate([np.arange(len(names)) for names in attributes])
    reply = np.repeat(np.arange(len(entries)), [len(names) for names in attributes])
    long = entries[[*KEYS, "status", *conditions]].take(reply).reset_index(drop=True)
    long["slot"] = place + 1
    long["attribute"] = [name for names in attributes for name in names]
    for value in ("report", "a", "b"):
        columns = [f"{value}_{slot}" for slot in range(1, scenarios.n_slots + 1)]
        long[value] = entries[columns].to_numpy(dtype=np.float64)[reply, place]
    return long
