"""What the local warehouse is told: server configuration and users with their rights, as XML. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from dagster_project.tables import visible
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from schemas.settings import HOST, PREFIX, Settings

START_STATEMENTS = (
    "CREATE DATABASE IF NOT EXISTS default ENGINE = Atomic",
    "SYSTEM START LISTEN TCP",
    "SYSTEM START LISTEN HTTP",
    "SELECT * FROM file('{stop}', 'LineAsString')",
)
"""What the engine runs; the last one lasts until the FIFO `stop` was opened and closed."""
DATABASES = ("landing", "built", "quality", "release", "mart")
OWN = "SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW, dictGet"
SERVICE_GRANTS = (
    *(f"GRANT {OWN} ON {database}.*" for database in DATABASES),
    "GRANT SELECT ON system.*",
    "GRANT CREATE TEMPORARY TABLE, CREATE ARBITRARY TEMPORARY TABLE ON *.*",
    "GRANT TABLE ENGINE ON *",
    "GRANT SET DEFINER ON service",
    "GRANT KILL QUERY ON *.*",
)
OWN_GRANTS = (
    "GRANT CREATE DATABASE ON default.*",
    "GRANT TABLE ENGINE ON Atomic",
    "GRANT SYSTEM LISTEN, CREATE TEMPORARY TABLE ON *.*",
    "GRANT READ ON FILE",
)
BI_GRANTS = (
    "GRANT SELECT, dictGet ON mart.*",
    "GRANT SELECT ON system.parts",  # information_schema.tables reads it; it shows only what the user may see
)
PERSONAL_GRANTS = (
    *(f"GRANT SELECT ON {database}.*" for database in DATABASES),
    "GRANT CREATE TEMPORARY TABLE ON *.*",  # for the external tables a question comes with
)


@dataclass(frozen=True)
class Account:
    """The user of one region: `bi_<code>` sees these views, of those with a region column its own rows.

    `codes` are the region and those in it; None is the province, which sees every row.
    """

    code: str
    password: str
    codes: tuple[str, ...] | None
    regional: Mapping[str, str]
    shared: tuple[str, ...]


PROFILES = f"""  <profiles>
    <default/>
    <service>
      <max_partitions_per_insert_block>0</max_partitions_per_insert_block>
    </service>
    <bi>
      <readonly>2</readonly>
      <max_execution_time>120</max_execution_time>
      <max_memory_usage>4000000000</max_memory_usage>
      <constraints>
        <max_execution_time><max>120</max></max_execution_time>
        <max_memory_usage><min>1</min><max>4000000000</max></max_memory_usage>
      </constraints>
    </bi>
  </profiles>
  <quotas>
    <default/>
    <engine><interval><duration>1576800000</duration><queries>{len(START_STATEMENTS)}</queries></interval></engine>
    <bi><interval><duration>3600</duration><queries>100000</queries></interval></bi>
  </quotas>"""


def server_config(settings: Settings, folder: Path, log: Path) -> str:
    """The server's config.xml: loopback only, system tables by grant only, logs that rotate.

    ThreadStatus is silent: confined, it cannot read the counters of its threads and would say so in each query.
    Pools of two threads, the engine's own choice, let one task of a kind run at a time and log every other's wait.
    """
    return f"""<clickhouse>
  <log-level>information</log-level>
  <logger>
    <log>{escape(str(log))}</log>
    <size>20M</size>
    <count>5</count>
    <levels><logger><name>ThreadStatus</name><level>none</level></logger></levels>
  </logger>
  <listen_host>{HOST}</listen_host>
  <tcp_port>{settings.warehouse_port}</tcp_port>
  <http_port>{settings.warehouse_http_port}</http_port>
  <timezone>UTC</timezone>
  <default_database>_local</default_database>
  <user_directories><users_xml><path>{escape(str(folder / "users.xml"))}</path></users_xml></user_directories>
  <access_control_improvements>
    <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    <select_from_information_schema_requires_grant>false</select_from_information_schema_requires_grant>
    <table_engines_require_grant>true</table_engines_require_grant>
  </access_control_improvements>
  <max_server_memory_usage_to_ram_ratio>0.5</max_server_memory_usage_to_ram_ratio>
  <mark_cache_size>268435456</mark_cache_size>
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <background_streaming_schedule_pool_size>16</background_streaming_schedule_pool_size>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <partition_by>event_date</partition_by>
    <ttl>event_date + INTERVAL 7 DAY DELETE</ttl>
  </query_log>
</clickhouse>
"""


def accounts(settings: Settings) -> list[Account]:
    """The users of regions as the settings name them; a code that is no region is Misdeclared."""
    if not settings.regional():
        return []
    known, (regional, shared) = load_regions(), visible()
    found = []
    for code, password in settings.regional().items():
        region = known.get(code)
        if region is None:
            raise Misdeclared("settings", f"{PREFIX}REGION_ACCOUNTS", f"{code!r} is no region's code")
        own = (code, *(county.code for county in known.counties_of(code)))
        found.append(Account(code, password, None if region.level == "province" else own, regional, shared))
    return found


def users_config(settings: Settings) -> str:
    """The server's users.xml: admin, service, bi, personal, regions, each with its rights; passwords as sha256.

    A region's user has a grant for each view, so a new one shows nothing before it has its row policy.

    `default` is the engine's own session, which can only come in with an empty password: its quota, of
    fifty years, is as many statements as the start has, so that nobody else can read a table by that name.
    A SELECT without FROM is not counted, and the scalar function file() asks for no grant in this engine:
    which files it reaches is up to what the process may open (`warehouse.shut_in`).
    """
    users = "\n".join(
        [
            _user("default", "", "default", "engine", OWN_GRANTS),
            _user("admin", settings.admin_password, "default", "default"),
            _user("service", settings.service_password, "service", "default", SERVICE_GRANTS),
            _user("bi", settings.bi_password, "bi", "bi", BI_GRANTS),
            _user("personal", settings.personal_password, "bi", "bi", PERSONAL_GRANTS),
            *(_regional(account) for account in accounts(settings)),
        ]
    )
    return f"<clickhouse>\n{PROFILES}\n  <users>\n{users}\n  </users>\n</clickhouse>\n"


def _regional(account: Account) -> str:
    views = (*account.regional, *account.shared)
    grants = [*(f"GRANT SELECT ON mart.{view}" for view in views), *BI_GRANTS[1:]]
    filters = ""
    if account.codes is not None:
        codes = ", ".join(f"'{code}'" for code in account.codes)
        filters = "".join(
            f"<{view}><filter>{column} IN ({codes})</filter></{view}>"
            for view, column in account.regional.items()
        )
    return _user(f"bi_{account.code}", account.password, "bi", "bi", grants, filters)


def _user(
    name: str, password: str, profile: str, quota: str, grants: Sequence[str] = (), filters: str = ""
) -> str:
    rights = "".join(f"<query>{escape(grant)}</query>" for grant in grants)
    return f"""    <{name}>
      <password_sha256_hex>{hashlib.sha256(password.encode()).hexdigest()}</password_sha256_hex>
      <networks><ip>{HOST}</ip></networks>
      <profile>{profile}</profile>
      <quota>{quota}</quota>
      {f"<grants>{rights}</grants>" if grants else "<access_management>1</access_management>"}
      {f"<databases><mart>{filters}</mart></databases>" if filters else ""}
    </{name}>"""
