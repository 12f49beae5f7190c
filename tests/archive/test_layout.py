import pytest

from selfinterp_stats.archive.layout import recognise


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o-2024-08-06_instilled_selections.csv", ("decisions", "gpt-4o-2024-08-06", "instilled", "")),
        ("gpt-4o-2024-08-06_instilled_latent_selections.csv", ("decisions", "gpt-4o-2024-08-06", "native", "")),
        ("gpt-4o_weight_reports.csv", ("reports", "gpt-4o", "instilled", "base")),
        ("gpt-4o_latent_weight_reports.csv", ("reports", "gpt-4o", "native", "base")),
        ("gpt-4o_instilled_weight_reports.csv", ("reports", "gpt-4o", "instilled", "preference-trained")),
        ("gpt-4o_instilled_latent_weight_reports.csv", ("reports", "gpt-4o", "native", "preference-trained")),
        (
            "qwen2.5-7b-instruct_itrained_first_50_of_100_50ex_weight_reports.csv",
            ("reports", "qwen2.5-7b-instruct", "instilled", "introspection-trained"),
        ),
        (
            "qwen2.5-7b-instruct_itrained_all_100_50ex_latent_weight_reports.csv",
            ("reports", "qwen2.5-7b-instruct", "native", "introspection-trained"),
        ),
        (  # a name that holds what looks like a suffix: the longest known suffix is taken off
            "gpt-4.1_10_instilled_prefs_150ex_instilled_selections.csv",
            ("decisions", "gpt-4.1_10_instilled_prefs_150ex", "instilled", ""),
        ),
        ("scenarios.csv", ("scenarios", "", "", "")),
        ("instilled_weights.csv", ("targets", "", "", "")),
        ("candidate_scenarios.json", ("units", "", "", "")),
        ("m_latent_regression_results.csv", ("other", "", "", "")),
        ("instilled_weights_50_test_test_last.jsonl", ("other", "", "", "")),
        ("instill_100_prefs_val.jsonl", ("other", "", "", "")),
        ("_instilled_selections.csv", ("unknown", "", "", "")),
        ("notes.txt", ("unknown", "", "", "")),
        ("m_regression_results_flipped.csv", ("unknown", "", "", "")),
    ],
)
def test_roles(name, expected):
    role = recognise(name)
    assert (role.content, role.base_model, role.preferences, role.reporter) == expected
