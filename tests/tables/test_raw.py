import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import load_table, read_csv_table


def _read(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    problems = Problems()
    return read_csv_table(path, problems), problems


def _kinds(problems):
    return [(p.severity, p.kind, p.row, p.column) for p in problems]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4\r\n",
        b"\xef\xbb\xbfa,b\n1,2\n3,4",
        "a,b\n1,2\n\n3,4\n\n",
        ' a ,"b"\n1,2\n3,4',
    ],
)
def test_dialects(tmp_path, content):
    table, problems = _read(tmp_path / "t.csv", content)
    assert not len(problems)
    assert table.text("a").tolist() == ["1", "3"]
    assert table.numbers("b", problems).tolist() == [2.0, 4.0]


def test_rows_are_numbered_as_in_a_spreadsheet(tmp_path):
    table, _ = _read(tmp_path / "t.csv", 'p,q\n"two\nlines",1\n\nx,2\n')
    assert table.rows.tolist() == [2, 4]
    assert table.text("p").tolist() == ["two\nlines", "x"]


def test_unicode_line_separators_do_not_end_a_row(tmp_path):
    table, problems = _read(tmp_path / "t.csv", "p,q\na\u2028b,1\n")
    assert (len(table), len(problems)) == (1, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,\x00\n", "zero bytes"),
        (b"PK\x03\x04\xff\xfe", "no UTF-8"),
        ("name\nJos\xe9\n".encode("latin-1"), "no UTF-8"),
        ('a,b\n"1,2\n', "no CSV"),
    ],
)
def test_unreadable(tmp_path, content, reason):
    table, problems = _read(tmp_path / "t.csv", content)
    assert table is None
    assert [p.kind for p in problems] == ["unreadable-file"]
    assert reason in problems.found[0].found


@pytest.mark.parametrize("content", ["", "a,b\n", "\n\n"])
def test_empty_files_are_warnings(tmp_path, content):
    _, problems = _read(tmp_path / "t.csv", content)
    assert [(p.severity, p.kind) for p in problems] == [("warning", "empty-file")]


def test_every_problem_is_found(tmp_path):
    table, problems = _read(tmp_path / "t.csv", "a,b\n1,2,3\nx,\n4\n1_000,inf\n")
    table.numbers("a", problems)
    table.numbers("b", problems)
    assert _kinds(problems) == [
        ("error", "ragged-row", 2, None),
        ("error", "ragged-row", 4, None),
        ("error", "not-a-number", 3, "a"),
        ("error", "not-a-number", 5, "a"),
        ("error", "missing-value", 3, "b"),
        ("error", "not-a-number", 5, "b"),
    ]


def test_doubled_columns(tmp_path):
    table, problems = _read(tmp_path / "t.csv", "a,b,a\n1,2,3\n")
    assert table is None
    assert _kinds(problems) == [("error", "doubled-column", 1, "a")]


def test_missing_columns_say_what_is_there(tmp_path):
    table, problems = _read(tmp_path / "t.csv", "a,b\n1,2\n")
    assert not table.require(["a", "c"], problems, remedy="add it")
    assert str(problems.found[0]) == (
        "error: t.csv, row 1, column c: missing-column: found the columns a, b; expected a column named c; add it"
    )


def test_empty_cells_where_they_are_allowed(tmp_path):
    table, problems = _read(tmp_path / "t.csv", "a,b\n1,1\n,2\nx,3\n")
    values = table.numbers("a", problems, needed=np.array([True, False, False]))
    assert np.isnan(values[1])
    assert [p.row for p in problems] == [4]


def test_data_frames_keep_their_values():
    problems = Problems()
    frame = pd.DataFrame(
        {"n": [1, 2], "s": pd.Categorical(["x", "y"]), "f": [0.5, np.nan], "b": [True, False]}, index=[7, 7]
    )
    table = load_table(frame, problems, name="decisions")
    assert table.text("s").tolist() == ["x", "y"]
    assert table.numbers("n", problems).tolist() == [1.0, 2.0]
    assert table.text("f").tolist() == ["0.5", ""]
    table.numbers("f", problems)
    table.numbers("b", problems)
    assert [(p.file, p.kind, p.row) for p in problems] == [
        ("decisions", "missing-value", 3),
        ("decisions", "not-a-number", 2),
        ("decisions", "not-a-number", 3),
    ]


def test_sources_of_other_kinds(tmp_path):
    with pytest.raises(ArgumentError, match="scenarios: expected a data frame or the path of a CSV file, got list"):
        load_table([1], Problems(), name="scenarios")
    with pytest.raises(ArgumentError, match="which is no file"):
        load_table(tmp_path / "none.csv", Problems(), name="scenarios")
