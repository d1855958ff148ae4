"""From the score of an index back to its indicators' figures, and through them to the messages; and up again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from dagster_project.build.figures import Count, figures
from dagster_project.build.index import Index, Values, computed, figures_sql, scores
from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_build import external_tables
from dagster_project.build.provenance import Input
from dagster_project.composite.results import weights
from dagster_project.explain.explanation import Explanation, Message, Share, Source
from dagster_project.explain.figure import Known, Question, explain, frame
from dagster_project.explain.replay import Replayed, recount
from dagster_project.warehouse import Warehouse


def explain_index(
    warehouse: Warehouse, known: Known, index: Index, question: Question, limit: int | None = None
) -> Explanation:
    """Everything about one score: what each indicator adds to it, and each of their figures explained.

    Whether the region's own figures make its score alone is tried; where they do not (it is placed among the
    others), the messages are those of all regions.
    """
    found, read = frame(warehouse, known, question)
    items = {item.id: item for item in index.inputs.values()}
    builds = _builds(read, question)
    values = _values(warehouse, items.values(), question, builds)
    own = {
        id: {code: value for code, value in of.items() if code == question.region}
        for id, of in values.items()
    }
    alone = scores(index, own, known.regions).get(question.region) == found.figure["value"]
    inputs: list[Explanation] = []
    for id in sorted(items):
        asked = replace(question, indicator=items[id], build=builds[items[id].table], everywhere=not alone)
        left = None if limit is None else limit - sum(len(item.messages) for item in inputs)
        inputs.append(explain(warehouse, known, asked, left))
    return replace(
        found,
        sources=_sources(inputs),
        sufficient=alone and all(item.sufficient for item in inputs),
        messages_total=sum(item.messages_total for item in inputs),
        messages=_each_once(inputs),
        shares=tuple(_shares(index, values, known, question)),
        inputs=tuple(inputs),
    )


def replay_index(
    warehouse: Warehouse, known: Known, index: Index, question: Question, found: Explanation
) -> Replayed:
    """The score made again: its indicators' figures from their messages alone, and the index from those."""
    day, absent = question.day, 0
    items = {item.id: item for item in index.inputs.values()}
    values: dict[str, dict[str, float]] = {}
    for told in found.inputs:
        item = items[told.indicator]
        counts, gone = recount(warehouse, known, item, day, told.messages)
        absent += gone
        made = figures(item, known.regions, counts, {}, {day: day})
        values[item.id] = {one.region: one.value for one in made if one.value is not None}
    placed = scores(index, values, known.regions)
    again = figures(
        index.indicator,
        known.regions,
        [Count(day, region, score, 1.0) for region, score in placed.items()],
        {},
        {day: day},
    )
    one = next((figure for figure in again if figure.region == question.region), None)
    read = sum(len(told.messages) for told in found.inputs) - absent
    if one is None:
        return Replayed(0.0, 0.0, None, read, absent)
    return Replayed(one.numerator or 0.0, one.denominator or 0.0, one.value, read, absent)


def _builds(read: Iterable[Input], question: Question) -> dict[str, str]:
    """The build of each indicator whose figures of the period were read."""
    return {item.table: item.build_id for item in read if question.day in item.span}


def _values(
    warehouse: Warehouse, items: Iterable[Indicator], question: Question, builds: dict[str, str]
) -> dict[str, dict[str, float]]:
    """The observed figures the index was made of, by indicator id and region."""
    by_table = {item.table: item.id for item in items}
    candidates = [(table, question.day, build) for table, build in builds.items()]
    rows = warehouse.rows(figures_sql(sorted(by_table)), external_tables(candidates, [question.day]))
    values: dict[str, dict[str, float]] = {id: {} for id in by_table.values()}
    for _, table, region, value in rows:
        values[by_table[table]][region] = value
    return values


def _shares(index: Index, values: Values, known: Known, question: Question) -> Iterable[Share]:
    made = computed(index, values, known.regions)
    scored = made is not None and question.region in made.contributions.units
    effective = {row[0]: float(str(row[6])) for row in weights(made)} if made else {}
    for code, item in index.inputs.items():
        score = contribution = None
        if made is not None and scored:
            at = made.contributions.units.index(question.region)
            score = _told(made.steps["normalised"].column(code)[at])
            contribution = _told(made.contributions.column(code)[at])
        value = values[item.id].get(question.region)
        yield Share(code, item.id, item.title_zh, value, score, effective.get(code), contribution)


def _told(figure: float) -> float | None:
    return float(figure) if math.isfinite(figure) else None


def _sources(inputs: Iterable[Explanation]) -> tuple[Source, ...]:
    found: list[Source] = []
    for source in (source for item in inputs for source in item.sources):
        if source not in found:
            found.append(source)
    return tuple(found)


def _each_once(inputs: Iterable[Explanation]) -> tuple[Message, ...]:
    return tuple(dict.fromkeys(message for item in inputs for message in item.messages))
