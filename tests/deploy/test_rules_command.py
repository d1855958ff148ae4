"""`liaowang rules`: what a person sees who checks and tries rules without any server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.rules.files import require_examples, require_publishable
from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from schemas.in_use import FILES, FOLDER, take
from streams.watch.declare.load import load_rule
from streams.watch.publish.published import History, RuleRecord, encode_record, retirement

RULE = """
rule: anywhere.high
version: 3
title: {zh: 高, en: high}
feed: ecology.air-quality
subject: [station]
condition: {kind: threshold, field: pm25}
levels: {blue: 100, red: {threshold: 300, for: PT2H}}
runbook: "look at {subject} in {region}: {value}"
duty_role: ecology-duty
examples:
  - name: one
    events:
      - {time: "2026-03-01T00:00:00+08:00", data: {station: S1, region: "330106", averaging: 1h, pm25: 120}}
    warns: [{subject: S1, kind: opened, level: blue}]
"""


def liaowang(*arguments: object, input: str | None = None) -> Result:
    return CliRunner().invoke(app, ["rules", *map(str, arguments)], input=input)


def line(hour: int, value: float, **more: Any) -> str:
    data = {"station": "S1", "region": "330106", "averaging": "1h", "pm25": value}
    return json.dumps({"time": f"2026-03-01T{hour:02}:00:00+08:00", "data": data, **more}) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "high.yaml"
    path.write_text(RULE, encoding="utf-8")
    return path


def printed(result: Result) -> list[dict[str, Any]]:
    return [json.loads(each) for each in result.stdout.splitlines()]


def test_a_rule_of_any_file_prints_one_transition_a_line(file: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(line(0, 50) + line(1, 120) + line(2, 320) + line(3, 320) + line(4, 320) + line(5, 20))
    result = liaowang("run", file, "--events", events, "--json")
    assert result.exit_code == 0, result.output
    found = printed(result)
    assert [(each["transition"], each["level"], each["at"]) for each in found] == [
        ("opened", "blue", "2026-02-28T17:00:00+00:00"),
        ("raised", "red", "2026-02-28T20:00:00+00:00"),
        ("recovered", "red", "2026-02-28T21:00:00+00:00"),
    ]
    evidence = found[1]["evidence"]
    assert (evidence["value"], evidence["threshold"], evidence["rule_version"]) == (320, 300, 3)
    assert evidence["watermark"] == "2026-02-28T20:00:00+00:00"
    assert found[1]["runbook"] == "look at S1 in 330106: 320"
    assert found[1]["subject"] == "S1" and found[1]["region"] == "330106"


def test_a_rule_of_the_folder_by_its_id_from_standard_input() -> None:
    result = liaowang("run", "ecology.pm25-high", "--events", "-", "--json", input=line(0, 120))
    assert [each["rule"] for each in printed(result)] == ["ecology.pm25-high"]


def test_without_json_it_is_a_table(file: Path) -> None:
    result = liaowang("run", file, "--events", "-", input=line(1, 120))
    assert "anywhere.high, version 3" in result.stdout and "opened" in result.stdout


def test_cloud_events_and_copies(file: Path) -> None:
    whole = line(1, 120, id="a", source="/s", specversion="1.0", type="ecology.air-quality.v1")
    result = liaowang("run", file, "--events", "-", "--json", input=whole + whole)
    assert len(printed(result)) == 1
    assert "2 lines taken, 1 copies" in result.stderr


def test_bad_lines_are_told_by_number_and_the_rest_is_judged(file: Path) -> None:
    bad = "{oops\n" + line(0, 0) + "\n" + '{"data": {}}\n' + "[1]\n" + line(1, 120)
    result = liaowang("run", file, "--events", "-", "--json", input=bad)
    assert result.exit_code == 3
    assert len(printed(result)) == 1
    told = " ".join(result.stderr.split())
    assert "line 1 is no JSON" in told and "line 2 breaks the contract: pm25: missing" in told
    assert 'line 4 "time" is missing; it must be ISO 8601' in told and "line 5 must be a JSON object" in told
    assert "line 3" not in told  # a blank line says nothing


def test_silence_counts_up_to_until_only() -> None:
    absent = ("run", "ecology.station-silent", "--events", "-", "--json")
    assert printed(liaowang(*absent, input=line(0, 50))) == []
    late = liaowang(*absent, "--until", "2026-03-01T07:00:00+08:00", input=line(0, 50))
    assert [(each["transition"], each["at"]) for each in printed(late)] == [
        ("opened", "2026-02-28T22:00:00+00:00")
    ]
    ticked = liaowang(*absent, input=line(0, 50) + '{"tick": "2026-03-01T07:00:00+08:00"}\n')
    assert [each["transition"] for each in printed(ticked)] == ["opened"]


def test_a_fast_clock_delays_nobody_else() -> None:
    """One station's clock is four years ahead: the others are judged, and nobody is silent for that."""
    ahead = line(9, 60).replace("2026", "2030").replace("S1", "S9")
    rest = line(9, 60) + line(10, 400) + line(11, 60)
    for rule, kinds in (("ecology.pm25-high", ["opened", "recovered"]), ("ecology.station-silent", [])):
        result = liaowang("run", rule, "--events", "-", "--json", input=line(8, 60) + ahead + rest)
        assert [each["transition"] for each in printed(result)] == kinds
        assert "0 too late" in result.stderr


def test_a_line_ahead_of_its_arrival_is_told_and_judges_nobody(file: Path) -> None:
    """One reading a year ahead: the station's later readings are judged, and its silence is noticed."""
    arrival = "2026-03-01T01:01:00+08:00"
    ahead = line(1, 400, arrival=arrival).replace("2026-03-01T01:00", "2027-03-01T01:00", 1)
    result = liaowang("run", file, "--events", "-", "--json", input=line(0, 50) + ahead + line(2, 120))
    assert [(each["transition"], each["at"]) for each in printed(result)] == [
        ("opened", "2026-02-28T18:00:00+00:00")
    ]
    assert result.exit_code == 3
    told = "line 2 breaks the contract: time: future: 2027-03-01T01:00:00+08:00, arrived 2026-03-01T01:01:00+08:00"
    assert told in " ".join(result.stderr.split())
    supposed = liaowang(
        "run", file, "--events", "-", input=line(0, 50) + ahead.replace(f'"{arrival}"', "null") + line(2, 120)
    )
    assert supposed.exit_code == 3
    assert 'taken to have arrived with them (say its "arrival", or --order' in " ".join(
        supposed.stderr.split()
    )
    late_clock = line(9, 50, arrival="2026-03-01T08:57:00+08:00")
    assert liaowang("run", file, "--events", "-", input=late_clock).exit_code == 0


def test_an_arrival_can_be_given_and_a_replay_has_its_own_clock(file: Path) -> None:
    told = line(9, 120, arrival="2026-03-01T09:00:05+08:00")
    replay = line(
        1, 120, specversion="1.0", id="a", source="/s", type="ecology.air-quality.v1", timeline="old"
    )
    result = liaowang("run", file, "--events", "-", "--json", input=told + replay)
    assert [each["episode"].partition("|")[0] for each in printed(result)] == [
        "anywhere.high",
        "anywhere.high@old",
    ]


def test_data_may_stand_beside_its_time_after_a_byte_order_mark(file: Path) -> None:
    flat = json.dumps({"time": "2026-03-01T01:00:00Z", **json.loads(line(0, 120))["data"]})
    result = liaowang("run", file, "--events", "-", "--json", input="\ufeff" + flat)
    assert [each["subject"] for each in printed(result)] == ["S1"]


def test_a_file_in_another_order_than_that_of_time_can_be_sorted(file: Path) -> None:
    """Two stations one after the other: what lies back by more than the feed's lateness is late, and told."""
    by_station = "".join(line(hour, 120) for hour in range(9)) + line(0, 120).replace("S1", "S2")
    plain = liaowang("run", file, "--events", "-", "--json", input=by_station)
    assert [each["subject"] for each in printed(plain)] == ["S1"]
    assert "1 too late (out of order by more than the feed's lateness; --order time" in plain.stderr
    ordered = liaowang("run", file, "--events", "-", "--json", "--order", "time", input=by_station)
    assert [each["subject"] for each in printed(ordered)] == ["S1", "S2"]


def test_the_last_event_is_judged_also_where_it_came_before_others(tmp_path: Path) -> None:
    """Out of order within `wait` it is no fast clock, however far it is ahead."""
    waits = tmp_path / "waits.yaml"
    waits.write_text(RULE.replace("duty_role", "wait: PT3H\nduty_role", 1), encoding="utf-8")
    result = liaowang(
        "run", waits, "--events", "-", "--json", input=line(1, 120) + line(3, 50) + line(2, 120)
    )
    assert [each["transition"] for each in printed(result)] == ["opened", "recovered"]


def test_moments_of_the_evidence_are_iso_8601(file: Path) -> None:
    lines = line(1, 320) + line(2, 320) + line(3, 320)
    found = printed(liaowang("run", file, "--events", "-", "--json", input=lines))
    assert found[-1]["evidence"]["since"] == "2026-02-28T17:00:00+00:00"


def test_states_are_told_after_each_event(file: Path) -> None:
    result = liaowang("run", file, "--events", "-", "--states", input=line(0, 50) + line(1, 120))
    assert [(each["state"], each["level"]) for each in printed(result)] == [
        ("inactive", None),
        ("firing", "blue"),
    ]


def test_at_a_tick_and_at_the_end_states_are_told_that_time_has_changed(file: Path) -> None:
    held = file.with_name("held.yaml")
    held.write_text(file.read_text(encoding="utf-8") + "for: PT1H\n", encoding="utf-8")
    later, last = '{"tick": "2026-03-01T01:30:00+08:00"}\n', "2026-03-01T03:00:00+08:00"
    asked = ("run", held, "--events", "-", "--states")
    found = printed(liaowang(*asked, input=line(0, 120) + later + later))
    assert [each["state"] for each in found] == ["pending", "firing"]
    assert found[1]["at"] == "2026-02-28T17:30:00+00:00"
    found = printed(liaowang(*asked, "--until", last, input=line(0, 120)))
    assert [(each["state"], each["at"]) for each in found][1:] == [("firing", "2026-02-28T19:00:00+00:00")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "no.such", "--events", "-"), "no such rule and no such file; there are ecology"),
        (("run", "ecology.pm25-high", "--events", "/no/such"), "No such file"),
        (
            ("run", "ecology.pm25-high", "--events", "-", "--until", "noon"),
            "--until: must be ISO 8601 with an off",
        ),
    ],
)
def test_wrong_arguments_say_what_would_be_right(arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(Misdeclared, match=told):
        CliRunner().invoke(app, ["rules", *arguments], catch_exceptions=False)


def test_a_composite_of_a_rule_that_is_not_there_is_told_by_its_file(tmp_path: Path) -> None:
    both = tmp_path / "both.yaml"
    both.write_text(
        "rule: t.both\nversion: 1\ntitle: {zh: 试, en: both}\nlevels: {red: all}\nrunbook: x\n"
        "duty_role: duty-desk\n"
        "condition: {kind: composite, of: [ecology.pm25-high, ecology.pm25-hi]}\n",
        encoding="utf-8",
    )
    with pytest.raises(
        Misdeclared, match=r"both\.yaml: condition\.of: no such rule: ecology\.pm25-hi; there are"
    ):
        CliRunner().invoke(app, ["rules", "lint", str(both)], catch_exceptions=False)


def test_one_rule_is_read_without_the_others_and_a_set_folder_is_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(tmp_path, FILES)
    folder = tmp_path / FOLDER
    (folder / "rules/ecology/pm25-high.yaml").unlink()
    for other in ("feeds/health/infectious-disease.yaml", "rules/ecology/pm25-city.yaml"):
        (folder / other).write_text("{", encoding="utf-8")
    monkeypatch.setenv("LIAOWANG_DECLARATIONS", str(folder))
    assert liaowang("lint", "ecology.pm25-daily").exit_code == 0
    assert liaowang("test", "ecology.pm25-daily", "governance.request-surge").exit_code == 0
    for wrong, told in (
        ("ecology.pm25-high", "no such rule and no such file; there are ecology.city-silent"),
        ("health.daily-cases", r"infectious-disease\.yaml: yaml"),
        ("ecology.pm25-city", r"pm25-city\.yaml: yaml"),
    ):
        with pytest.raises(Misdeclared, match=told):
            CliRunner().invoke(app, ["rules", "lint", wrong], catch_exceptions=False)
    with pytest.raises(Misdeclared, match=r"infectious-disease\.yaml"):
        CliRunner().invoke(app, ["rules", "lint"], catch_exceptions=False)


def test_the_members_of_one_rule_are_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(tmp_path, FILES)
    monkeypatch.setenv("LIAOWANG_DECLARATIONS", str(tmp_path / FOLDER))
    assert liaowang("test", "ecology.pm25-city").exit_code == 0
    (tmp_path / FOLDER / "rules/ecology/pm25-high.yaml").write_text("rule: 1", encoding="utf-8")
    with pytest.raises(Misdeclared, match=r"pm25-high\.yaml"):
        CliRunner().invoke(app, ["rules", "lint", "ecology.pm25-city"], catch_exceptions=False)


def test_a_rule_of_an_unknown_role_is_told_by_file_and_key_before_it_is_published(tmp_path: Path) -> None:
    path = tmp_path / "high.yaml"
    path.write_text(RULE.replace("ecology-duty", "nobody"), encoding="utf-8")
    with pytest.raises(Misdeclared, match=r"high\.yaml: duty_role: no such duty role: 'nobody'; there are"):
        CliRunner().invoke(app, ["rules", "lint", str(path)], catch_exceptions=False)
    path.write_text(RULE, encoding="utf-8")
    assert liaowang("lint", path).exit_code == 0
    assert liaowang("lint", "ecology.pm25-high").exit_code == 0 == liaowang("lint").exit_code


def test_a_list_in_a_pipe_keeps_ids_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = liaowang("list").stdout
    assert " governance.request-undispatched " in shown and "yellow 3 days, orange 7" in shown
    assert "0:00:00," not in shown


def test_examples_that_do_not_hold_are_told(file: Path) -> None:
    assert liaowang("test", file).exit_code == 0
    file.write_text(RULE.replace("level: blue", "level: red"), encoding="utf-8")
    result = liaowang("test", file)
    assert result.exit_code == 1
    assert "anywhere.high: one: expected S1 opened red, got S1 opened blue" in " ".join(result.stderr.split())


def test_lint_wants_an_example_that_warns(file: Path) -> None:
    assert liaowang("lint", file).exit_code == 0
    file.write_text(RULE.partition("examples:")[0], encoding="utf-8")
    assert liaowang("lint", file).exit_code == 1
    assert liaowang("lint").exit_code == liaowang("test").exit_code == 0


def test_schema_is_json_schema() -> None:
    schema = json.loads(liaowang("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_draft_and_a_retired_version_are_not_published(file: Path) -> None:
    watched = load_rule(file, load_contracts(), None)
    entry = RuleRecord(rule=watched.id, version=3, text=RULE, at=datetime(2026, 3, 1, tzinfo=UTC))
    told = History()
    told.add(0, encode_record(entry))
    require_publishable(told, file, watched)
    with pytest.raises(Misdeclared, match="status: is draft, which watches nothing"):
        require_publishable(told, file, replace(watched, status="draft"))
    told.add(1, encode_record(retirement(told, watched.id, entry.at)[0]))
    with pytest.raises(Misdeclared, match="version: 3 was retired; raise it to 4"):
        require_publishable(told, file, watched)


def test_an_example_that_does_not_hold_stops_a_publication(file: Path) -> None:
    watched = load_rule(file, load_contracts(), None)
    wrong = replace(watched, examples=(replace(watched.examples[0], warns=()),))
    with pytest.raises(Misdeclared, match="examples: one: expected nothing, got S1 opened blue"):
        require_examples(wrong, [wrong], load_contracts())


def test_who_reads_no_more_ends_the_command_quietly(file: Path, tmp_path: Path) -> None:
    """`rules run … | head -1`: neither the file nor anything else is blamed; it ends as SIGPIPE ends a program."""
    events = tmp_path / "events.jsonl"
    events.write_text("".join(line(0, 120 + number % 2 * 300) for number in range(3000)), encoding="utf-8")
    command = ["rules", "run", str(file), "--events", str(events), "--states"]
    with subprocess.Popen(
        [sys.executable, "-c", "from deploy.cli import main; main()", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE
