"""Scenarios: the choice contexts, their attributes and the range of each attribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import RawTable, TableSource, load_table

__all__ = ["MAX_ATTRIBUTES", "MIN_ATTRIBUTES", "Scenarios", "build_scenarios", "make_scenarios"]

MIN_ATTRIBUTES = 2
MAX_ATTRIBUTES = 20
_NARROWEST = 1e-50  # the width of a range is divided by

COLUMNS = ("scenario", "question", "slot", "attribute", "unit", "low", "high")


@dataclass(frozen=True)
class Scenarios:
    """Validated choice contexts.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row for each scenario and attribute: ``scenario, question, slot, attribute, unit, low, high``. Slots count
        from 1 in the order in which the attributes were given; low and high are in the attribute's unit.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def names(self) -> list[str]:
        """Names of the scenarios, in the order given."""
        return list(self.attributes)

    @cached_property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Attributes of each scenario, in the order of their slots."""
        grouped: dict[str, list[str]] = {}
        for name, attribute in zip(self.frame["scenario"], self.frame["attribute"], strict=True):
            grouped.setdefault(str(name), []).append(str(attribute))
        return {name: tuple(attributes) for name, attributes in grouped.items()}

    @cached_property
    def n_attributes(self) -> dict[str, int]:
        """Number of attributes of each scenario."""
        return {name: len(attributes) for name, attributes in self.attributes.items()}

    @cached_property
    def n_slots(self) -> int:
        """Largest number of attributes that a scenario has."""
        return max(self.n_attributes.values(), default=0)

    def ranges(self, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high end of every attribute of the named scenarios.

        Returns
        -------
        low, high : numpy.ndarray
            Shape (len(names), n_slots), in the attributes' units; NaN beyond a scenario's last attribute.
        """
        low = np.full((len(names), self.n_slots), np.nan)
        high = np.full_like(low, np.nan)
        place: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            place.setdefault(name, []).append(i)
        for name, slot, lo, hi in self.frame[["scenario", "slot", "low", "high"]].itertuples(index=False):
            for i in place.get(name, ()):
                low[i, slot - 1] = lo
                high[i, slot - 1] = hi
        return low, high


def make_scenarios(source: TableSource) -> Scenarios:
    """Validate scenarios given in long form.

    Parameters
    ----------
    source : pandas.DataFrame or path
        A data frame or CSV file with one row for each scenario and attribute. Columns ``scenario, attribute, low,
        high``, and if you have them ``question`` and ``unit``. Low and high are the ends of the attribute's range in
        its own unit; differences between options are divided by high - low.

    Returns
    -------
    Scenarios
        The validated table.

    Raises
    ------
    DataError
        With every problem found: missing columns, numbers that are none, an attribute set twice, a range of zero width
        or upside down, fewer than 2 or more than 20 attributes.
    ArgumentError
        If the source is neither a data frame nor a file.

    Examples
    --------
    >>> import pandas as pd
    >>> scenarios = make_scenarios(pd.DataFrame({
    ...     "scenario": ["flat", "flat"], "attribute": ["rent", "distance"], "low": [400, 0], "high": [1600, 12]}))
    >>> scenarios.n_attributes
    {'flat': 2}
    """
    problems = Problems()
    raw = load_table(source, problems, name="scenarios")
    entries = pd.DataFrame()
    remedy = "name the columns scenario, attribute, low, high (and question, unit)"
    if raw is not None and raw.require(("scenario", "attribute", "low", "high"), problems, remedy=remedy):
        entries = _entries_of_long(raw, problems)
    scenarios, _ = build_scenarios(entries, raw.file if raw is not None else "scenarios", problems)
    problems.raise_errors()
    return scenarios


def _entries_of_long(raw: RawTable, problems: Problems) -> pd.DataFrame:
    blank = np.full(len(raw), "", dtype=object)
    entries = pd.DataFrame(
        {
            "scenario": raw.text("scenario"),
            "question": raw.text("question") if "question" in raw.columns else blank,
            "attribute": raw.text("attribute"),
            "unit": raw.text("unit") if "unit" in raw.columns else blank,
            "low": raw.numbers("low", problems),
            "high": raw.numbers("high", problems),
            "row": raw.rows,
            "attribute_column": "attribute",
            "high_column": "high",
        }
    )
    entries.insert(2, "slot", entries.groupby("scenario", sort=False).cumcount() + 1)
    return entries


def build_scenarios(entries: pd.DataFrame, file: str, problems: Problems) -> tuple[Scenarios, set[str]]:
    """Check entries read from whichever layout and make the table of those that are in order.

    Parameters
    ----------
    entries : pandas.DataFrame
        Columns of :class:`Scenarios` and, for messages, ``row``, ``attribute_column`` and ``high_column``. NaN ranges
        have been reported already.
    file : str
        Name for messages.
    problems : Problems
        Where findings go.

    Returns
    -------
    scenarios : Scenarios
        The scenarios without a finding.
    spoiled : set of str
        Names of the others, so that rows of other files that mention them are not called unknown.
    """
    if entries.empty:
        return Scenarios(_empty_template().copy()), set()
    bad = entries[["low", "high"]].isna().any(axis=1).to_numpy()
    bad = bad | _report_names(entries, file, problems)
    bad = bad | _report_counts(entries, file, problems)
    bad = bad | _report_ranges(entries, file, problems)
    spoiled = {str(name) for name in entries.loc[bad, "scenario"]}
    named = entries["scenario"] != ""
    frame = entries.loc[~entries["scenario"].isin(spoiled) & named, list(COLUMNS)].reset_index(drop=True)
    return Scenarios(frame.astype({"slot": "int64", "low": "float64", "high": "float64"})), spoiled - {""}


def _report_names(entries: pd.DataFrame, file: str, problems: Problems) -> NDArray[np.bool_]:
    nameless = (entries["scenario"] == "").to_numpy()
    blank = (entries["attribute"] == "").to_numpy()
    doubled = entries.duplicated(["scenario", "attribute"]).to_numpy() & ~blank & ~nameless
    for i in np.flatnonzero(nameless & ~entries.duplicated("row").to_numpy()):
        problems.error(
            "missing-value",
            file,
            row=int(entries["row"].iloc[i]),
            column="scenario",
            found="an empty cell",
            expected="the scenario's name",
            remedy="name the scenario or remove the row",
        )
    for i in np.flatnonzero((blank | doubled) & ~nameless):
        entry = entries.iloc[i]
        problems.error(
            "missing-value" if blank[i] else "doubled-attribute",
            file,
            row=int(entry["row"]),
            column=entry["attribute_column"],
            found="an empty cell" if blank[i] else f"{entry['attribute']!r} again",
            expected="the attribute's name" if blank[i] else f"each attribute of {entry['scenario']!r} once",
            remedy="name the attribute" if blank[i] else "rename or remove one of them",
            scenario=entry["scenario"],
        )
    return nameless | blank | doubled


def _report_counts(entries: pd.DataFrame, file: str, problems: Problems) -> NDArray[np.bool_]:
    counts = Counter(entries["scenario"])
    odd = {name for name, count in counts.items() if not MIN_ATTRIBUTES <= count <= MAX_ATTRIBUTES} - {""}
    wrong = np.array([name in odd for name in entries["scenario"]], dtype=bool)
    if not odd:
        return wrong
    for _, entry in entries[wrong].drop_duplicates("scenario").iterrows():
        count = counts[entry["scenario"]]
        problems.error(
            "attribute-count",
            file,
            row=int(entry["row"]),
            column=entry["attribute_column"],
            found=f"{count} attribute{'s' if count != 1 else ''} in scenario {entry['scenario']!r}",
            expected=f"from {MIN_ATTRIBUTES} to {MAX_ATTRIBUTES}",
            remedy="add or remove attributes, or remove the scenario",
            scenario=entry["scenario"],
        )
    return wrong


def _report_ranges(entries: pd.DataFrame, file: str, problems: Problems) -> NDArray[np.bool_]:
    wrong = entries["high"].to_numpy() - entries["low"].to_numpy() < _NARROWEST
    for _, entry in entries[wrong].iterrows():
        problems.error(
            "bad-range",
            file,
            row=int(entry["row"]),
            column=entry["high_column"],
            found=f"a range from {entry['low']:.12g} to {entry['high']:.12g}",
            expected="a high end above the low end",
            remedy="correct the range; differences between options are divided by its width",
            scenario=entry["scenario"],
        )
    return np.asarray(wrong)


@cache  # building it costs more than reading a small file
def _empty_template() -> pd.DataFrame:
    frame = pd.DataFrame({column: pd.Series(dtype="str") for column in COLUMNS})
    return frame.astype({"slot": "int64", "low": "float64", "high": "float64"})
