"""One broken declaration takes nothing down: what was taken before goes on, and it is said what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from supervisor.states import ProcessStates

from dagster_project.mart.tables import visible
from dagster_project.orchestrate.project import make_definitions
from deploy.local.control import Process
from deploy.local.form import TELLER, bring_to_form, publish_rules, require_right
from deploy.local.kafka import kafka_running
from deploy.local.readers import behind, readers_of, write_behind
from deploy.local.secrets import departments
from deploy.ports import free_port
from deploy.provision.migrate import require_types
from deploy.rules.files import history, publish_planned, retire
from schemas.contract import load_contracts
from schemas.ddl.live import Live
from schemas.ddl.model import Column, Table
from schemas.errors import Misdeclared
from schemas.in_use import FILES, Roots, contents, files_of, in_use, take, taken
from schemas.settings import Settings
from streams import aside
from streams.duty.rosters.desk import roster_path
from streams.watch.declare.load import load_rules

AIR = "ecology/air-quality.yaml"


@pytest.fixture
def files(tmp_path: Path) -> Roots:
    """A copy of the shipped declarations to edit."""
    (tmp_path / "copy").mkdir()
    take(tmp_path / "copy", FILES)
    found = taken(tmp_path / "copy")
    assert found is not None
    return found


def edit(path: Path, old: str, new: str) -> None:
    """Change a file where this text stands."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_before_anything_is_taken_the_files_themselves_are_in_use(tmp_path: Path) -> None:
    assert taken(tmp_path) is None and in_use(Settings(home=tmp_path)) == FILES


def test_declarations_of_another_folder_are_the_files_where_it_is_set(tmp_path: Path, files: Roots) -> None:
    folder = files.feeds.parent
    (folder / "rules/ecology/pm25-jump.yaml").unlink()
    set_so = Settings(home=tmp_path / "home", declarations=folder)
    assert files_of(set_so) == in_use(set_so) == files != FILES
    names = {rule.id for rule in load_rules(load_contracts(files.feeds), files_of(set_so).rules, drafts=True)}
    assert "ecology.pm25-daily" in names and "ecology.pm25-jump" not in names
    (folder / "roles.yaml").unlink()
    assert files_of(set_so).roles == FILES.roles, "roles are those of this installation where it has none"
    with pytest.raises(
        Misdeclared, match=r"LIAOWANG_DECLARATIONS: .*nowhere has no feeds/duty/warning\.yaml; copy"
    ):
        files_of(Settings(declarations=tmp_path / "nowhere"))


def test_what_was_taken_is_the_same_declarations(tmp_path: Path, files: Roots) -> None:
    take(tmp_path, files)
    roots = in_use(Settings(home=tmp_path))
    assert roots != FILES
    contracts = load_contracts(roots.feeds)
    for feed, contract in load_contracts().items():
        assert replace(contracts[feed], path=Path()) == replace(contract, path=Path())
    assert {rule.id for rule in load_rules(contracts, roots.rules)} == {
        rule.id for rule in load_rules(load_contracts())
    }


def test_a_file_broken_afterwards_concerns_nobody_and_one_taken_away_is_gone(
    tmp_path: Path, files: Roots
) -> None:
    take(tmp_path, files)
    for root in (files.feeds / AIR, files.rules / "ecology/pm25-high.yaml"):
        root.write_text("{", encoding="utf-8")
    (files.indexes / "prosperity/cities.yaml").unlink()
    assert load_contracts(in_use(Settings(home=tmp_path)).feeds)
    assert list(in_use(Settings(home=tmp_path)).indexes.glob("*/*.yaml"))
    edit(files.feeds / AIR, "{", (FILES.feeds / AIR).read_text(encoding="utf-8"))
    take(tmp_path, files)
    assert (
        not list(in_use(Settings(home=tmp_path)).indexes.glob("*/*.yaml"))
        and not (tmp_path / "declarations.old").exists()
    )


def test_a_crash_between_the_two_renames_leaves_what_was_in_use(tmp_path: Path, files: Roots) -> None:
    take(tmp_path, files)
    (tmp_path / "declarations").rename(tmp_path / "declarations.old")
    assert load_contracts(in_use(Settings(home=tmp_path)).feeds).keys() == load_contracts().keys()
    take(tmp_path, files)
    assert in_use(Settings(home=tmp_path)).feeds == tmp_path / "declarations" / "feeds"


def test_what_reads_declarations_reads_those_in_use(tmp_path: Path, files: Roots) -> None:
    (files.indexes / "prosperity/cities.yaml").unlink()
    home = tmp_path / "home"
    home.mkdir()
    take(home, files)
    assert "prosperity_cities" not in visible(in_use(Settings(home=home)))[0]
    assert "prosperity_cities" in visible()[0]
    names = {key.path[-1] for key in make_definitions(Settings(home=home)).resolve_all_asset_keys()}
    assert "prosperity_cities" not in names and "ecology_air_quality" in names
    assert departments(home) == departments()


@pytest.mark.parametrize(
    ("name", "kind"), [("pm25", "String"), ("pm25", "Nullable(Float64)"), ("region", "Int64")]
)
def test_a_field_of_another_type_than_its_column_is_named(name: str, kind: str) -> None:
    contracts = load_contracts()
    air = contracts["ecology.air-quality"]
    said = rf"air-quality\.yaml: schema\[0\]\.properties\.{name}: is .* in the warehouse"
    with pytest.raises(Misdeclared, match=said):
        require_types(contracts.values(), there(Table("landing", air.table, (Column(name, kind),))))
    same = Table("landing", air.table, (Column("pm25", "Float64"), Column("region", "String")))
    require_types(contracts.values(), there(same, Table("landing", "x", (Column(name, kind),))))


def there(*tables: Table) -> Live:
    """A warehouse of these tables."""
    return Live({table.full_name: table for table in tables}, {})


@pytest.mark.parametrize(
    ("place", "old", "new", "said"),
    [
        (f"feeds/{AIR}", "name: station", "name: release_seq", "'release_seq' is a column of the platform"),
        (
            "rules/ecology/pm25-high.yaml",
            "kind: threshold",
            "kind: treshold",
            "pm25-high.yaml: condition.kind: ",
        ),
        (
            "indicators/ecology/good-air-days.yaml",
            "direction:",
            "directon:",
            "good-air-days.yaml: directon: ",
        ),
        ("indexes/prosperity/cities.yaml", "decimals:", "decimal:", "cities.yaml: decimal: "),
    ],
)
def test_all_kinds_are_read_before_anything_is_touched(
    files: Roots, place: str, old: str, new: str, said: str
) -> None:
    require_right(files)
    edit(files.feeds.parent / place, old, new)
    with pytest.raises(Misdeclared) as caught:
        require_right(files)
    assert said in str(caught.value)


def test_every_file_that_is_wrong_is_named_each_in_a_line(files: Roots) -> None:
    root = files.feeds.parent
    rule = root / "rules/ecology/pm25-high.yaml"
    edit(rule, "kind: threshold", "kind: treshold")
    edit(root / "indicators/ecology/good-air-days.yaml", "direction:", "directon:")
    for number in range(12):
        (rule.parent / f"wrong-{number:02}.yaml").write_text("rule: 1\n", encoding="utf-8")
    with pytest.raises(Misdeclared) as caught:
        require_right(files)
    lines = str(caught.value).splitlines()
    told = list(dict.fromkeys(line.split(": ")[0] for line in lines[:-1]))
    assert told == ["ecology/pm25-high.yaml", *(f"ecology/wrong-{number:02}.yaml" for number in range(9))]
    faults = [line for line in lines if line.startswith("ecology/wrong-00.yaml: ")]
    assert len(lines) == 1 + 9 * len(faults) + 1
    assert lines[0].startswith("ecology/pm25-high.yaml: condition.kind: ")
    assert lines[-1] == f"and {3 * len(faults) + 2} more, in 4 other files"
    for number in range(12):
        (rule.parent / f"wrong-{number:02}.yaml").unlink()
    with pytest.raises(Misdeclared) as caught:
        require_right(files)
    of_rule, unknown, missing = str(caught.value).splitlines()
    assert "pm25-high.yaml: condition.kind: " in of_rule
    assert "good-air-days.yaml: directon: " in unknown
    assert missing.endswith("good-air-days.yaml: direction: must be given")
    for feed in sorted(files.feeds.glob("*/*.yaml")):
        edit(feed, "kind: DataContract", "kind: DataContrac")
    with pytest.raises(Misdeclared) as caught:
        require_right(files)
    assert len(str(caught.value).splitlines()) == len(list(files.feeds.glob("*/*.yaml")))


@pytest.mark.stack
@pytest.mark.timeout(900)
def test_up_goes_on_with_what_it_has_where_a_file_is_wrong(
    warehouse: Settings, tmp_path: Path, files: Roots
) -> None:
    ports = {"kafka_port": free_port(), "kafka_controller_port": free_port()}
    settings = replace(warehouse, home=tmp_path, **ports)
    with kafka_running(settings):  # of its own: others make topics with other numbers of partitions
        goes_on(settings, tmp_path, files)
        rules_are_published_as_planned(settings, files)


def goes_on(settings: Settings, tmp_path: Path, files: Roots) -> None:
    said = list[str]()
    bad = files.feeds / AIR
    edit(bad, "name: station", "name: day")
    with pytest.raises(Misdeclared, match="'day' is a column of the platform"):
        bring_to_form(settings, said.append, files)
    assert taken(tmp_path) is None, "a new stack does not start with a wrong file"

    edit(bad, "name: day", "name: station")
    bring_to_form(settings, said.append, files)
    assert taken(tmp_path) is not None and aside.read(tmp_path, TELLER) is None

    for old, new, told in (
        ("name: station", "name: day", "'day' is a column of the platform"),
        (
            "logicalType: number",
            "logicalType: integer",
            "air-quality.yaml: schema[0].properties.pm25: is Float64",
        ),
    ):
        said.clear()
        edit(bad, old, new)
        bring_to_form(settings, said.append, files)
        assert told in said[0] and "all goes on with the declarations of before" in said[1]
        left = aside.read(tmp_path, TELLER)
        assert left is not None and told in left.newest[0].reason
        assert require_right(in_use(Settings(home=tmp_path))).keys() == load_contracts().keys()
        edit(bad, new, old)
    bring_to_form(settings, said.append, files)
    assert aside.read(tmp_path, TELLER) is None

    roster = roster_path(settings)
    roster.parent.mkdir(exist_ok=True)
    roster.write_text("teams: 1\n")
    edit(bad, "One reading of one station.", "A reading of a station.")
    bring_to_form(settings, said.append, files)
    left = aside.read(tmp_path, TELLER)
    assert left is not None and "roster.yaml" in left.newest[0].reason and "duty goes on" in said[-1]
    assert contents(in_use(Settings(home=tmp_path))) == contents(files), (
        "a wrong roster keeps back no contract"
    )
    roster.unlink()
    edit(bad, "A reading of a station.", "One reading of one station.")
    bring_to_form(settings, said.append, files)
    assert aside.read(tmp_path, TELLER) is None

    said.clear()
    with pytest.raises(Misdeclared, match="the settings say"):
        bring_to_form(replace(settings, partitions=settings.partitions + 1), said.append, files)
    assert aside.read(tmp_path, TELLER) is None and not any("set aside" in each for each in said), (
        "a setting is no declaration"
    )


def rules_are_published_as_planned(settings: Settings, files: Roots) -> None:
    said = list[str]()
    formed = bring_to_form(settings, list[str]().append, files)
    assert formed.rules is not None and formed.rules.records
    publish_rules(settings, said.append, formed, ("land", "watch"))
    assert said == [] and not history(settings).records, "watch has other feeds yet"

    publish_rules(settings, said.append, formed, ("land",))
    published = [record for _, record in history(settings).records]
    assert published == list(formed.rules.records), "to the moment: it is not planned anew"
    assert said == [f"rule {each.rule}: version {each.version} published" for each in published]

    said.clear()
    publish_rules(settings, said.append, formed, ())
    assert said == [] and len(history(settings).records) == len(published), (
        "a plan of before is none any more"
    )
    late = bring_to_form(settings, list[str]().append, files)
    assert late.rules is not None and late.rules.records == () and publish_planned(settings, late.rules) == []
    retire(settings, load_contracts(files.feeds), "ecology.station-silent")
    assert publish_planned(settings, late.rules) is None, "somebody has published since"


def test_who_reads_what_has_changed(files: Roots) -> None:
    before = contents(files)
    assert readers_of(before, contents(files)) == [], "nothing changed"
    edit(files.feeds / AIR, "name: station", "name: site")
    pages = ["dagster-code", "dagster-webserver", "dagster-daemon"]
    assert readers_of(before, contents(files)) == [
        "warehouse",
        "gateway",
        "ticker",
        "land",
        "watch",
        "console",
        *pages,
    ]
    edit(files.feeds / "duty/warning.yaml", "domain: duty", "domain: duty ")
    assert {"push", "duty"} < set(readers_of(before, contents(files))), "they read the feeds of duty"
    edit(files.feeds / "duty/warning.yaml", "domain: duty ", "domain: duty")
    edit(files.feeds / AIR, "name: site", "name: station")
    (files.rules / "ecology" / "new.yaml").write_text("rule: new\n")
    assert readers_of(before, contents(files)) == ["duty", "console"], "watch follows its topic"
    before = contents(files)
    own = replace(files, roles=files.rules / "roles.yaml")
    own.roles.write_bytes(files.roles.read_bytes() + b"\n")
    assert readers_of(before, contents(own)) == ["push", "duty", "console"]


def test_who_has_declarations_of_before_is_known_until_it_starts_again(tmp_path: Path) -> None:
    assert behind(tmp_path, {}) == []
    write_behind(tmp_path, ["watch", "land", "push"])
    at = (tmp_path / "run" / "behind.json").stat().st_mtime
    running = ProcessStates.RUNNING
    land, watch = (Process(name, running, 1, at - 9, 0.0, at, "") for name in ("land", "watch"))
    assert behind(tmp_path, {"watch": watch, "land": land}) == ["land", "watch"], "push does not run"
    assert behind(tmp_path, {"watch": replace(watch, started=at + 1), "land": land}) == ["land"]
    write_behind(tmp_path, [])
    assert behind(tmp_path, {"land": land}) == []
    (tmp_path / "run" / "behind.json").write_text("{")
    assert behind(tmp_path, {"land": land}) == []


def test_what_is_the_same_is_not_taken_again(tmp_path: Path, files: Roots) -> None:
    take(tmp_path, files)
    before = (tmp_path / "declarations").stat().st_ino
    take(tmp_path, files)
    assert (tmp_path / "declarations").stat().st_ino == before
    (files.rules / "ecology/pm25-jump.yaml").unlink()
    take(tmp_path, files)
    assert (tmp_path / "declarations").stat().st_ino != before
    (tmp_path / "declarations" / "roles.yaml").unlink()
    take(tmp_path, files)
    assert (tmp_path / "declarations" / "roles.yaml").is_file(), "a home of before has no roles yet"
