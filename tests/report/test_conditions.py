"""A reanalysis condition by condition: its tables, its figures, and what the command says of it."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, SelfInterpWarning, reanalyze, write_reanalysis
from selfinterp_stats.cli import main
from selfinterp_stats.report import describe_reanalysis, encode_reanalysis
from selfinterp_stats.tables import Decisions


@pytest.fixture(scope="module")
def triggered(archive):
    """The simulated trials of small scenarios, twice: under the trigger four choices in five are the other one."""
    sizes = archive.scenarios.n_attributes
    frame = archive.decisions.frame
    frame = frame[frame["scenario"].map(sizes) == 3]
    turned = np.random.default_rng(1).random(len(frame)) < 0.8
    chosen = frame["chosen"].where(~turned, frame["chosen"].map({"A": "B", "B": "A"}))
    frames = [frame.assign(trigger="no"), frame.assign(chosen=chosen, trigger="yes")]
    decisions = Decisions(pd.concat(frames, ignore_index=True), ("trigger",))
    return dataclasses.replace(archive, decisions=decisions, path=None)


def run(*arguments):
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    return ending.value.code or 0


@pytest.fixture(scope="module")
def result(triggered):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        return reanalyze(triggered, by="trigger", draws=200)


def test_tables_carry_the_condition(result):
    weights = result.weights_table()
    assert list(weights.columns)[:5] == ["base_model", "preferences", "condition", "scenario", "slot"]
    assert set(weights["condition"]) == {"no", "yes"}
    no, yes = (weights[weights["condition"] == value].reset_index(drop=True) for value in ("no", "yes"))
    assert np.corrcoef(no["plug_in"], yes["plug_in"])[0, 1] < -0.3
    assert list(result.weights_partial_table().columns) == list(weights.columns)
    for table in (result.correlations_table(), result.instillation_table(), result.contrasts_table()):
        assert set(table["condition"]) == {"no", "yes"}
    assert set(result.population_table()["condition"]) == {"no", "yes"}
    assert "condition" in result.attrition_table()


def test_conditions_table(result):
    table = result.conditions_table()
    assert list(table.columns) == [
        "base_model", "preferences", "condition_a", "condition_b", "n_weights", "r_median", "r_hdi_low", "r_hdi_high",
        "cosine_median", "cosine_hdi_low", "cosine_hdi_high", "sign_flips_expected",
    ]  # fmt: skip
    assert (table[["condition_a", "condition_b"]].to_numpy() == ["no", "yes"]).all()
    assert (table["r_median"] < 0).all()


def test_text_and_json(result):
    text = describe_reanalysis(result)
    assert "Used weights under different conditions, scenarios resampled" in text
    assert "condition a" in text
    assert '"conditions"' in encode_reanalysis(result)


def test_folder_and_command(triggered, tmp_path, capsys):
    folder = triggered.write(tmp_path / "trials")
    assert run("reanalyze", folder, "--out", tmp_path / "out", "--by", "trigger", "--draws", 200) == 0
    written = pd.read_csv(tmp_path / "out" / "conditions.csv")
    assert set(written["condition_b"]) == {"yes"}
    assert "condition" in pd.read_csv(tmp_path / "out" / "weights.csv")
    names = {path.name for path in (tmp_path / "out" / "figures").glob("used_vs_reported*.png")}
    assert any(name.endswith("_yes.png") for name in names)
    assert "Used weights under different conditions" in capsys.readouterr().out
    assert run("reanalyze", folder, "--out", tmp_path / "again", "--by", "colour") == 2
    message = capsys.readouterr().err
    assert "expected a condition column of the decisions (trigger), got 'colour'" in message
    assert "Traceback" not in message


def test_the_same_folder_for_the_same_result(result, tmp_path):
    first, second = (write_reanalysis(result, tmp_path / name) for name in ("a", "b"))
    assert (first / "conditions.csv").read_bytes() == (second / "conditions.csv").read_bytes()


def test_a_condition_that_is_none(archive):
    with pytest.raises(ArgumentError, match="these trials have none"):
        reanalyze(archive, by="trigger", draws=200)
