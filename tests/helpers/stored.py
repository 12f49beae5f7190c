"""A small archive for tests of the format of our own, and files of it made by hand."""

from __future__ import annotations

import hashlib
import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from helpers.experiments import WORDS, choose, simulate
from selfinterp_stats import (
    Archive,
    Problems,
    SelfInterpWarning,
    check_archive,
    make_decisions,
    make_reports,
    make_scenarios,
    make_targets,
    read_archive,
)

TABLES = ("scenarios", "decisions", "reports", "targets")
FILES = [f"{table}.parquet" for table in TABLES]


def tiny(n_trials=8):
    """Three scenarios with 2, 3 and 5 attributes, conditions of every type, probabilities, and a refused reply."""
    drawn = simulate(n_scenarios=3, n_attributes=(2, 3, 5), seed=6)
    rng = np.random.default_rng(6)
    scenarios, decisions, reports, targets = [], [], [], []
    for name, low, high, weights in zip(drawn.names, drawn.low, drawn.high, drawn.weights["instilled"], strict=True):
        attributes = list(WORDS[: len(low)])
        base = {"scenario": name, "attribute": attributes}
        labels = {"base_model": "agent-1", "model": "ft:agent-1:é", "preferences": "instilled"}
        question = f"Which {name}?"
        scenarios.append(pd.DataFrame({**base, "question": question, "unit": " €", "low": low, "high": high}))
        targets.append(pd.DataFrame({**base, "target": weights}))
        for t in range(n_trials):
            a, b = np.round(rng.uniform(low, high, (2, len(low))), 1)
            x = ((a - b) / (high - low))[None]
            conditions = {
                "prompt": "two\nlines, and a comma" if t % 2 else "",
                "seed_used": np.int32(t // 4),
                "temperature": np.nan if t % 3 else 0.7,
                "trigger": t % 2 == 0,
                "at": np.datetime64("2026-11-21T10:00", "us"),
            }
            choice = {"chosen": choose(x, weights, 6.0, 0.3, rng)[0], "p_a": np.nan if t % 2 else round(rng.random(), 3)}
            decisions.append(pd.DataFrame({**base, **labels, "trial": f"t{t}", "a": a, "b": b, **choice, **conditions}))
        for r, (status, reply) in enumerate([("valid", weights), ("refused", np.nan), ("valid", -weights)]):
            row = {**base, **labels, "reporter": "preference-trained", "reply": r, "report": reply, "status": status}
            seen = {"a": low, "b": high, "count": r} if r else {"a": np.nan, "b": np.nan, "count": r}
            reports.append(pd.DataFrame({**row, **seen}))
    table = make_scenarios(pd.concat(scenarios))
    # make_scenarios takes the blank away; the published layout keeps it
    table.frame["unit"] = " €"
    return Archive(
        path=None,
        scenarios=table,
        decisions=make_decisions(pd.concat(decisions), table),
        reports=make_reports(pd.concat(reports), table),
        targets=make_targets(pd.concat(targets), table),
        problems=Problems(),
    )


def read(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        return read_archive(folder)


def found(folder, severity="error"):
    return [(p.kind, p.file, p.row, p.column) for p in check_archive(folder) if p.severity == severity]


def assert_same(before, after):
    for table in TABLES:
        one, other = getattr(before, table), getattr(after, table)
        pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)
        assert getattr(one, "conditions", ()) == getattr(other, "conditions", ())


def change_manifest(folder, change):
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    content = change(content) or content
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")


def make_by_hand(folder, table, change):
    """Put another Parquet file in a table's place, with a manifest that agrees."""
    path = folder / f"{table}.parquet"
    arrow = change(pq.read_table(path))
    pq.write_table(arrow, path)

    def agree(content):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content["tables"][table] |= {"sha256": digest, "rows": arrow.num_rows}

    change_manifest(folder, agree)


def with_cell(row, column, value):
    """A change to one cell; the first row is 2. The column keeps its type."""

    def change(arrow):
        cells = arrow.column(column).to_pylist()
        cells[row - 2] = value
        kept = arrow.schema.field(column).type
        return arrow.set_column(arrow.schema.names.index(column), column, pa.array(cells, kept))

    return change


def with_column(column, values):
    return lambda arrow: arrow.set_column(arrow.schema.names.index(column), column, values(arrow.column(column)))
