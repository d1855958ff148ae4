"""`liaowang detect` as a user meets it: lines, tables, lists, and one clear line where something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from schemas.errors import Misdeclared

SERIES = "t,observed\n" + "\n".join(f"{n},{x}" for n, x in enumerate([2, 4, 2, 4, 2, 4, 3, 7], 1)) + "\n"


def run(*arguments: str, text: str = SERIES) -> tuple[list[str], str]:
    """(lines on standard output, standard error) of a command fed with a series on standard input."""
    result = CliRunner().invoke(app, ["detect", *arguments], input=text, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines(), result.stderr


def lines(*arguments: str, text: str = SERIES) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--series", "-", "--json", text=text)[0]]


def wrong(*arguments: str, text: str = SERIES) -> str:
    with pytest.raises(Misdeclared) as error:
        run(*arguments, text=text)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_one_object_a_point_with_null_where_nothing_is_defined() -> None:
    found = lines("ears-c1")
    assert found[0] == {"t": 1, "observed": 2, "statistic": None, "bound": None, "alarm": None}
    assert found[-1] == {"t": 8, "observed": 7, "statistic": 4.0, "bound": 6.0, "alarm": True}
    assert len(found) == 8


def test_parameters_are_known_by_the_names_of_the_reference_files() -> None:
    assert lines("ears-c1", "--param", "minSigma=2", "--param", "alpha=0.001")[-1]["statistic"] == 2.0
    assert lines("ears-c1", "--param", "min_sigma=2")[-1]["statistic"] == 2.0


def test_one_param_may_be_followed_by_more() -> None:
    apart = lines("ears-c1", "--param", "minSigma=2", "--param", "alpha=0.001")
    assert lines("ears-c1", "--param", "minSigma=2", "alpha=0.001") == apart
    assert "minSigma is given twice" in wrong("ears-c1", "--param", "minSigma=2", "minSigma=3")


def test_methods_are_known_as_others_write_them_and_columns_by_semicolons() -> None:
    assert lines("EARS_C1") == lines("ears-c1")
    assert lines("ears-c1", text=SERIES.replace(",", ";")) == lines("ears-c1")


def test_other_columns_dates_missing_cells_and_marks_of_spreadsheets_are_taken() -> None:
    text = "\ufeffstate,t,observed\n0,2026-01-05,1.5\n1,2026-01-12,NA\n0,2026-01-19,\n"
    found = lines("cusum", "--param", "m=1", text=text)
    assert [each["t"] for each in found] == ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert [each["observed"] for each in found] == [1.5, None, None]
    assert [each["alarm"] for each in found] == [False, None, None]


def test_moments_are_taken_and_midnights_are_days() -> None:
    text = "t,observed\n2026-01-05T00:00:00+08:00,1\n2026-01-05 06:00,2\n2026-01-05T12:00,30\n"
    found = lines("cusum", "--param", "m=1", text=text)
    assert [each["alarm"] for each in found] == [False, False, True]
    assert found[1]["t"] == "2026-01-05 06:00"
    assert "a day, a week or a month apart, not 0.25 days" in wrong("farrington", "--series", "-", text=text)
    days = text.replace("06:00", "00:00").replace("05 ", "06 ").replace("05T12", "07T00")
    assert len(lines("farrington", text=days)) == 3


def test_a_table_for_people(tmp_path: Path) -> None:
    file = tmp_path / "series.csv"
    file.write_text(SERIES)
    shown = "\n".join(run("ears-c1", "--series", str(file))[0])
    assert "statistic" in shown
    assert "alarm" in shown


def test_the_list_has_every_method_with_its_defaults() -> None:
    shown = "\n".join(run("list")[0])
    for word in ("ears-c3", "farrington-flexible", "weights_threshold", "2.58", "trans", "anscombe2nd"):
        assert word in shown
    listed = [json.loads(line) for line in run("list", "--json")[0]]
    assert {"method": listed[5]["method"], "k": listed[5]["parameters"]["k"]} == {
        "method": "cusum",
        "k": 1.04,
    }


def test_remarks_go_to_standard_error() -> None:
    assert "59" not in run("cusum", "--series", "-", "--json")[1]
    assert "would be number 60" in run("cusum", "--series", "-", "--json")[1]
    assert "after 8 comes 11" in run("ears-c1", "--series", "-", text=SERIES + "11,4\n")[1]


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        (["ears-c4"], SERIES, "'ears-c4' is none; there are ears-c1, "),
        (["ears-c1"], SERIES, "--series: missing; give a CSV file"),
        (["ears-c1", "--param", "basline=7"], SERIES, "basline: no such parameter; there are baseline, "),
        (
            ["ears-c1", "--param", "baseline"],
            SERIES,
            "must be name=value, such as baseline=7, not 'baseline'",
        ),
        (
            ["ears-c1", "--param", "baseline=7.5"],
            SERIES,
            "must be a whole number at least 3 and",
        ),
        (["cusum", "--param", "trans=log"], SERIES, "must be one of standard, rossi, "),
        (
            ["ears-c1", "--series", "nowhere.csv"],
            SERIES,
            "nowhere.csv: --series: cannot be read: No such file",
        ),
        (["ears-c1", "--series", "-"], "t,count\n1,2\n", "observed: no such column; there are t, count"),
        (["ears-c1", "--series", "-"], "t,observed\n1,2\n2,many\n", "line 3: observed: must be a number"),
        (["ears-c1", "--series", "-"], "t,observed\n1,2,5\n", "line 2: row: 3 cells; the header has 2"),
        (["ears-c1", "--series", "-"], "t,observed\nsoon,2\n", "line 2: t: must be a whole number or a date"),
        (["ears-c1", "--series", "-"], "t,observed\n2,2\n2,3\n", "line 3: t: must be later than 2"),
        (["ears-c1", "--series", "-"], "t,observed\n2,2\n2026-01-01,3\n", "line 3: t: must be of one kind"),
        (["ears-c1", "--series", "-"], "t,observed\n", "t: no points"),
        (
            ["farrington", "--series", "-"],
            "t,observed\n2026-01-01,1\n2026-01-03,1\n",
            "must be a day, a week or",
        ),
        (
            ["farrington", "--param", "freq=7", "--series", "-"],
            "t,observed\n2026-01-01,1\n",
            "must be 12, 52 or 365",
        ),
        (["farrington-flexible", "--param", "limit54=5"], SERIES, "must be two whole numbers, such as 5,4"),
    ],
)
def test_one_clear_line_says_what_is_wrong(arguments: list[str], text: str, said: str) -> None:
    assert said in wrong(*arguments, text=text)


def test_the_process_ends_with_2_and_starts_without_what_it_does_not_need() -> None:
    code = (
        "import sys; from streams.watch import detect;"
        "heavy = {'numpy', 'scipy', 'pandas', 'statsmodels'} & set(sys.modules); assert not heavy, heavy;"
        "from deploy.cli import main; sys.argv = ['liaowang', 'detect', 'ears-c9']; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("detect ears-c9: method: 'ears-c9' is none")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (("20260301", "20260302", "20260303"), "20260301 looks like a day, but counts as a whole number"),
        (("202611", "202612", "202701"), "202611 looks like a month"),
        (("202651", "202652", "202653"), "202651 looks like a week"),
        (("1", "2", "3"), ""),
        (("2026-11", "2026-12", "2027-01"), ""),
        (("20260230", "20260231", "20260232"), ""),
    ],
)
def test_a_whole_number_that_hides_a_date_is_told(times: tuple[str, ...], said: str) -> None:
    told = run("ears-c1", "--series", "-", text="t,observed\n" + "".join(f"{t},1\n" for t in times))[1]
    assert said in told and ("looks like" in told) == bool(said)
