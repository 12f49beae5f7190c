"""The published trials: what the paper, and brms run again on its data, say of them.

The figures are those of brms 2.18, bayestestR and emmeans on these data, each with a Monte-Carlo error of up to 0.01.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import SelfInterpWarning, reanalyze

pytestmark = pytest.mark.archive

LARGE, SMALL = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"

BRMS = [
    (LARGE, "instilled", "base", 500, 0.102, 0.10, 0.02, 0.19),
    (LARGE, "instilled", "preference-trained", 500, 0.543, 0.54, 0.47, 0.62),
    (LARGE, "instilled", "introspection-trained", 500, 0.740, 0.74, 0.68, 0.80),
    (LARGE, "native", "preference-trained", 500, 0.464, 0.46, 0.39, 0.54),
    (LARGE, "native", "introspection-trained", 500, 0.710, 0.71, 0.65, 0.77),
    (SMALL, "instilled", "base", 480, -0.008, -0.01, -0.10, 0.08),
    (SMALL, "instilled", "preference-trained", 395, 0.506, 0.50, 0.42, 0.60),
    (SMALL, "instilled", "introspection-trained", 500, 0.752, 0.75, 0.69, 0.81),
    (SMALL, "native", "preference-trained", 380, 0.398, 0.39, 0.30, 0.49),
    (SMALL, "native", "introspection-trained", 500, 0.699, 0.70, 0.64, 0.76),
]


@pytest.fixture(scope="module")
def result(published):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        return reanalyze(published, seed=1)


def test_the_paper_s_table(result):
    table = result.correlations_table()
    assert len(table) == len(BRMS)
    for (model, preferences, reporter, n, r, slope, low, high), (_, row) in zip(BRMS, table.iterrows(), strict=True):
        assert (row["base_model"], row["preferences"], row["reporter"]) == (model, preferences, reporter)
        assert row["n_weights"] == n
        assert row["pearson_r"] == pytest.approx(r, abs=0.01)
        found = row[["slope_median", "slope_hdi_low", "slope_hdi_high"]].astype(float).tolist()
        assert found == pytest.approx([slope, low, high], abs=0.02)


def test_instillation(result):
    table = result.instillation_table().set_index("base_model")
    assert table.loc[LARGE, "pearson_r"] == pytest.approx(0.843, abs=0.01)
    assert table.loc[SMALL, "pearson_r"] == pytest.approx(0.871, abs=0.01)


def test_plug_in_weights_are_the_published_ones(result, published):
    found = result.fit.plug_in()
    gaps = []
    for model in (LARGE, SMALL):
        for preferences, mark in (("instilled", ""), ("native", "_latent")):
            theirs = pd.read_csv(published / f"{model}{mark}_regression_results.csv")
            theirs = theirs.melt("scenario", var_name="slot", value_name="published")
            theirs["slot"] = theirs["slot"].str.removeprefix("b_attr").astype(int)
            ours = found[(found["base_model"] == model) & (found["preferences"] == preferences)]
            joined = ours.merge(theirs, on=["scenario", "slot"])
            assert len(joined) == 500
            gaps.append(np.abs(joined["plug_in"] - joined["published"]))
    gap = pd.concat(gaps)
    assert len(gap) == 2000
    assert gap.max() <= 2
    assert (gap <= 1).mean() >= 0.98


def test_effect_of_introspection_training(result):
    """Closed form of the published regression; the bounds vary with the draws by a few thousandths."""
    table = result.contrasts_table()
    paper = table[(table["method"] == "paper") & ~table["contrast"].str.contains("(", regex=False)].set_index("preferences")
    published = {"instilled": (0.222, 0.153, 0.291), "native": (0.276, 0.203, 0.349)}
    for preferences, expected in published.items():
        found = paper.loc[preferences, ["estimate_median", "hdi_low", "hdi_high"]].to_numpy(dtype=float)
        assert np.abs(found - expected).max() <= 0.01
    assert result.training.notes == ()
    apart = table[table["contrast"].str.contains("-50-of-100-", regex=False)]
    assert apart["contrast"].nunique() == 4


def test_findings(result):
    counts = result.archive.problems.counts().groupby("kind")["count"].sum()
    assert counts["value-outside-range"] == 71
    assert counts["no-trials"] == 900
    assert counts["off-scale"] == 2
    assert set(result.archive.problems.counts()["severity"]) == {"warning"}


def test_every_scenario_passes_its_checks(result):
    contexts = result.fit.contexts
    assert len(contexts) == 400
    assert contexts["converged"].all()
    assert (contexts["ess"] >= 400).all()


def test_the_introspection_trained_halves_cover_all_scenarios(result):
    points = result.correlations.select(reporter="introspection-trained", preferences="instilled").points
    assert points.groupby("base_model")["model"].nunique().tolist() == [2, 2]
    assert points.groupby("base_model")["scenario"].nunique().tolist() == [100, 100]
