"""Claim: intervals of the hierarchical choice models are right (simulation-based calibration).

    python analyses/studies/calibration.py --model choice --replications 1000 --jobs 2
    python analyses/studies/calibration.py --model choice --inference nuts --replications 200 --jobs 2

Hyperparameters are drawn from their priors, scenarios from them and choices from these; the model is fitted, and the true
values are ranked among the draws: hyperparameters, one slope, one intercept and one normalised weight of a scenario picked
at random (ties at +-100 broken at random), and the log-likelihood of all trials. If the draws are those of the posterior,
ranks are uniform (Talts, Betancourt, Simpson, Vehtari and Gelman, 2018, arXiv 1804.06788; the log-likelihood: Modrak and
others, 2023, Bayesian Analysis). Rows go to results/calibration-*.jsonl as they come; --summarise makes the table and the
figure of all that is there.
"""

import argparse
import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
N_ATTRIBUTES, N_TRIALS, DRAWS = 4, 25, 1000
SIZES = {"laplace": 20, "nuts": 8}


def make_priors(model):
    """The priors in force of one model family, and whether trials carry probabilities."""
    from selfinterp_stats import Beta, Gamma, LogNormal, PooledPriors

    families = {
        "choice": {},
        "probability": {},
        "spread": {"omega": LogNormal(0.3, 1.0)},
        "student": {"slope_df": Gamma(2.0, 0.1)},
        "lapse": {"lapse": Beta(1.0, 19.0)},
    }
    return PooledPriors(**families[model]), model == "probability"


def draw_truth(model, n_scenarios, rng):
    """Hyperparameters and coefficients from the priors, written out once more."""
    tau, sigma = 3.0 * np.exp(rng.standard_normal()), 0.5 * np.exp(rng.standard_normal())
    truth = {"tau": tau, "sigma_alpha": sigma}
    standard = rng.standard_normal((n_scenarios, N_ATTRIBUTES))
    scale = np.full(n_scenarios, tau)
    if model == "spread":
        truth["omega"] = 0.3 * np.exp(rng.standard_normal())
        scale = tau * np.exp(truth["omega"] * rng.standard_normal(n_scenarios))
    elif model == "student":
        truth["slope_df"] = rng.gamma(2.0, 10.0)
        standard = rng.standard_t(truth["slope_df"], standard.shape)
    elif model == "lapse":
        truth["lapse"] = rng.beta(1.0, 19.0)
    return truth, standard * scale[:, None], sigma * rng.standard_normal(n_scenarios)


def simulate(model, n_scenarios, rng):
    """(decisions, scenarios, hyperparameters, slopes, intercepts, log-likelihood of draws) of one replication."""
    from selfinterp_stats import Decisions, make_scenarios

    truth, slopes, intercepts = draw_truth(model, n_scenarios, rng)
    a, b = rng.random((2, n_scenarios, N_TRIALS, N_ATTRIBUTES))
    eta = intercepts[:, None] + np.einsum("stk,sk->st", a - b, slopes)
    probability = 1.0 / (1.0 + np.exp(-eta))
    p_a = np.full(eta.shape, np.nan)
    lapse = truth.get("lapse", 0.0)
    chosen = rng.random(eta.shape) < 0.5 * lapse + (1.0 - lapse) * probability
    if model == "probability":
        noise = 0.5 * np.exp(rng.standard_normal(n_scenarios))
        p_a = 1.0 / (1.0 + np.exp(-(eta + noise[:, None] * rng.standard_normal(eta.shape))))
    names = np.array([f"s{i:03d}" for i in range(n_scenarios)])
    keys = [(name, f"a{k}") for name in names for k in range(N_ATTRIBUTES)]
    frame = pd.DataFrame(keys, columns=["scenario", "attribute"]).assign(low=0.0, high=1.0)
    decisions = pd.DataFrame(
        {
            "base_model": "m",
            "preferences": "native",
            "model": "m",
            "scenario": np.repeat(names, N_TRIALS),
            "trial": np.tile(np.arange(N_TRIALS), n_scenarios).astype(str),
            "chosen": np.where(chosen, "A", "B").ravel(),
            "p_a": p_a.ravel(),
            **{
                f"{side}_{k + 1}": values[:, :, k].ravel()
                for side, values in (("a", a), ("b", b))
                for k in range(N_ATTRIBUTES)
            },
        }
    )

    def log_likelihood(slope_draws, intercept_draws, lapses):
        total = np.zeros(len(intercept_draws))
        for s in range(n_scenarios):
            logits = intercept_draws[:, s, None] + slope_draws[:, s] @ (a - b)[s].T
            chance = 0.5 * lapses[:, None] + (1.0 - lapses[:, None]) / (1.0 + np.exp(-np.where(chosen[s], logits, -logits)))
            total += np.log(chance).sum(axis=1)
        return total

    return Decisions(decisions), make_scenarios(frame), truth, slopes, intercepts, log_likelihood


def replicate(number, model="choice", inference="laplace", change=None, **settings):
    """Ranks, between 0 and 1, of one replication; `change` breaks the draws for tests of the study itself."""
    from selfinterp_stats import SelfInterpWarning, fit_choices, normalise_draws

    rng = np.random.default_rng([number, 20261121])
    n_scenarios = SIZES[inference]
    decisions, scenarios, truth, slopes, intercepts, log_likelihood = simulate(model, n_scenarios, rng)
    priors, probability = make_priors(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)  # what did not pass its checks is counted
        fit = fit_choices(
            decisions,
            scenarios,
            priors=settings.pop("priors", priors),
            response="probability" if probability else "choice",
            truncation=1e-3,
            inference=inference,
            draws=DRAWS,
            seed=number,
            **settings,
        )
    slope_draws, intercept_draws = fit.slope_draws, fit.intercept_draws
    if change is not None:
        slope_draws, intercept_draws = change(slope_draws, intercept_draws)
    context = fit.slopes["context"].to_numpy()
    weights = normalise_draws(slope_draws, context)
    true_weights = normalise_draws(slopes.ravel()[:, None], context)[:, 0]
    s, k = rng.integers(n_scenarios), rng.integers(N_ATTRIBUTES)
    row = s * N_ATTRIBUTES + k
    population = dict(zip(fit.population["parameter"], fit.population_draws, strict=True))
    pairs = {name: (population[name], value) for name, value in truth.items()}
    pairs["slope"] = (slope_draws[row], slopes[s, k])
    pairs["intercept"] = (intercept_draws[s], intercepts[s])
    pairs["weight"] = (weights[row], true_weights[row])
    if not probability:
        shaped = slope_draws.reshape(n_scenarios, N_ATTRIBUTES, -1).transpose(2, 0, 1)
        lapses = population.get("lapse", np.zeros(DRAWS))
        at_truth = log_likelihood(slopes[None], intercepts[None], np.array([truth.get("lapse", 0.0)]))
        pairs["log_likelihood"] = (log_likelihood(shaped, intercept_draws.T, lapses), at_truth[0])
    ranks = {name: (np.sum(d < v) + rng.integers(0, 1 + np.sum(d == v))) / len(d) for name, (d, v) in pairs.items()}
    ranks |= {"converged": bool(fit.contexts["converged"].all()), "exact": int((fit.contexts["sampler"] == "slice").sum())}
    return {name: float(value) for name, value in ranks.items()}


def summarise(rows):
    """One row for each quantity: p-values of uniformity (Kolmogorov and Smirnov; chi-squared, 20 bins) and coverage."""
    from scipy import stats

    table = []
    frame = pd.DataFrame(rows).drop(columns=["number", "error", "converged", "exact"], errors="ignore")
    for name in frame.columns:
        ranks = frame[name].dropna().to_numpy()
        counts = np.histogram(ranks, np.linspace(0, 1, 21))[0]
        row = {"quantity": name, "replications": len(ranks)}
        row |= {"ks_p": stats.kstest(ranks, "uniform").pvalue, "chi2_p": stats.chisquare(counts).pvalue}
        for prob in (0.5, 0.8, 0.95):
            inside = (ranks > (1 - prob) / 2) & (ranks < (1 + prob) / 2)
            row[f"cover_{prob:g}"] = inside.mean()
        table.append(row)
    return pd.DataFrame(table)


def draw_figure(rows, path):
    """ECDF of the ranks less that of the uniform distribution, with simultaneous 95% bands."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    frame = pd.DataFrame(rows).drop(columns=["number", "error", "converged", "exact"], errors="ignore")
    names = list(frame.columns)
    figure, axes = plt.subplots(1, len(names), figsize=(2.3 * len(names), 2.4), sharey=True, layout="constrained")
    grid = np.linspace(0, 1, 201)
    rng = np.random.default_rng(1)
    n = len(frame)
    simulated = np.array([np.searchsorted(np.sort(rng.random(n)), grid, side="right") / n - grid for _ in range(2000)])
    scale = np.sqrt(np.maximum(grid * (1 - grid) / n, 1e-12))
    reach = np.quantile(np.abs(simulated[:, 1:-1] / scale[1:-1]).max(axis=1), 0.95)
    for axis, name in zip(axes, names, strict=True):
        ranks = np.sort(frame[name].dropna().to_numpy())
        axis.fill_between(grid, -reach * scale, reach * scale, color="0.88", linewidth=0)
        axis.step(
            grid, np.searchsorted(ranks, grid, side="right") / len(ranks) - grid, where="post", color="C0", linewidth=1.2
        )
        axis.axhline(0, color="0.6", linewidth=0.6)
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.set_xlabel("rank", fontsize=8)
        axis.tick_params(labelsize=7)
    axes[0].set_ylabel("ECDF difference", fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main():
    """Run what is missing, and sum up."""
    from replication import add_arguments, run_replications

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="choice", choices=["choice", "probability", "spread", "student", "lapse"])
    parser.add_argument("--inference", default="laplace", choices=["laplace", "nuts"])
    add_arguments(parser, replications=1000, results=None)
    options = parser.parse_args()
    stem = RESULTS / f"calibration-{options.model}-{options.inference}"
    settings = {"model": options.model, "inference": options.inference}
    rows = run_replications(
        partial(replicate, **settings),
        range(options.replications),
        results=options.results or stem.with_suffix(".jsonl"),
        settings=settings | {"n_scenarios": SIZES[options.inference], "n_trials": N_TRIALS, "n_attributes": N_ATTRIBUTES},
        jobs=options.jobs,
        cluster=options.cluster,
        patience=options.patience,
        label="calibration",
    )
    good = [row for row in rows if "error" not in row]
    table = summarise(good)
    print(table.round(3).to_string(index=False))
    stem.with_suffix(".json").write_text(json.dumps(table.to_dict("records"), indent=1) + "\n")
    draw_figure(good, stem.with_suffix(".png"))


if __name__ == "__main__":
    main()
