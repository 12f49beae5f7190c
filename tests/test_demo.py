"""The demo: estimates beside the truth, in the folder that reanalyze writes."""

import json

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import check_archive, read_archive
from selfinterp_stats.cli import main
from selfinterp_stats.demo import describe_demo, run_demo


@pytest.fixture(scope="module")
def demo():
    return run_demo(draws=500, seed=2)


def test_size_is_that_of_the_published_study(demo):
    decisions = demo.experiment.archive.decisions.frame
    assert len(decisions) == 2 * (100 * 50 + 100 * 100)
    assert len(demo.compare_correlations()) == 10


def test_estimates_are_near_the_truth(demo):
    table = demo.compare_correlations()
    assert (table["pearson_r"] - table["true_r"]).abs().max() < 0.12
    # the published estimator is attenuated by the noise of both sides
    strong = table[table["true_r"] > 0.4]
    assert (strong["pearson_r"] < strong["true_r_replies"] + 0.03).all()
    assert (table["true_r"] - table["true_r_replies"]).abs().max() < 0.05


def test_weights_are_found(demo):
    table = demo.compare_weights()
    assert len(table) == 4
    assert (table["r"] > 0.88).all()
    assert (table["rms_error"] < 30).all()
    by_hand = demo.result.weights_table().merge(
        demo.experiment.weights, on=["base_model", "preferences", "scenario", "slot"], suffixes=("", "_true")
    )
    first = by_hand[(by_hand["base_model"] == table["base_model"][0]) & (by_hand["preferences"] == table["preferences"][0])]
    assert table["rms_error"][0] == pytest.approx(np.sqrt(((first["plug_in"] - first["used"]) ** 2).mean()))
    assert table["hdi_coverage"][0] == pytest.approx(first["used"].between(first["hdi_low"], first["hdi_high"]).mean())


def test_text(demo):
    text = describe_demo(demo)
    assert text.count("simulated-large") == 7
    assert "true r" in text
    assert "0.75" in text


def _run(*arguments):
    with pytest.raises(SystemExit) as status:
        main(["demo", "--draws", "200", "--quiet", *map(str, arguments)])
    return status.value.code


@pytest.mark.filterwarnings("ignore::selfinterp_stats.SelfInterpWarning")
def test_command_twice_in_a_row(tmp_path, capsys):
    out = tmp_path / "demo"
    assert _run("--out", out) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert {"archive/manifest.json", "truth.csv", "estimates_and_truth.csv", "weights.csv"} <= set(manifest["outputs"])
    first = (out / "correlations.csv").read_bytes()
    assert _run("--out", out) == 2
    assert "which does" in capsys.readouterr().err
    assert _run("--out", out, "--force") == 0
    assert (out / "correlations.csv").read_bytes() == first
    assert not check_archive(out / "archive").errors
    assert len(read_archive(out / "archive").decisions) == 30_000
    truth = pd.read_csv(out / "truth.csv")
    assert truth.query("measure == 'pearson'")["noise_free"].round(9).isin([0.0, 0.1, 0.5, 0.55, 0.7, 0.75]).all()
    (out / "mine.txt").write_text("a note")
    assert _run("--out", out, "--force") == 2
    assert "mine.txt" in capsys.readouterr().err
