"""Air quality in two major versions: the shipped one as the older, and a second one with other names and units."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from schemas.contract import FEEDS, load_contracts
from schemas.contract_model import Contract
from schemas.declaration import parse_yaml

FEED, OLD, NEW = "ecology.air-quality", "ecology.air-quality.v1", "ecology.air-quality.v2"
AIR = Path("ecology/air-quality.yaml")
SHIPPED = FEEDS / AIR
UPGRADE: dict[str, Any] = {
    "site": {"from": "station"},
    "period": {"from": "averaging", "values": {"1h": "hour", "24h": "day"}},
    "pm25_mg": {"from": "pm25", "factor": 0.001},
    "method": {"default": "beta"},
}
Document = dict[str, Any]


def document(path: Path = SHIPPED) -> Document:
    found: Document = parse_yaml(path.read_text(encoding="utf-8"), str(path)).value
    return found


def newest() -> Document:
    """The second major version."""
    found = document()
    found["version"] = "2.0.0"
    station, region, averaging, pm25, aqi = found["schema"][0]["properties"]
    station["name"], averaging["name"], pm25["name"] = "site", "period", "pm25_mg"
    averaging["quality"][0]["arguments"]["validValues"] = ["hour", "day"]
    pm25["customProperties"][0]["value"] = "mg/m3"
    pm25["logicalTypeOptions"]["maximum"] = 1
    method = deepcopy(averaging) | {"name": "method", "description": "How it is measured."}
    method["quality"][0]["arguments"]["validValues"] = ["beta", "laser"]
    found["schema"][0]["properties"] = [station, region, averaging, pm25, aqi, method]
    keep = [
        item
        for item in found["customProperties"]
        if item["property"] not in ("intake", "simulate", "examples")
    ]
    next(item for item in keep if item["property"] == "subject")["value"] = ["site"]
    data = {"site": "1233A", "region": "330110", "period": "hour", "pm25_mg": 0.0355, "method": "beta"}
    examples = {
        "accepted": [{"name": "a reading", "data": data}],
        "rejected": [{"name": "zero", "data": data | {"pm25_mg": 0}, "field": "pm25_mg", "rule": "missing"}],
    }
    found["customProperties"] = [*keep, {"property": "examples", "value": examples}]
    return found


def older(ends: str = "2027-06-30", upgrade: dict[str, Any] | None = UPGRADE) -> Document:
    """The shipped contract as the older major version, as its owner would edit it."""
    found = document()
    found |= {"version": "1.1.0", "status": "deprecated"}
    found["slaProperties"] = [
        *found["slaProperties"],
        {"property": "endOfSupport", "value": "2026-01-01"},
        {"property": "endOfLife", "value": ends},
    ]
    if upgrade is not None:
        found["customProperties"].append({"property": "upgrade", "value": deepcopy(upgrade)})
    return found


def write(root: Path, name: str, text: Document) -> Path:
    """One contract of air quality into a folder of feeds."""
    path = root / "ecology" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(text, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def declare(root: Path, first: Document | None = None, second: Document | None = None) -> dict[str, Contract]:
    """The shipped feeds with air quality in two major versions."""
    if not root.exists():
        shutil.copytree(FEEDS, root)
    write(root, "air-quality", second or newest())
    write(root, "air-quality.v1", first or older())
    return load_contracts(root)
