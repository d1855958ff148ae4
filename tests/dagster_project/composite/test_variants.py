"""Other years of the HDI and other ways through the ASEM index, against the same arithmetic written anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dagster_project.composite.compute import compute
from dagster_project.composite.results import ranks, results
from dagster_project.composite.source import read_source
from dagster_project.composite.spec import read_spec
from tests.dagster_project.composite.given import EXAMPLES, REFERENCE, published, spec
from tests.dagster_project.composite.test_oracles import winsorised
from tests.dagster_project.composite.test_published import ASIA

INCOME = "gni_per_capita_ppp2017"


def countries(year: int) -> pd.DataFrame:
    """Made-up countries, some of them beyond the goalposts, one without a figure."""
    random = np.random.default_rng(year)
    table = pd.DataFrame(
        {
            "year": year,
            "iso3": [f"C{at:02}" for at in range(60)],
            "country": [f"国家{at}" for at in range(60)],
            "life_expectancy": random.uniform(45, 87, 60),
            "expected_years_schooling": random.uniform(4, 22, 60),
            "mean_years_schooling": random.uniform(1, 14.5, 60),
            INCOME: np.exp(random.uniform(np.log(500), np.log(130_000), 60)),
        }
    )
    table.loc[7, "mean_years_schooling"] = np.nan
    return table


def hdi(row: pd.Series) -> float:
    """UNDP's technical note 1, country by country."""
    health = min((row.life_expectancy - 20) / 65, 1)
    education = (min(row.expected_years_schooling / 18, 1) + min(row.mean_years_schooling / 15, 1)) / 2
    income = min((np.log(row[INCOME]) - np.log(100)) / (np.log(75000) - np.log(100)), 1)
    return float((health * education * income) ** (1 / 3)) if pd.notna(row.mean_years_schooling) else np.nan


@pytest.mark.parametrize("year", [1990, 2005, 2022])
def test_the_hdi_of_any_year_in_a_table_of_many(year: int) -> None:
    everything = pd.concat([countries(each) for each in (1990, 2005, 2022)])
    text = (EXAMPLES / "hdi.yaml").read_text(encoding="utf-8")
    text = text.replace("name: country}", f"name: country, where: {{year: {year}}}}}")
    declared = read_spec(text, "hdi.yaml", lambda name: "")
    made = compute(declared, read_source(everything.to_csv(index=False), "all.csv", declared.reading))
    wanted = countries(year).apply(hdi, axis=1)
    assert made.steps["aggregated"].column("HDI") == pytest.approx(wanted.to_numpy(), rel=1e-12, nan_ok=True)
    shown = wanted.map(lambda score: round(score, 3))
    assert results(made).column("HDI") == pytest.approx(shown.to_numpy(), nan_ok=True)
    places = shown.rank(method="min", ascending=False).to_numpy()
    assert ranks(made).column("HDI") == pytest.approx(places, nan_ok=True)


class Asem:
    """The ASEM index in pandas and scipy: denominated figures up to the top, each step as it is told."""

    def __init__(self) -> None:
        self.text = (REFERENCE / "dset_Denominated.csv").read_text()
        self.table = pd.read_csv(REFERENCE / "dset_Denominated.csv").set_index("uCode").sort_index()
        meta = pd.read_csv(REFERENCE / "asem_iMeta.csv")
        self.nodes = meta[meta["Type"].isin(["Indicator", "Aggregate"])].set_index("iCode")
        self.leaves = list(self.nodes.index[self.nodes["Type"] == "Indicator"])
        self.groups = pd.Series(["Asia" if unit in ASIA else "Europe" for unit in self.table.index])
        self.groups.index = self.table.index

    def grouped(self) -> str:
        """The table as text, with the group as a column."""
        return self.table.assign(group=self.groups).to_csv()

    def up(self, normalised: pd.DataFrame, weights: Any, mean: Any) -> pd.DataFrame:
        """Scores of all aggregates; `weights` of a code, `mean` of scores and weights at a level."""
        scores = normalised.copy()
        for level in (2, 3, 4):
            for code in self.nodes.index[self.nodes["Level"] == level]:
                children = list(self.nodes.index[self.nodes["Parent"] == code])
                heavy = np.array([weights(child) for child in children], dtype=float)
                rows = scores[children].to_numpy()
                scores[code] = [_mean(row, heavy, mean[level - 2]) for row in rows]
        return scores


def _mean(row: Any, weights: Any, mean: Any) -> float:
    there = ~np.isnan(row)
    return float(mean(row[there], weights[there])) if there.any() else np.nan


def amean(x: Any, w: Any) -> float:
    return float(np.average(x, weights=w))


def gmean(x: Any, w: Any) -> float:
    return float(stats.gmean(x, weights=w))


def hmean(x: Any, w: Any) -> float:
    return float(stats.hmean(x, weights=w))


@published
@pytest.mark.parametrize(
    ("text", "fill", "treat", "scale", "equal", "mean"),
    [
        (
            "impute: {method: group_median, group: group}\ntreat: {winmax: 3, skew: 1.5, kurt: 3, method: win,"
            " then: none}\nnormalise: {method: minmax, range: [1, 100]}\naggregate: [geometric, a_hmean, a_amean]",
            lambda x, groups: x.fillna(x.groupby(groups).transform("median")),
            lambda x: winsorised(x, 3, 1.5, 3),
            lambda x: (x - x.min()) / (x.max() - x.min()) * 99 + 1,
            False,
            (gmean, hmean, amean),
        ),
        (
            "impute: median\nnormalise: {method: zscore, m_sd: [10, 2]}\nweights: equal\n"
            "aggregate: {method: arithmetic, levels: {4: geometric}}",
            lambda x, groups: x.fillna(x.median()),
            lambda x: x,
            lambda x: (x - x.mean()) / x.std() * 2 + 10,
            True,
            (amean, amean, gmean),
        ),
        (
            "normalise: prank\nweights: {Conn: 3, Sust: 1, Physical: 2}",
            lambda x, groups: x,
            lambda x: x,
            lambda x: (x.rank(method="min") - 1) / (x.count() - 1),
            {"Conn": 3.0, "Physical": 2.0},
            (amean, amean, amean),
        ),
    ],
)
def test_another_way_through_the_asem_index(
    text: str, fill: Any, treat: Any, scale: Any, equal: Any, mean: Any
) -> None:
    asem = Asem()
    declared = spec(f"meta: asem_iMeta.csv\n{text}")
    made = compute(declared, read_source(asem.grouped(), "asem.csv", declared.reading))
    filled = asem.table[asem.leaves].apply(lambda x: fill(x, asem.groups))
    treated = filled.apply(lambda x: pd.Series(treat(x.to_numpy(dtype=float)), index=x.index))
    normalised = treated.apply(lambda x: scale(x * asem.nodes["Direction"][x.name]))
    own = equal if isinstance(equal, dict) else {}
    wanted = asem.up(
        normalised, lambda code: 1.0 if equal is True else own.get(code, asem.nodes["Weight"][code]), mean
    )
    assert made.steps["imputed"].values == pytest.approx(filled.to_numpy(), rel=1e-9, nan_ok=True)
    assert made.steps["treated"].values == pytest.approx(treated.to_numpy(), rel=1e-9, nan_ok=True)
    scores = made.steps["aggregated"]
    assert list(scores.units) == list(wanted.index)
    for code in scores.codes:
        assert scores.column(code) == pytest.approx(
            wanted[code].to_numpy(), rel=1e-9, abs=1e-9, nan_ok=True
        ), code
    top = declared.tree.top
    places = wanted[top].round(9).rank(method="min", ascending=False)
    assert list(ranks(made).column(top)) == list(places)
