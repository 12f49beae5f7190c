"""The README's words are tried: its script runs, its files exist."""

import re

import pytest
from helpers.experiments import simulate, write_archive

MILD = {"base": 9.0, "preference-trained": 6.0, "introspection-trained": 3.0}  # so that no reply is clipped to one value

pytestmark = pytest.mark.checkout


def test_scripts_run(checkout, capsys, tmp_path, monkeypatch):
    scripts = re.findall(r"```python\n(.*?)```", (checkout / "README.md").read_text(), flags=re.DOTALL)
    assert len(scripts) == 2
    assert all(len(script.splitlines()) <= 12 for script in scripts)
    experiment = simulate(n_scenarios=8, seed=3)
    write_archive(tmp_path / "demo" / "archive", experiment, base_model="simulated-large", noise=MILD, n_replies=2)
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(scripts), "README.md", "exec"), {})
    assert (tmp_path / "used_vs_reported.png").is_file()
    printed = capsys.readouterr().out
    assert "p_largest" in printed
    assert "Bayesian bootstrap over scenarios" in printed
    assert "introspection-trained - base" in printed


def test_links_lead_somewhere(checkout):
    for page in [checkout / "README.md", checkout / "CONTRIBUTING.md", checkout / "CHANGELOG.md"]:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            assert link.startswith("https://") or (page.parent / link).exists(), (page.name, link)


def test_the_two_commands_are_targets(checkout):
    makefile = (checkout / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", (checkout / "README.md").read_text(), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_nothing_names_a_package_registry(checkout):
    hosts = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|files\.python")
    for path in checkout.rglob("*"):
        if path.is_file() and path.suffix in {".toml", ".md", ".cff", ".yml", ".cfg", ".txt"} and ".venv" not in path.parts:
            assert not hosts.search(path.read_text(errors="ignore")), path
