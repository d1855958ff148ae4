"""What an indicator's SQL reads."""

from __future__ import annotations

import pytest

from dagster_project.build.dependencies import dependencies, on_candidates

SQL = """
WITH days AS (SELECT event_day, sum(cases) AS n FROM built.health_infectious_disease GROUP BY event_day)
SELECT a.event_day AS day, r.code AS region, a.n AS numerator, r.population AS denominator
FROM days AS a INNER JOIN mart.region AS r ON 1 = 1
INNER JOIN built.ecology_air_quality AS q ON q.event_day = a.event_day
"""


def test_tables_of_built_are_found_wherever_they_stand() -> None:
    assert dependencies(SQL) == ("ecology_air_quality", "health_infectious_disease")


def test_every_one_of_them_is_cut_down_to_candidate_builds() -> None:
    bound = on_candidates(SQL, 7)
    assert bound.count("IN (SELECT day, build_id FROM candidate") == 2
    assert "{first: DATE} - 6" in bound
    assert ") AS q" in bound


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT 1 FROM landing.ecology_air_quality", "reads landing.ecology_air_quality"),
        ("SELECT 1 FROM mart.ecology_air_quality, built.x", "reads mart.ecology_air_quality"),
        ("SELECT 1 FROM somewhere, built.x", "reads somewhere"),
        ("SELECT 1", "reads no table"),
        ("DROP TABLE built.x", "one SELECT"),
        ("SELECT FROM WHERE (", "Expect"),
        ("SELECT day FROM (SELECT 1", r"^SQL, line 1, column 25: Expecting \), at '1'$"),
        ("SELECT 'open", "^SQL: Error tokenizing"),
        ("", "^SQL: No expression"),
        ("SELECT " + "(" * 10_000, "^SQL.*(nested too deeply|missing)"),
    ],
)
def test_anything_else_is_refused(sql: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        dependencies(sql)
