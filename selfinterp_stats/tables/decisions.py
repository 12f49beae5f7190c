"""Decisions: one row for each answered trial, with both options' values and which option was chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from selfinterp_stats.errors import check_choice
from selfinterp_stats.tables.long import LongLayout, fold_long
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import TableSource, load_table, show_cell
from selfinterp_stats.tables.scenarios import Scenarios

__all__ = ["PREFERENCES", "Decisions", "build_decisions", "make_decisions", "option_columns"]

PREFERENCES = ("instilled", "native")
KEYS = ("base_model", "preferences", "model", "scenario", "trial", "chosen")

ValueLabel = Callable[[str, int], str]

_LAYOUT = LongLayout(
    argument="decisions",
    needed=("scenario", "trial", "attribute", "a", "b", "chosen"),
    optional=("base_model", "preferences", "model", "p_a"),
    unit="trial",
    values=("a", "b"),
    constant=("chosen", "p_a"),
)


@dataclass(frozen=True)
class Decisions:
    """Validated decisions.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row for each trial: ``base_model, preferences, model, scenario, trial, chosen`` ("A", "B", or empty where only
        the probability is known), ``p_a`` (probability of choosing A, NaN where unknown), ``a_1 ... a_K, b_1 ... b_K``
        (the options' values in the attributes' units by slot, NaN beyond a scenario's last attribute), then the condition
        columns.
    conditions : tuple of str
        Names of the condition columns: every column of the source that has no meaning of its own.
    """

    frame: pd.DataFrame
    conditions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def n_slots(self) -> int:
        """Number of attribute slots that the columns provide for."""
        return sum(1 for column in self.frame.columns if str(column).startswith("a_") and str(column)[2:].isdigit())


def option_columns(n_slots: int) -> list[str]:
    """Names of the columns with the options' values, all of A before all of B."""
    return [f"{side}_{slot}" for side in "ab" for slot in range(1, n_slots + 1)]


def make_decisions(
    source: TableSource, scenarios: Scenarios, *, model: str = "model", preferences: str = "native"
) -> Decisions:
    """Validate decisions given in long form.

    Parameters
    ----------
    source : pandas.DataFrame or path
        A data frame or CSV file with one row for each trial and attribute. Columns ``scenario, trial, attribute, a, b,
        chosen``: the values of the attribute in option A and in option B, in the attribute's unit, and the option that
        was chosen, "A" or "B". If you have them: ``model``, ``base_model`` (the model before fine-tuning),
        ``preferences`` ("instilled" or "native") and ``p_a``, the probability of choosing A. A trial with ``p_a`` needs no
        ``chosen``. Every further column is kept as a condition, and ``fit_choices`` can group by it.
    scenarios : Scenarios
        The scenarios that the trials belong to.
    model : str
        Name of the model where there is no such column; it is the base model, too, where that is not given.
    preferences : {"native", "instilled"}
        Kind of preferences where there is no such column: instilled if the model was fine-tuned on these scenarios.

    Returns
    -------
    Decisions
        The validated table.

    Raises
    ------
    DataError
        With every problem found. What is a warning in an archive (values outside the declared range, answers on one
        side only) raises nothing here; ``fit_choices`` handles such data.
    ArgumentError
        If an argument has no usable value.

    Examples
    --------
    >>> import pandas as pd
    >>> from selfinterp_stats import make_scenarios
    >>> scenarios = make_scenarios(pd.DataFrame({
    ...     "scenario": "flat", "attribute": ["rent", "distance"], "low": [400, 0], "high": [1600, 12]}))
    >>> decisions = make_decisions(pd.DataFrame({
    ...     "scenario": "flat", "trial": [1, 1, 2, 2], "attribute": ["rent", "distance"] * 2,
    ...     "a": [900, 3, 700, 8], "b": [650, 9, 1200, 1], "chosen": ["B", "B", "A", "A"]}), scenarios)
    >>> decisions.frame[["scenario", "trial", "chosen", "a_1", "b_1"]]
      scenario trial chosen    a_1     b_1
    0     flat     1      B  900.0   650.0
    1     flat     2      A  700.0  1200.0
    """
    check_choice("preferences", preferences, ("native", "instilled"))
    problems = Problems()
    raw = load_table(source, problems, name="decisions")
    layout = _LAYOUT
    if raw is not None and "p_a" in raw.columns and "chosen" not in raw.columns:
        layout = replace(_LAYOUT, needed=tuple(name for name in _LAYOUT.needed if name != "chosen"))
    defaults = {"model": model, "preferences": preferences}
    entries, conditions = fold_long(raw, scenarios, problems, layout, defaults)
    decisions = build_decisions(entries, conditions, scenarios, raw.file if raw is not None else "decisions", problems)
    problems.raise_errors()
    return decisions


def _long_label(side: str, slot: int) -> str:
    return f"{side} (attribute {slot})"


def build_decisions(
    entries: pd.DataFrame,
    conditions: Sequence[str],
    scenarios: Scenarios,
    file: str,
    problems: Problems,
    label: ValueLabel = _long_label,
    choice_column: str = "chosen",
    choice_needed: bool = False,
) -> Decisions:
    """Check trials read from whichever layout; findings go to `problems`.

    Parameters
    ----------
    entries : pandas.DataFrame
        Columns of :class:`Decisions` and ``row`` for messages. NaN where a value was expected has been reported.
    conditions : sequence of str
        The condition columns among them.
    scenarios : Scenarios
        The scenarios; rows of other scenarios have been reported and are set aside here.
    file : str
        Name for messages.
    problems : Problems
        Where findings go.
    label : callable
        Name, for messages, of the column with the value of option "a" or "b" in a slot.
    choice_column : str
        Name, for messages, of the column with the choice.
    choice_needed : bool
        Whether a trial has to have a choice although it has a probability.
    """
    n_slots = scenarios.n_slots
    columns = [*KEYS, "p_a", *option_columns(n_slots), *conditions]
    if entries.empty:
        return Decisions(pd.DataFrame(columns=columns), tuple(conditions))
    entries = entries[entries["scenario"].isin(scenarios.names)]
    _report_choices(entries, file, problems, choice_column, choice_needed)
    _report_probabilities(entries, file, problems)
    _report_doubled_trials(entries, conditions, file, problems)
    _warn_outside_range(entries, scenarios, file, problems, label)
    _warn_thin_scenarios(entries, scenarios, file, problems)
    return Decisions(entries[columns].reset_index(drop=True), tuple(conditions))


def _report_choices(entries: pd.DataFrame, file: str, problems: Problems, column: str, needed: bool) -> None:
    # None stands in every row of a file without the column, which has been reported
    probable = (entries["chosen"] == "") & entries["p_a"].notna() & (not needed)
    wrong = entries[~entries["chosen"].isin(["A", "B"]) & entries["chosen"].notna() & ~probable]
    for row, scenario, chosen in wrong[["row", "scenario", "chosen"]].itertuples(index=False):
        problems.error(
            "bad-choice",
            file,
            row=int(row),
            column=column,
            found=show_cell(chosen) if chosen else "an empty cell",
            expected="A or B",
            remedy="correct the cell, or remove the trial if it has no answer",
            scenario=scenario,
        )


def _report_probabilities(entries: pd.DataFrame, file: str, problems: Problems) -> None:
    outside = entries[(entries["p_a"] < 0) | (entries["p_a"] > 1)]
    for row, scenario, value in outside[["row", "scenario", "p_a"]].itertuples(index=False):
        problems.error(
            "bad-probability",
            file,
            row=int(row),
            column="p_a",
            found=f"{value:g}",
            expected="a probability from 0 to 1",
            remedy="give the probability of choosing A, not its logarithm or a percentage",
            scenario=scenario,
        )


def _report_doubled_trials(entries: pd.DataFrame, conditions: Sequence[str], file: str, problems: Problems) -> None:
    # The same trial asked under two conditions is a paired design, not a mistake: conditions belong to the key. Columns in
    # which almost every row has a value of its own (a prompt, a time) are notes, and would hide every copy.
    telling = [name for name in conditions if entries[name].nunique() <= len(entries) / 2]
    key = ["base_model", "preferences", "model", *telling, "scenario", "trial"]
    doubled = entries[entries.duplicated(key)]
    for row, scenario, trial in doubled[["row", "scenario", "trial"]].itertuples(index=False):
        problems.error(
            "doubled-trial",
            file,
            row=int(row),
            column="trial",
            found=f"trial {trial} of {scenario!r} again",
            expected="each trial once",
            remedy="give each trial an id of its own or remove the copy",
            scenario=scenario,
        )


def _warn_outside_range(
    entries: pd.DataFrame, scenarios: Scenarios, file: str, problems: Problems, label: ValueLabel
) -> None:
    low, high = scenarios.ranges(list(entries["scenario"]))
    for side in "ab":
        values = entries[[f"{side}_{slot}" for slot in range(1, scenarios.n_slots + 1)]].to_numpy(dtype=np.float64)
        for i, j in np.argwhere((values < low) | (values > high)):
            problems.warn(
                "value-outside-range",
                file,
                row=int(entries["row"].iloc[i]),
                column=label(side, int(j) + 1),
                found=f"{values[i, j]:.12g}",
                expected=f"{low[i, j]:.12g} to {high[i, j]:.12g}",
                remedy="it is analysed as it stands; correct the value or the range",
                scenario=entries["scenario"].iloc[i],
            )


def _warn_thin_scenarios(entries: pd.DataFrame, scenarios: Scenarios, file: str, problems: Problems) -> None:
    needed = scenarios.n_attributes
    keys = ["base_model", "preferences", "model", "scenario"]
    answered = entries[entries["chosen"].isin(["A", "B"]) | entries["p_a"].notna()]
    is_a = np.where(answered["chosen"].isin(["A", "B"]), answered["chosen"] == "A", answered["p_a"] > 0.5)
    shares = answered.assign(is_a=is_a).groupby(keys, sort=False)["is_a"].agg(["size", "mean"])
    for (_, _, _, scenario), (size, share) in zip(shares.index, shares.to_numpy(), strict=True):
        if size < needed[scenario]:
            problems.warn(
                "few-trials",
                file,
                found=f"{int(size)} trial{'s' if size != 1 else ''} of {scenario!r}",
                expected=f"at least {needed[scenario]}, one for each attribute",
                remedy="its weights come mostly from the prior; collect more trials",
                scenario=scenario,
            )
        if share in (0.0, 1.0):
            problems.warn(
                "one-sided",
                file,
                found=f"{'A' if share else 'B'} in every trial of {scenario!r}",
                expected="both answers",
                remedy="its weights say little; see whether the model answers by place",
                scenario=scenario,
            )
