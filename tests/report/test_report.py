"""The folder of a reanalysis: its tables, its bytes, and what may and may not be overwritten."""

import hashlib
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.damage import copy_archive, read_cells, write_cells

from selfinterp_stats import ArgumentError, SelfInterpWarning, read_fit, reanalyze, write_reanalysis
from selfinterp_stats.report import describe_reanalysis, encode_reanalysis


def _reanalyze(folder, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        return reanalyze(folder, draws=300, **options)


@pytest.fixture(scope="module")
def result(archive_folder):
    return _reanalyze(archive_folder)


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    return write_reanalysis(result, tmp_path_factory.mktemp("reports") / "out")


def _digests(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "manifest.json"
    }


def test_files(written):
    assert set(_digests(written)) == {
        "attrition.csv", "correlations.csv", "instillation.csv", "contrasts.csv", "weights.csv", "posterior.nc",
        "weights_partial.csv", "population.csv", "posterior_partial.nc",
        "checks.csv", "check_counts.csv", "calibration.csv", "figures/calibration.png", "figures/calibration.svg",
        "figures/correlations.png", "figures/correlations.svg",
        *(f"figures/used_vs_reported_agent-1_{p}.{e}" for p in ("instilled", "native") for e in ("png", "svg")),
    }  # fmt: skip


def test_correlations_csv(written, result):
    table = pd.read_csv(written / "correlations.csv")
    assert list(table.columns) == [
        "base_model",
        "preferences",
        "reporter",
        "reports_kept",
        "scenarios_kept",
        "n_weights",
        "pearson_r",
        "slope_median",
        "slope_hdi_low",
        "slope_hdi_high",
        "cluster_r_low",
        "cluster_r_high",
    ]
    assert np.allclose(table["pearson_r"], result.correlations.table["pearson_r"], rtol=1e-5)


def test_contrasts_csv(written, result):
    table = pd.read_csv(written / "contrasts.csv")
    assert list(table.columns) == [
        "preferences",
        "method",
        "contrast",
        "estimate_median",
        "hdi_low",
        "hdi_high",
        "p_direction",
    ]
    assert set(table["method"]) == {"paper", "clustered", "clustered_r"}
    assert set(table["preferences"]) == {"instilled", "native"}
    assert (table["hdi_low"] < table["estimate_median"]).all()
    assert len(result.training.notes) == 2  # one base model


def test_instillation_csv(written):
    table = pd.read_csv(written / "instillation.csv")
    assert list(table.columns) == ["base_model", "n_weights", "pearson_r", "cluster_r_low", "cluster_r_high"]
    assert table["base_model"].tolist() == ["agent-1"]


def test_weights_csv(written, experiment):
    table = pd.read_csv(written / "weights.csv")
    assert list(table.columns) == [
        "base_model",
        "preferences",
        "scenario",
        "slot",
        "attribute",
        "plug_in",
        "mean",
        "median",
        "hdi_low",
        "hdi_high",
        "p_direction",
        "p_largest",
        "target",
        "k_hat",
        "verdict",
    ]
    assert table.loc[table["preferences"] == "native", "target"].isna().all()
    first = table[table["scenario"] == "scenario_000"]
    assert first["target"].tolist() == experiment.weights["instilled"][0].tolist()
    assert table["slot"].min() == 1
    assert (table.groupby(["preferences", "scenario"])["p_largest"].sum() - 1).abs().max() < 1e-5


def test_checks(written, result):
    checks = pd.read_csv(written / "checks.csv")
    assert list(checks.columns[:3]) == ["base_model", "preferences", "scenario"]
    assert len(checks) == len(result.partial.contexts)
    weights = pd.read_csv(written / "weights_partial.csv").drop_duplicates(["preferences", "scenario"])
    verdicts = weights.merge(checks, on=["base_model", "preferences", "scenario"])
    assert (verdicts["verdict_x"] == verdicts["verdict_y"]).all()
    assert set(checks["verdict"]) <= {"identified", "separated", "position-locked", "undecided", "at chance"}
    assert checks.loc[checks["preferences"] == "instilled", "target_agreement"].gt(0.7).all()
    assert checks.loc[checks["preferences"] == "native", "target_agreement"].isna().all()
    counts = pd.read_csv(written / "check_counts.csv")
    assert (counts["found"] <= counts["n_scenarios"]).all()
    assert counts["expected"].notna().all()
    curve = pd.read_csv(written / "calibration.csv")
    assert curve[["predicted", "share", "band_low", "band_high"]].melt()["value"].between(0, 1).all()
    assert "Decisions: " in describe_reanalysis(result)


def test_attrition_csv(archive_folder, tmp_path):
    folder = copy_archive(archive_folder, tmp_path / "copy")
    (folder / "notes.txt").write_text("x")
    (folder / "agent-1_weight_reports.csv").write_text("")
    table = _reanalyze(folder).attrition_table()
    by = table.groupby(["stage", "file", "kind"], dropna=False)["count"].sum()
    assert by["reading", "notes.txt", "unrecognised-file"] == 1
    assert by["reading", "agent-1_weight_reports.csv", "empty-file"] == 1


def test_manifest(written, result, archive_folder):
    manifest = json.loads((written / "manifest.json").read_text())
    assert (manifest["format"], manifest["version"]) == ("selfinterp-reanalysis", 1)
    digest = hashlib.sha256((archive_folder / "scenarios.csv").read_bytes()).hexdigest()
    assert manifest["inputs"]["scenarios.csv"] == digest
    assert manifest["options"] == {"draws": 300, "seed": 1}
    assert set(manifest["outputs"]) == set(_digests(written))
    assert manifest["software"]["selfinterp-stats"]
    assert {"finished", "seconds_writing"} <= set(manifest["run"])


def test_posterior_opens_again(written, result):
    again = read_fit(written / "posterior.nc")
    assert np.allclose(again.slope_draws, result.fit.slope_draws, rtol=1e-6)
    partial = read_fit(written / "posterior_partial.nc")
    assert partial.spec.pooling == "partial"
    assert np.allclose(partial.population_draws, result.partial.population_draws, rtol=1e-6)


def test_partial_pooling_is_written_beside(written, result):
    partial, paper = pd.read_csv(written / "weights_partial.csv"), pd.read_csv(written / "weights.csv")
    assert list(partial.columns) == list(paper.columns)
    keys = ["base_model", "preferences", "scenario", "slot"]
    assert partial[keys].equals(paper[keys])
    assert not np.allclose(partial["mean"], paper["mean"])
    population = pd.read_csv(written / "population.csv")
    assert list(population.columns[:4]) == ["base_model", "preferences", "parameter", "n_scenarios"]
    assert set(population["parameter"]) == {"tau", "sigma_alpha"}


def test_same_bytes_for_any_order_of_rows(archive_folder, written, tmp_path):
    folder = copy_archive(archive_folder, tmp_path / "shuffled")
    for path in folder.glob("*.csv"):
        header, *rows = read_cells(path)
        order = np.random.default_rng(1).permutation(len(rows))
        write_cells(path, [header, *(rows[i] for i in order)])
    again = write_reanalysis(_reanalyze(folder), tmp_path / "out")
    assert (folder / "scenarios.csv").read_bytes() != (archive_folder / "scenarios.csv").read_bytes()
    ours, theirs = _digests(again), _digests(written)
    assert {name for name in ours if ours[name] != theirs[name]} == set()


def test_same_bytes_for_any_number_of_threads(archive_folder, written, tmp_path):
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from selfinterp_stats import reanalyze, write_reanalysis\n"
        f"write_reanalysis(reanalyze({str(archive_folder)!r}, draws=300), {str(tmp_path / 'out')!r})"
    )
    one = {**os.environ, "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], env=one, check=True)
    assert _digests(tmp_path / "out") == _digests(written)


def test_same_bytes_twice(archive_folder, written, tmp_path):
    assert _digests(write_reanalysis(_reanalyze(archive_folder), tmp_path / "out")) == _digests(written)


def test_another_seed_changes_the_draws(archive_folder, written, tmp_path):
    again = write_reanalysis(_reanalyze(archive_folder, seed=2), tmp_path / "out")
    assert _digests(again)["weights.csv"] != _digests(written)["weights.csv"]


def test_nothing_is_overwritten(result, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for force in (False, True):
        with pytest.raises(ArgumentError, match="out: expected a folder"):
            write_reanalysis(result, out, force=force)
    (out / "manifest.json").write_text('{"format": "something else", "outputs": []}')
    with pytest.raises(ArgumentError, match="which is none"):
        write_reanalysis(result, out, force=True)


def test_force_replaces_a_reanalysis_and_nothing_else(result, tmp_path):
    out = write_reanalysis(result, tmp_path / "out")
    before = _digests(out)
    write_reanalysis(result, out, force=True)
    assert _digests(out) == before
    for make in (
        lambda: (out / "notes.txt").write_text("mine"),
        lambda: (out / "figures" / "mine").mkdir(),
        lambda: (out / "link").symlink_to(tmp_path),
    ):
        make()
        with pytest.raises(ArgumentError, match="move these files away"):
            write_reanalysis(result, out, force=True)
        for name in ("notes.txt", "link"):
            (out / name).unlink(missing_ok=True)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_force_from_within_the_folder(result, tmp_path, monkeypatch):
    out = write_reanalysis(result, tmp_path / "out")
    monkeypatch.chdir(out)
    write_reanalysis(result, "../out", force=True)
    assert (out / "weights.csv").is_file()


def test_a_failure_leaves_nothing_behind(result, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("selfinterp_stats.report.folder._write_figures", fail)
    with pytest.raises(KeyboardInterrupt):
        write_reanalysis(result, tmp_path / "deep" / "out")
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_failed_replacement_restores_the_old_folder(result, tmp_path, monkeypatch):
    out = write_reanalysis(result, tmp_path / "out")
    rename, moves = os.rename, []

    def fail_second(source, target):
        moves.append(target)
        if len(moves) == 2:
            raise OSError("no space left")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_second)
    with pytest.raises(ArgumentError, match="no space left"):
        write_reanalysis(result, out, force=True)
    assert (out / "weights.csv").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_place_that_cannot_be_written(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="out: expected a place that can be written to"):
        write_reanalysis(result, tmp_path / "file" / "out")


def test_names_that_differ_in_odd_characters_share_no_figure(tmp_path):
    from selfinterp_stats.report.folder import _free_stem

    first = _free_stem(tmp_path, "a b")
    first.with_suffix(".png").write_text("")
    assert _free_stem(tmp_path, "a/b") != first


def test_without_reports_and_targets(archive_folder, tmp_path):
    folder = copy_archive(archive_folder, tmp_path / "bare")
    for path in [*folder.glob("*_weight_reports.csv"), folder / "instilled_weights.csv"]:
        path.unlink()
    result = _reanalyze(folder)
    out = write_reanalysis(result, tmp_path / "out")
    assert pd.read_csv(out / "correlations.csv").empty
    assert pd.read_csv(out / "instillation.csv").empty
    assert len(pd.read_csv(out / "weights.csv")) == 60
    assert "No reports to correlate with." in describe_reanalysis(result)


def test_text_and_json(result):
    text = describe_reanalysis(result)
    assert "introspection-trained" in text
    assert "slope, 95% HDI" in text
    encoded = json.loads(encode_reanalysis(result))
    assert len(encoded["correlations"]) == 6
    assert encoded["instillation"][0]["base_model"] == "agent-1"


def test_progress_is_reported(archive_folder):
    steps = []
    _reanalyze(archive_folder, progress=steps.append)
    expected = ["reading", "fitting", "fitting", "summarising", "correlating", "contrasting", "holding"]
    assert [s.split()[0] for s in steps] == expected
