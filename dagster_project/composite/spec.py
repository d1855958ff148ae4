"""An index as declared in one YAML file: its tree, its steps and what is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dagster_project.composite import impute, normalise, treat
from dagster_project.composite.aggregate import Aggregation
from dagster_project.composite.analyse import CORRELATIONS
from dagster_project.composite.meta import read_meta
from dagster_project.composite.methods import Step, choose_step
from dagster_project.composite.source import Reading
from dagster_project.composite.spec_steps import (
    Denominator,
    Screen,
    read_aggregation,
    read_denominators,
    read_screen,
    read_weighting,
)
from dagster_project.composite.spec_vary import Nominal, Sensitivity, read_sensitivity
from dagster_project.composite.tree import Tree, read_tree
from dagster_project.composite.weigh import Weighting
from schemas.declaration import Entry, parse_yaml

KEYS = (
    *("index", "title", "description", "note", "owner", "data", "meta", "tree", "exclude"),
    *("denominate", "impute", "screen", "treat", "normalise", "weights", "aggregate"),
    *("correlation", "sensitivity", "results", "schema"),
)
_SAME = {"normalize": "normalise", "weighting": "weights", "aggregation": "aggregate", "imputation": "impute"}


@dataclass(frozen=True)
class Shown:
    """How results are shown: decimals of scores (None: all), and whether ranks go by the shown figure."""

    decimals: int | None = None
    ties: str = "exact"


@dataclass(frozen=True)
class Spec:
    """One declared index; `where` is its file. `data` is the file of the table, where the spec names one."""

    where: str
    index: str
    title_zh: str
    title_en: str
    note: str
    reading: Reading
    data: str
    tree: Tree
    denominators: Mapping[str, Denominator]
    impute: Step
    screen: Screen
    treat: Step
    normalise: Step
    weighting: Weighting
    aggregation: Aggregation
    shown: Shown
    correlation: str = "pearson"
    sensitivity: Sensitivity | None = None
    warnings: tuple[str, ...] = field(default=())


def read_spec(text: str, where: str, read: Callable[[str], str]) -> Spec:
    """The index a YAML text declares; `read` gives the text of a file named in it (`meta`)."""
    return spec_of(parse_yaml(text, where), read)


def spec_of(entry: Entry, read: Callable[[str], str]) -> Spec:
    """The index an entry declares, which may be part of a larger declaration."""
    if isinstance(entry.value, dict):
        renamed = {_SAME.get(key, key): value for key, value in entry.value.items()}
        entry = Entry(entry.where, entry.key, renamed)
    parts = entry.mapping(optional=KEYS)
    tree = _tree(entry, parts, read)
    codes = tree.indicators
    titles = _titles(parts.get("title"), tree)
    data = _data(entry.at("data"))
    denominators, notes = read_denominators(entry.at("denominate"), tree)
    nominal = Nominal(
        {
            "impute": choose_step(entry.at("impute"), impute.METHODS, "none", codes),
            "treat": choose_step(entry.at("treat"), treat.METHODS, "none", codes),
            "normalise": choose_step(entry.at("normalise"), normalise.METHODS, "minmax", codes),
        },
        read_weighting(entry.at("weights"), tree),
        read_aggregation(entry.at("aggregate"), tree),
    )
    return Spec(
        where=entry.where,
        index=parts["index"].text() if "index" in parts else tree.top,
        title_zh=titles[0],
        title_en=titles[1],
        note=parts["note"].text() if "note" in parts else "",
        reading=data[0],
        data=data[1],
        tree=tree,
        denominators=denominators,
        impute=nominal.steps["impute"],
        screen=read_screen(entry.at("screen")),
        treat=nominal.steps["treat"],
        normalise=nominal.steps["normalise"],
        weighting=nominal.weighting,
        aggregation=nominal.aggregation,
        shown=_shown(entry.at("results")),
        correlation=parts["correlation"].text(CORRELATIONS) if "correlation" in parts else "pearson",
        sensitivity=read_sensitivity(entry.at("sensitivity"), tree, nominal),
        warnings=notes,
    )


def _tree(entry: Entry, parts: Mapping[str, Entry], read: Callable[[str], str]) -> Tree:
    if ("tree" in parts) == ("meta" in parts):
        raise entry.at("tree").wrong("must be given, or meta: the file of an iMeta table; one of the two")
    if "meta" in parts:
        file = parts["meta"].text()
        try:
            tree = read_meta(read(file), file)
        except (OSError, UnicodeDecodeError) as error:
            raise parts["meta"].wrong(f"{file} cannot be read: {error}") from None
    else:
        tree = read_tree(parts["tree"])
    excluded = parts["exclude"].texts() if "exclude" in parts else ()
    for code in excluded:
        if code not in tree.indicators:
            raise parts["exclude"].wrong(f"{code!r} is no indicator; there are {', '.join(tree.indicators)}")
    if len(excluded) == len(tree.indicators):
        raise parts["exclude"].wrong("must leave at least one indicator")
    return tree.without(excluded)


def _titles(entry: Entry | None, tree: Tree) -> tuple[str, str]:
    if entry is None:
        return tree.nodes[tree.top].name, tree.nodes[tree.top].name
    if isinstance(entry.value, str):
        return entry.text(), entry.text()
    parts = entry.mapping(["zh"], ["en"])
    return parts["zh"].text(), (parts["en"] if "en" in parts else parts["zh"]).text()


def _data(entry: Entry) -> tuple[Reading, str]:
    if entry.value is None:
        return Reading(), ""
    if isinstance(entry.value, str):
        return Reading(), entry.text()
    parts = entry.mapping(optional=("code", "name", "where", "file"))
    where = parts["where"].mapping() if "where" in parts else {}
    said = {column: str(value.value) for column, value in where.items()}
    texts = {key: parts[key].text() if key in parts else "" for key in ("code", "name", "file")}
    return Reading(texts["code"], texts["name"], said), texts["file"]


def _shown(entry: Entry) -> Shown:
    if entry.value is None:
        return Shown()
    parts = entry.mapping(optional=("decimals", "ties"))
    decimals = parts["decimals"].integer() if entry.at("decimals").value is not None else None
    if decimals is not None and not 0 <= decimals <= 15:
        raise parts["decimals"].wrong("must be between 0 and 15")
    ties = parts["ties"].text(("exact", "rounded")) if "ties" in parts else "exact"
    if ties == "rounded" and decimals is None:
        raise entry.at("decimals").wrong("must be given where ties are those of rounded scores")
    return Shown(decimals, ties)
