"""The pages' scripts run, and print what the pages say."""

import re

import pytest

pytestmark = pytest.mark.checkout

BLOCKS = re.compile(r"```(python|text)\n(.*?)```", flags=re.DOTALL)


def _agree(one, other):
    """The same words, and about the same numbers: the last digits are those of a machine and its libraries."""
    try:
        x, y = (float(word.strip("(),%;")) for word in (one, other))
    except ValueError:
        return one == other
    if 0 < x < 1e-3:
        return y < 1e-2  # a p value that says no
    return y == pytest.approx(x, rel=0.1, abs=0.02)


@pytest.mark.parametrize("page", ["testing.md", "agents.md", "regression.md", "checks.md"])
def test_pages_print_what_they_say(checkout, page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    printed = ""
    compared = 0
    for language, text in BLOCKS.findall((checkout / "docs" / page).read_text()):
        if language == "python":
            capsys.readouterr()
            exec(compile(text, page, "exec"), names)
            printed = capsys.readouterr().out
        elif printed:
            said, shown = text.split(), printed.split()
            assert len(said) == len(shown)
            for one, other in zip(said, shown, strict=True):
                assert _agree(one, other), (one, other)
            compared += 1
            printed = ""
    assert compared
