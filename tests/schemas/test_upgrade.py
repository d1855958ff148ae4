"""An event of an older major version, upgraded, is what its sender would have sent as the newer one."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract_model import Contract
from schemas.decoder import Decoder
from schemas.errors import Misdeclared
from schemas.event import encode_event
from schemas.fields import SHANGHAI
from schemas.majors import upgraders
from schemas.upgrade import Upgrader
from tests.majors import FEED, NEW, OLD, UPGRADE, Document, declare, newest, older, write

TIME = datetime(2026, 3, 1, 9, tzinfo=SHANGHAI)
READING = {"station": "1233A", "region": "330110", "averaging": "1h", "pm25": 35}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Contract]]:
    yield declare(tmp_path_factory.mktemp("majors") / "feeds")


def raw(type: str, data: dict[str, Any], **more: Any) -> bytes:
    return encode_event(**{"id": "1", "source": "/test", "time": TIME, "type": type, "data": data} | more)


def upgraded(contracts: dict[str, Contract], event: bytes) -> bytes | None:
    (step,) = upgraders(contracts, contracts[OLD])
    found = step(event)
    return found and found[1]


@given(
    station=st.from_regex(r"\A[0-9A-Za-z-]{1,32}\Z"),
    averaging=st.sampled_from(["1h", "24h"]),
    pm25=st.decimals(min_value="0.001", max_value=1000, places=3),
    aqi=st.none() | st.integers(0, 500),
    id=st.text("abc-0|é", min_size=1, max_size=20),
    corrects=st.sampled_from(["", "earlier"]),
    timeline=st.sampled_from(["", "drill"]),
    late=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)),
)
def test_an_upgraded_event_is_the_one_its_sender_would_have_sent(
    both: dict[str, Contract], station: str, averaging: str, pm25: Decimal, aqi: int | None,
    id: str, corrects: str, timeline: str, late: timedelta,
) -> None:  # fmt: skip
    more = {"id": id, "corrects": corrects, "timeline": timeline, "time": TIME - late}
    place = {"region": "330110"} | ({} if aqi is None else {"aqi": aqi})
    sent = {"station": station, "averaging": averaging, "pm25": float(pm25), "unknown": 1} | place
    same = {"site": station, "period": {"1h": "hour", "24h": "day"}[averaging], "method": "beta"} | place
    decode = Decoder(both[FEED]).decode
    found = upgraded(both, raw(OLD, sent, **more))
    assert found is not None
    milligrams = float(str(pm25 / 1000))
    assert decode(found) == decode(raw(NEW, same | {"pm25_mg": milligrams}, **more))


def test_what_the_older_version_rejects_is_not_upgraded(both: dict[str, Contract]) -> None:
    for event in (raw(OLD, READING | {"pm25": 0}), raw(NEW, READING), b"oops", b"", raw(OLD, {})):
        assert upgraded(both, event) is None


def test_bytes_of_any_form_are_upgraded_or_rejected(both: dict[str, Contract]) -> None:
    event = raw(OLD, READING | {"huge": 1}).replace(b'"huge":1', b'"huge":1e999')
    assert upgraded(both, event) is not None, "what nobody reads is not looked at"


def test_numbers_are_multiplied_as_people_do(both: dict[str, Contract]) -> None:
    found = Upgrader(both[OLD], both[FEED])(raw(OLD, READING | {"pm25": 70.1}))
    assert found is not None and found[0]["pm25_mg"] == 0.0701


def test_a_boolean_has_two_values(tmp_path: Path) -> None:
    method = {"from": "valid", "values": {"true": "beta", "false": "laser"}}
    flagged = older(upgrade=edited(method=method))
    flag = {"name": "valid", "logicalType": "boolean", "required": True, "classification": "public"}
    flagged["schema"][0]["properties"].append(flag | {"description": "Whether it counts."})
    custom = [each for each in flagged["customProperties"] if each["property"] not in ("simulate", "intake")]
    for each in custom:
        if each["property"] == "examples":
            for example in (*each["value"]["accepted"], *each["value"]["rejected"]):
                example["data"]["valid"] = True
    contracts = declare(tmp_path / "feeds", flagged | {"customProperties": custom})
    found = upgraded(contracts, raw(OLD, READING | {"valid": False}))
    assert found is not None and Decoder(contracts[FEED]).decode(found).data.method == "laser"


def test_versions_are_upgraded_one_after_another(tmp_path: Path) -> None:
    third = newest() | {"version": "3.0.0"}
    third["schema"][0]["properties"][0]["name"] = "place"
    next(item for item in third["customProperties"] if item["property"] == "subject")["value"] = ["place"]
    data = {"place": "1", "region": "330110", "period": "hour", "pm25_mg": 0.1, "method": "beta"}
    for name in ("accepted", "rejected"):
        third["customProperties"][-1]["value"][name][0]["data"] = data
    second = newest() | {"status": "deprecated", "slaProperties": older()["slaProperties"]}
    second["customProperties"].append({"property": "upgrade", "value": {"place": {"from": "site"}}})
    write(tmp_path / "ecology-feeds", "air-quality.v2", second)
    contracts = declare(tmp_path / "ecology-feeds", second=third)
    first, then = upgraders(contracts, contracts[OLD])
    assert (first.new.event_type, then.new.event_type) == (NEW, f"{FEED}.v3")
    middle = first(raw(OLD, READING))
    assert middle is not None and (last := then(middle[1])) is not None
    assert last[0] == {
        "place": "1233A", "region": "330110", "period": "hour", "pm25_mg": 0.035, "method": "beta",
    }  # fmt: skip
    assert len(upgraders(contracts, contracts[NEW])) == 1 and upgraders(contracts, contracts[FEED]) == ()


def edited(**changes: Any) -> dict[str, Any]:
    return {name: rule for name, rule in (deepcopy(UPGRADE) | changes).items() if rule is not None}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "nothing for a required field",
        edited(site=None),
        "site: ecology.air-quality.v2 requires it: say `from`",
    ),
    (
        "no such field",
        edited(nowhere={"from": "station"}),
        "nowhere: ecology.air-quality.v2 has no such field",
    ),
    ("no such source", edited(site={"from": "statoin"}), "no field 'statoin'; there are station"),
    ("another kind", edited(site={"from": "pm25"}), "site: is a string, and pm25 gives a number"),
    ("another unit", edited(pm25_mg={"from": "pm25"}), "pm25_mg: is in mg/m3, pm25 in µg/m3: say `factor`"),
    ("values it has not", edited(period={"from": "averaging"}), "averaging may be 1h, 24h, period not"),
    (
        "a value left out",
        edited(period={"from": "averaging", "values": {"1h": "hour"}}),
        "period is required, and `values` lacks 24h: say what they become",
    ),
    (
        "a value of none",
        edited(period={"from": "averaging", "values": {"8h": "hour"}, "default": "day"}),
        "'8h' is no value of averaging: 1h, 24h",
    ),
    (
        "a value the field has not",
        edited(period={"from": "averaging", "values": {"1h": "minute", "24h": "day"}}),
        "period: 'minute' is no value of period",
    ),
    (
        "a default the field has not",
        edited(method={"default": "nose"}),
        "method: 'nose' is no value of method",
    ),
    (
        "an optional source",
        edited(pm25_mg={"from": "aqi", "factor": 0.001}),
        "aqi may be absent and pm25_mg is",
    ),
    (
        "a factor of a text",
        edited(site={"from": "station", "factor": 2}),
        "station is a string; numbers have",
    ),
    ("a factor of zero", edited(pm25_mg={"from": "pm25", "factor": 0}), "factor: must be from 1e-12 to 1e12"),
    (
        "both",
        edited(site={"from": "aqi", "factor": 2, "values": {"1": "x"}}),
        "`factor` or `values`, not both",
    ),
    ("neither", edited(site={}), "site: must have `from`, a field of this version, or `default` alone"),
    (
        "no region",
        edited(region={"from": "region", "values": {"330106": "339999"}, "default": "330110"}),
        "region: '339999' is no value of region: no such region, or a region of another level",
    ),
    (
        "a region of another level",
        edited(region={"default": "330000"}),
        "region: '330000' is no value of region: no such region, or",
    ),
    (
        "a text with a control character",
        edited(site={"from": "station", "values": {"a": "b\u202ec"}, "default": "c"}),
        "must not have the control character U+202E",
    ),
    (
        "a number for a text",
        edited(site={"from": "station", "values": {"a": 1}, "default": "c"}),
        "site: 1 is no value of site: expected",
    ),
    (
        "a key that is no whole number",
        edited(site={"from": "aqi", "values": {"low": "a"}, "default": "c"}),
        "'low' is no value of aqi: it is of kind integer",
    ),
    (
        "a key written otherwise",
        edited(site={"from": "aqi", "values": {"007": "a"}, "default": "c"}),
        "'007' is no value of aqi: it is of kind integer",
    ),
    (
        "a key that the older version rejects",
        edited(site={"from": "aqi", "values": {"-1": "a"}, "default": "c"}),
        "-1 is no value of aqi: ",
    ),
    ("a default that is a list", edited(method={"default": ["beta"]}), "must be one of string, integer"),
    ("an unknown key", edited(site={"from": "station", "unit": "x"}), "upgrade.site"),
]


@pytest.mark.parametrize(("case", "upgrade", "words"), WRONG, ids=[case for case, _, _ in WRONG])
def test_what_cannot_give_an_event_is_told_when_contracts_are_read(
    case: str, upgrade: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(Misdeclared) as caught:
        declare(tmp_path / "feeds", older(upgrade=upgrade))
    assert words in str(caught.value) and "air-quality.v1.yaml" in str(caught.value)


def test_copies_are_of_the_same_department(tmp_path: Path) -> None:
    """Who has the right to the older would else send the newer, to which another one has it."""

    def of(found: Document) -> Document:
        properties = deepcopy(found["customProperties"])
        next(item for item in properties if item["property"] == "department")["value"] = "health"
        return found | {"customProperties": properties}

    said = "department: is health, that of ecology.air-quality.v2 is ecology; they may differ only without"
    with pytest.raises(Misdeclared, match=said):
        declare(tmp_path / "feeds", of(older()))
    apart = declare(tmp_path / "apart", of(older(upgrade=None)))
    assert (apart[OLD].department, apart[FEED].department) == ("health", "ecology")


def classified(found: Document, field: str, **keys: Any) -> Document:
    properties = found["schema"][0]["properties"]
    next(item for item in properties if item["name"] == field).update(keys)
    return found


def test_what_is_kept_from_others_stays_so(tmp_path: Path) -> None:
    first = classified(older(), "station", classification="personal")
    with pytest.raises(Misdeclared, match="site: is public, and station is personal"):
        declare(tmp_path / "feeds", first)
    pseudonym = [{"property": "pseudonymised", "value": True}]
    first = classified(older(), "station", classification="personal", customProperties=pseudonym)
    second = classified(newest(), "site", classification="personal")
    with pytest.raises(Misdeclared, match="site: is not pseudonymised, as station is"):
        declare(tmp_path / "feeds", first, second)
