"""Declarations of a programme that has grown, written by the benchmark: 65 feeds, 140 rules, 140 indicators.

Two of the feeds are those the platform writes itself. Of the rules 90 are of their feed's own key, 40 are re-keyed
(by region, or over two feeds) and 10 are composites of others; every kind of condition is among them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from schemas.department_yaml import load_departments
from schemas.in_use import FILES

FEEDS, OWN_KEY, REKEYED, COMPOSITE, INDICATORS = 63, 90, 40, 10, 140
DOMAINS = ("air", "water", "health", "safety", "transport", "market", "culture")

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: urn:liaowang:feed:{feed}
name: Readings {number}
version: 1.0.0
status: active
domain: {domain}
dataProduct: growth
description: {{purpose: Readings of a station., usage: One event a station and hour., limitations: None.}}
schema:
  - name: {table}
    logicalType: object
    physicalType: event
    description: One reading of one station.
    dataGranularityDescription: One event a station and hour.
    properties:
      - {{name: station, logicalType: string, required: true, logicalTypeOptions: {{maxLength: 32}},
         classification: public, description: Its code.}}
      - {{name: region, logicalType: string, required: true,
         classification: public, description: Its county.}}
      - name: stage
        logicalType: string
        required: true
        classification: public
        description: What it tells.
        quality: [{{metric: invalidValues, arguments: {{validValues: [begun, reading, ended]}}, mustBe: 0}}]
      - {{name: value, logicalType: number, required: true, logicalTypeOptions: {{minimum: 0, maximum: 1000}},
         classification: public, description: What was measured.}}
      - {{name: second, logicalType: number, required: false, logicalTypeOptions: {{minimum: 0}},
         classification: public, description: Beside it.}}
      - {{name: people, logicalType: integer, required: false, logicalTypeOptions: {{minimum: 0}},
         classification: public, description: How many it concerns.}}
      - {{name: note, logicalType: string, required: false, logicalTypeOptions: {{maxLength: 200}},
         classification: internal, description: Words.}}
customProperties:
  - {{property: feed, value: {feed}}}
  - {{property: department, value: {domain}}}
  - {{property: subject, value: [station]}}
  - {{property: region, value: {{field: region, levels: [county]}}}}
  - {{property: lateness, value: PT2H}}
  - {{property: retention, value: P1095D}}
  - property: examples
    value:
      accepted: [{{name: a reading, data: {{station: S1, region: "330110", stage: reading, value: 35.5}}}}]
      rejected:
        - {{name: no value, data: {{station: S1, region: "330110", stage: reading}}, field: value, rule: required}}
"""

DEPARTMENT = """
  - department: {id}
    name: {{zh: 基准 {id}, en: benchmark {id}}}
    regions: ["330000"]
    contact: {{stewards: [{id}-steward]}}
    service_levels: [{{property: frequency, value: 1, unit: h}}]
"""

RULE = """
rule: {id}
version: 1
title: {{zh: 基准 {id}, en: benchmark {id}}}
{feed}subject: {subject}
condition: {condition}
levels: {levels}
{more}runbook: none
duty_role: duty-desk
"""

EXAMPLE = """examples:
  - name: one high reading
    events:
      - time: "2026-03-01T00:00:00+08:00"
        data: {station: S1, region: "330106", stage: reading, value: 750}
    warns: [{subject: S1, kind: opened, level: blue}]
"""
OWN = (
    ("{kind: threshold, field: value}", "{blue: 700, red: 900}", f"recovery: 600\n{EXAMPLE}"),
    ("{kind: count, window: PT1H}", "{yellow: 500}", ""),
    ("{kind: aggregate, aggregate: mean, field: value, window: PT3H, windows: sliding}", "{blue: 700}", ""),
    ("{kind: absence}", "{yellow: PT6H, orange: P1D}", ""),
    ("{kind: change, field: value, over: PT1H}", "{yellow: 800}", ""),
    ("{kind: baseline, field: value, slot: hour-of-day, as: sigma}", "{blue: 3}", ""),
    (
        "{kind: ratio, of: {aggregate: count, where: {stage: ended}}, to: {aggregate: count}, window: P1D,"
        " minimum: 5}",
        "{blue: 0.9}",
        "",
    ),
    (
        "{kind: sequence, first: {where: {stage: begun}}, then: {where: {stage: ended}}}",
        "{blue: PT8H, red: P2D}",
        "",
    ),
    (
        "{kind: surge, method: ewma, field: value, aggregate: mean, every: PT1H, measure: statistic}",
        "{yellow: 900}",
        "",
    ),
)
"""Conditions of a feed's own key: what they are, levels, more keys."""
BY_REGION = (
    ("{kind: count, window: PT1H}", "{yellow: 100000}"),
    ("{kind: aggregate, aggregate: mean, field: value, window: PT6H}", "{yellow: 900}"),
    (
        "{kind: surge, method: ears-c2, field: value, aggregate: sum, every: P1D,"
        " parameters: {baseline: 7, min_sigma: 1}}",
        "{yellow: 50}",
    ),
)
TWO_FEEDS = (
    "{{kind: correlation, within: P1D, of: [{{feed: {one}, field: value, at_least: 900}},"
    " {{feed: {other}, field: value, at_least: 900}}]}}"
)
INDICATOR = """
id: {id}
title: {{zh: 基准 {id}, en: benchmark {id}}}
description: Mean reading of a city on a day.
unit: "%"
factor: 1
decimals: 1
direction: higher
bounds: {{minimum: 0}}
regions: city
period: day
lookback: {lookback}
owner: growth
limits: Written by a benchmark.
sql: |
{sql}
examples:
  - name: one reading of each city
    day: "2026-03-10"
    given:
      {feed}:
        - {{event_day: "2026-03-10", station: S1, region: "330106", stage: ended, value: 10, people: 3}}
        - {{event_day: "2026-03-10", station: S2, region: "330203", stage: ended, value: 10, people: 3}}
    expect:
      "330100": {{level: 持平}}
      "330200": {{level: 持平}}
"""
MEAN = """
  SELECT event_day AS day, concat(substring(region, 1, 4), '00') AS region,
    sum(toInt64(round(value * 1000000))) / 1000000 AS numerator, count() AS denominator
  FROM built.{table} WHERE event_day BETWEEN {{first:Date}} AND {{last:Date}} GROUP BY day, region"""
SHARE = """
  WITH subjects AS (
    SELECT station, argMin(region, (time, id)) AS county, toDate(min(time)) AS begun,
      countIf(stage = 'ended') AS ends
    FROM built.{table} GROUP BY station
  )
  SELECT begun AS day, place.parent AS region, countIf(ends > 0) * 100 AS numerator, count() AS denominator
  FROM subjects INNER JOIN mart.region AS place ON place.code = subjects.county
  WHERE place.level = 'county' AND begun BETWEEN {{first:Date}} AND {{last:Date}} GROUP BY day, region"""
WEEK = """
  SELECT day, region, sum(people) AS numerator, any(population) AS denominator
  FROM (
    SELECT event_day + arrayJoin(range(7)) AS day, concat(substring(region, 1, 4), '00') AS region,
      ifNull(people, 0) AS people
    FROM built.{table}
  ) AS reports
  INNER JOIN (SELECT code, population FROM mart.region WHERE population > 0) AS inhabitants
    ON inhabitants.code = reports.region
  WHERE day BETWEEN {{first:Date}} AND {{last:Date}} GROUP BY day, region"""
FIGURES = ((MEAN, 1), (SHARE, 31), (WEEK, 7))


def feeds() -> list[str]:
    """The feeds it writes, by id."""
    return [f"{DOMAINS[number % len(DOMAINS)]}.readings-{number:02}" for number in range(FEEDS)]


def write_declarations(folder: Path) -> Path:
    """Write them all; the folder is what `LIAOWANG_DECLARATIONS` is set to."""
    for kind in ("feeds", "rules", "indicators", "indexes"):
        (folder / kind).mkdir(parents=True)
    shutil.copytree(FILES.feeds / "duty", folder / "feeds" / "duty")
    shutil.copyfile(FILES.roles, folder / "roles.yaml")
    shutil.copyfile(FILES.departments, folder / "departments.yaml")
    declared = {each.id for each in load_departments()}
    with (folder / "departments.yaml").open("a", encoding="utf-8") as file:
        file.writelines(DEPARTMENT.format(id=id) for id in (*DOMAINS, "growth") if id not in declared)
    for number, feed in enumerate(feeds()):
        domain, name = feed.split(".")
        text = CONTRACT.format(feed=feed, domain=domain, number=number, table=name.replace("-", "_"))
        _write(folder / "feeds", feed, text)
    for id, text in [*own_key(), *rekeyed(), *composite()]:
        _write(folder / "rules", id, text)
    for id, text in indicators():
        _write(folder / "indicators", id, text)
    return folder


def own_key() -> Iterator[tuple[str, str]]:
    """Rules of their feed's own key, every kind in turn."""
    for number in range(OWN_KEY):
        feed = feeds()[number % FEEDS]
        condition, levels, more = OWN[number % len(OWN)]
        yield _rule(_id(number, "own"), feed, "[station]", condition, levels, more)


def rekeyed() -> Iterator[tuple[str, str]]:
    """Rules by region, and every fourth over two feeds."""
    for number in range(REKEYED):
        one, other = feeds()[number], feeds()[(number + 1) % FEEDS]
        if number % 4 == 3:
            condition = TWO_FEEDS.format(one=one, other=other)
            yield _rule(_id(number, "both"), "", '"{region:city}"', condition, "{yellow: all}", "")
        else:
            condition, levels = BY_REGION[number % len(BY_REGION)]
            yield _rule(_id(number, "region"), one, "[region]", condition, levels, "")


def composite() -> Iterator[tuple[str, str]]:
    """Rules made of three thresholds each, by city."""
    for number in range(COMPOSITE):
        members = ", ".join(
            f"{{rule: {_id(9 * ((number + each) % COMPOSITE), 'own')}, level: blue}}" for each in range(3)
        )
        condition = f"{{kind: composite, of: [{members}], within: PT1H, count: warnings}}"
        yield _rule(_id(number, "many"), "", '"{region:city}"', condition, "{yellow: 2, red: 8}", "")


def indicators() -> Iterator[tuple[str, str]]:
    """Indicators over the feeds in turn: a mean, a share with its lookback, a sum over seven days."""
    for number in range(INDICATORS):
        feed = feeds()[number % FEEDS]
        sql, lookback = FIGURES[number % len(FIGURES)]
        table = feed.replace(".", "_").replace("-", "_")
        id = f"{feed.split('.')[0]}.figure-{number:03}"
        yield (
            id,
            INDICATOR.format(id=id, feed=feed, lookback=lookback, sql=sql.format(table=table).strip("\n")),
        )


def _rule(id: str, feed: str, subject: str, condition: str, levels: str, more: str) -> tuple[str, str]:
    reads = f"feed: {feed}\n" if feed else ""
    text = RULE.format(id=id, feed=reads, subject=subject, condition=condition, levels=levels, more=more)
    return id, text


def _id(number: int, what: str) -> str:
    return f"{DOMAINS[number % len(DOMAINS)]}.{what}-{number:03}"


def _write(folder: Path, id: str, text: str) -> None:
    domain, name = id.split(".")
    (folder / domain).mkdir(exist_ok=True)
    (folder / domain / f"{name}.yaml").write_text(text.lstrip("\n"), encoding="utf-8")
