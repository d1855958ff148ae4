"""A spec says what is wrong in it: file, key, and what would be right."""

from __future__ import annotations

import pytest

from dagster_project.composite.compute import compute
from dagster_project.composite.spec import read_spec
from schemas.errors import Misdeclared
from tests.dagster_project.composite.given import source, spec

TREE = "tree: {code: I, children: [{code: x, children: [a, b]}, {code: y, children: [c, d]}]}\n"
META = (
    "Level,iCode,iName,Direction,Weight,Parent,Type,Target\n"
    "1,a,A,1,2,G,Indicator,\n1,b,B,-1,NA,G,Indicator,3\n2,G,,1,1,,Aggregate,\nNA,pop,,,,,Denominator,\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("index: i", "tree: must be given, or meta"),
        ("- a", "document: must be a mapping"),
        (TREE + "normalise: minmx", r"normalise: 'minmx' must be one of none, minmax"),
        (
            TREE + "normalise: {method: minmax, low: 1}",
            r"normalise\.low: minmax has no such parameter; there are range",
        ),
        (
            TREE + "normalise: {method: minmax, range: [1, 1]}",
            r"normalise\.range: must list two different numbers",
        ),
        (
            TREE + "normalise: {method: minmax, range: [0, 1], l_u: [0, 1]}",
            r"normalise\.l_u: says range a second time",
        ),
        (
            TREE + "normalise: {indicators: {q: rank}}",
            r"normalise\.indicators\.q: no such indicator; there are a, b",
        ),
        (TREE + "impute: group_mean", r"impute\.group: must be given for group_mean"),
        (
            TREE + "treat: {method: winsorise, winmax: -1}",
            r"treat\.winmax: must be a whole number of 0 or more",
        ),
        (TREE + "treat: {method: winsorise, then: sqrt}", r"treat\.then: 'sqrt' must be one of none, log_ct"),
        (TREE + "aggregate: [arithmetic]", r"aggregate: must list 2 methods, for levels 2 to 3"),
        (TREE + "aggregate: {levels: {4: geometric}}", r"aggregate\.levels\.4: no such level of aggregates"),
        (TREE + "aggregate: {available: 1.5}", r"aggregate\.available: must be a share between 0 and 1"),
        (
            TREE + "aggregate: {groups: {a: harmonic}}",
            r"aggregate\.groups\.a: no such aggregate; there are x, y, I",
        ),
        (TREE + "weights: ahp", r"weights\.groups: must be given"),
        (TREE + "weights: {values: {z: 1}}", r"weights\.values\.z: no such code"),
        (TREE + "weights: {a: 1, z: 1}", r"weights\.z: no such code; there are I"),
        (TREE + "weights: {values: {a: -1}}", r"weights\.values\.a: must not be below 0"),
        (
            TREE + "weights: {groups: {x: {method: ahp, matrix: [[1, 2], [1, 1]]}}}",
            r"weights\.groups\.x\.matrix: a to b is 2; b to a must be its reciprocal",
        ),
        (
            TREE + "weights: {groups: {x: {method: ahp, matrix: [[1]]}}}",
            r"must have 2 rows of 2 numbers, for a, b",
        ),
        (TREE + "denominate: true", r"denominate: no indicator has a denominator"),
        (TREE + "screen: {by: luck}", r"screen\.by: 'luck' must be one of missing, zeros, both, none"),
        (TREE + "results: {ties: rounded}", r"results\.decimals: must be given where ties"),
        (TREE + "exclude: [x]", r"exclude: 'x' is no indicator"),
        (TREE + "exclude: [a, b, c, d]", r"exclude: must leave at least one indicator"),
        (TREE + "sensitivity: {runs: 10}", r"sensitivity\.vary: must be given"),
        (TREE + "sensitivity: {vary: {}}", r"sensitivity\.vary: must name what varies"),
        (
            TREE + "sensitivity: {vary: {normalise: [rank]}}",
            r"sensitivity\.vary\.normalise: must list two or more",
        ),
        (
            TREE + "sensitivity: {vary: {noise: {3: 0.2}}}",
            r"noise\.3: no such level of weighted nodes; there are 1, 2",
        ),
        (TREE + "wieghts: equal", r"wieghts: no such key; there are index"),
        ("tree: {code: I, children: [a, a]}", r"a: this code stands there twice"),
        ("tree: a", r"tree: must have indicators below the index"),
        ("tree: {code: I, children: []}", r"tree\.children: must list one or more nodes"),
        ("tree: {code: I, target: 1, children: [a]}", r"tree\.target: is for indicators only"),
        ("tree: {code: I, children: [{code: a, direction: 2}]}", r"direction: 2 must be 1 .* or -1"),
        ("tree: {code: I, children: [{code: a b}]}", r"code: 'a b' must be one word"),
        (
            "tree: {code: I, children: [{code: a, goalposts: [1]}]}",
            r"goalposts: must list the lower and the upper",
        ),
        (
            "tree: {code: I, children: [{code: a, aggregate: geometric}]}",
            r"aggregate: is for nodes with children",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_key(text: str, said: str) -> None:
    with pytest.raises(Misdeclared, match=r"^spec\.yaml: .*" + said):
        spec(text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Level,iCode", "Lvl,iCode", "column Level: is not there"),
        (
            "1,a,A,1,2,G,Indicator",
            "1,a,A,1,2,G,Thing",
            "line 2, column Type: 'Thing' must be one of Indicator",
        ),
        ("1,a,A,1,2,G", "1,a,A,0,2,G", "line 2, column Direction: must be 1 or -1"),
        ("1,a,A,1,2,G", "1,a,A,1,x,G", "line 2, column Weight: 'x' must be a number"),
        ("1,a,A,1,2,G", "1,a,A,1,2,H", "a: its parent 'H' is not there"),
        ("2,G,,1", "3,G,,1", "a, column Parent: 'G' must stand on level 2, not 3"),
        ("1,b,B", "1,a,B", "a: this code stands there twice"),
    ],
)
def test_what_is_wrong_in_an_imeta_table_is_said(old: str, new: str, said: str) -> None:
    with pytest.raises(Misdeclared, match=rf"^m\.csv: {said}"):
        read_spec("meta: m.csv", "spec.yaml", lambda name: META.replace(old, new))


def test_an_imeta_table_is_a_tree() -> None:
    tree = read_spec("meta: m.csv", "spec.yaml", lambda name: META).tree
    assert (tree.top, tree.indicators, tree.levels) == ("G", ("a", "b"), 2)
    assert [(node.weight, node.direction, node.about) for node in tree.children("G")] == [
        (2.0, 1, {}),
        (1.0, -1, {"target": 3.0}),
    ]


def test_a_missing_imeta_table_is_named() -> None:
    def read(name: str) -> str:
        raise FileNotFoundError(2, "No such file or directory", name)

    with pytest.raises(Misdeclared, match=r"^spec\.yaml: meta: gone\.csv cannot be read"):
        read_spec("meta: gone.csv", "spec.yaml", read)


def test_levels_of_an_uneven_tree_are_counted_from_the_leaves() -> None:
    tree = spec("tree: {code: I, children: [a, {code: x, children: [b, c]}]}").tree
    assert {code: node.level for code, node in tree.nodes.items()} == {"I": 3, "a": 1, "x": 2, "b": 1, "c": 1}
    assert tree.shown() == ("I", "x", "a", "b", "c")


def test_excluding_the_last_indicator_of_an_aggregate_excludes_it() -> None:
    assert tuple(spec(TREE + "exclude: [a, b]").tree.nodes) == ("I", "y", "c", "d")


def test_an_indicator_goes_its_own_way_and_keeps_what_it_does_not_say() -> None:
    step = spec(
        TREE + "treat: {method: winsorise, winmax: 3, skew: 1, indicators: {a: {winmax: 1}, b: none}}"
    ).treat
    assert (step.of("a")["winmax"], step.of("a")["skew"], step.of("b").method, step.of("c")["winmax"]) == (
        *(1, 1.0, "none", 3),
    )


def test_american_keys_and_coinr_names_are_understood() -> None:
    declared = spec(
        TREE + "normalize: {method: n_zscore, m_sd: [10, 2]}\naggregation: a_gmean\nweighting: equal"
    )
    assert (declared.normalise.choice.method, declared.normalise.choice["m_sd"]) == ("zscore", (10.0, 2.0))
    assert (declared.aggregation.choice.method, declared.weighting.choice.method) == ("geometric", "equal")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "line 1: must name the columns"),
        ("uCode,a\n", "rows: there is none"),
        ("x,a\n1,2\n", "line 1: no column is named uCode or .*data.code"),
        ("uCode,a,a\nA,1,2\n", "line 1: 'a' stands there twice"),
        ("uCode,a\nA,1\nA,2\n", "line 3, column uCode: 'A' stands there twice"),
        ("uCode,a\n,1\n", "line 2, column uCode: must name the unit"),
        ("uCode,a\nA,1,2\n", "line 2: has 3 cells; the header names 2 columns"),
        ("uCode,a\nA\n", "line 2: has 1 cells; the header names 2 columns"),
        ("uCode,a\nA,1\nB,twelve\n", "line 3, unit B, column a: 'twelve' must be a number"),
        ("uCode,a\nA,inf\n", "line 2, unit A, column a: 'inf' must be a number"),
        ("uCode,b\nA,1\n", r"column a: is not there; spec\.yaml wants it for the indicator a"),
    ],
)
def test_what_is_wrong_in_the_data_is_said_with_its_line(data: str, said: str) -> None:
    declared = spec("tree: {code: I, children: [a]}")
    with pytest.raises(Misdeclared, match=rf"^data\.csv: {said}"):
        compute(declared, source(data, declared))
