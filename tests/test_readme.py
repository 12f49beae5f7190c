"""The README's words are tried: its script runs, its files exist."""

import re

import pytest

pytestmark = pytest.mark.checkout


def test_script_runs(checkout, capsys):
    (script,) = re.findall(r"```python\n(.*?)```", (checkout / "README.md").read_text(), flags=re.DOTALL)
    assert len(script.splitlines()) <= 13
    exec(compile(script, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "p_largest" in printed
    assert "Bayesian bootstrap over scenarios" in printed


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
