"""What the local warehouse is told: server configuration and users with their rights, as XML. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from dagster_project.mart.barrier import EVERY
from dagster_project.mart.tables import visible
from deploy.local.bi_settings import MEMORY, SECONDS, bi_profile, sees
from schemas.ddl.model import DATABASES
from schemas.ddl.render import database
from schemas.errors import Misdeclared
from schemas.fields import TIME_ZONE
from schemas.in_use import in_use
from schemas.regions import load_regions
from schemas.settings import HOST, PREFIX, Settings

START_STATEMENTS = (
    database("default"),
    "SYSTEM START LISTEN TCP",
    "SYSTEM START LISTEN HTTP",
    "SELECT * FROM file('{stop}', 'LineAsString')",
)
"""What the engine runs; the last one lasts until the FIFO `stop` was opened and closed."""
NO_DOOR = f"http://{HOST}:9/"
"""Nobody answers here, so nobody comes in without a password."""
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
    "GRANT READ ON FILE",  # the FIFO of its last statement; nobody else can come in by its name
)
BI_GRANTS = (
    "GRANT SELECT, dictGet ON mart.*",
    "GRANT SELECT ON system.parts",  # information_schema.tables reads it; it shows only what the user may see
)
HANDLERS = """  <http_handlers>
    <rule>
      <headers><Origin>regex:.+</Origin></headers>
      <handler><type>static</type><status>403</status><content_type>text/plain</content_type>
        <response_content>refused: this port answers tools, not web pages&#10;</response_content></handler>
    </rule>
    <rule><url>/ping</url><handler><type>ping</type></handler></rule>
    <rule>
      <headers><Host><![CDATA[regex:(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]+)?]]></Host></headers>
      <url><![CDATA[regex:/(\\?.*)?]]></url>
      <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>
    </rule>
  </http_handlers>"""
"""Statements by HTTP and nothing else: no pages of the engine's own, nothing for a page of anybody's, and only
under this machine's own name, so that no name of somebody's can be pointed here."""
SHADOWS = {
    "file": "CREATE FUNCTION file AS path -> toString(throwIf(1, 'file() is refused: it knows no rights'))\n"
}
"""Functions of SQL that stand before the engine's own of the same name, which asks for no grant here."""
NO_LOG = "<system><user_query_log><filter>0</filter></user_query_log></system>"
"""A user's own past statements would tell which tables they read in his name."""
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

    @property
    def user(self) -> str:
        """Its name."""
        return f"bi_{self.code}"


PROFILES = f"""
    <default/>
    <engine>
      <max_memory_usage>1000000000</max_memory_usage>
      <constraints><max_memory_usage><const/></max_memory_usage>
        <add_http_cors_header><const/></add_http_cors_header></constraints>
    </engine>
    <admin>{sees(EVERY)}</admin>
    <service>
      {sees(EVERY)}
      <max_partitions_per_insert_block>0</max_partitions_per_insert_block>
    </service>
{bi_profile()}
    <bi_every><profile>bi</profile>{sees(EVERY)}</bi_every>
    <personal>
      <readonly>2</readonly>
      {sees(EVERY)}
      <max_execution_time>{SECONDS}</max_execution_time>
      <max_memory_usage>{MEMORY}</max_memory_usage>
      <constraints>
        <max_execution_time><min>1</min><max>{SECONDS}</max></max_execution_time>
        <max_memory_usage><min>1</min><max>{MEMORY}</max></max_memory_usage>
      </constraints>
    </personal>
"""
QUOTAS = f"""  <quotas>
    <default/>
    <engine><interval><duration>1576800000</duration><queries>{len(START_STATEMENTS)}</queries></interval></engine>
    <bi><interval><duration>3600</duration><queries>100000</queries></interval></bi>
  </quotas>"""


def server_config(settings: Settings, folder: Path, log: Path, door: str = "") -> str:
    """The server's config.xml: loopback only, system tables by grant only, logs that rotate.

    `door` is the address that says whether the engine's own user may come in (`deploy.local.door`).

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
  <timezone>{TIME_ZONE}</timezone>
  <http_authentication_servers><door>
    <uri>{escape(door or NO_DOOR)}</uri>
    <connection_timeout_ms>2000</connection_timeout_ms><receive_timeout_ms>2000</receive_timeout_ms>
    <max_tries>1</max_tries>
  </door></http_authentication_servers>
{HANDLERS}
  <default_database>_local</default_database>
  <user_directories><users_xml><path>{escape(str(folder / "users.xml"))}</path></users_xml></user_directories>
  <access_control_improvements>
    <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    <select_from_information_schema_requires_grant>false</select_from_information_schema_requires_grant>
    <table_engines_require_grant>true</table_engines_require_grant>
    <settings_constraints_replace_previous>true</settings_constraints_replace_previous>
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
    known, (regional, shared) = load_regions(), visible(in_use(settings))
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

    A region's user has a grant for each view, so a new one shows nothing before it has its row policy, and a
    profile that says whose rows it sees.

    `default` is the engine's own session: whether it may come in, the door says, once. Its quota, of fifty
    years, is as many statements as the start has.
    """
    regions = accounts(settings)
    profiles = "\n".join([PROFILES, *(_profile(account) for account in regions)])
    users = "\n".join(
        [
            _user("default", None, "engine", "engine", OWN_GRANTS),
            _user("admin", settings.admin_password, "admin", "default"),
            _user("service", settings.service_password, "service", "default", SERVICE_GRANTS),
            _user("bi", settings.bi_password, "bi_every", "bi", BI_GRANTS, NO_LOG),
            _user("personal", settings.personal_password, "personal", "bi", PERSONAL_GRANTS),
            *(_regional(account) for account in regions),
        ]
    )
    return (
        f"<clickhouse>\n  <profiles>\n{profiles}\n  </profiles>\n{QUOTAS}\n"
        f"  <users>\n{users}\n  </users>\n</clickhouse>\n"
    )


def _profile(account: Account) -> str:
    codes = EVERY if account.codes is None else ",".join(account.codes)
    return f"    <{account.user}><profile>bi</profile>{sees(codes)}</{account.user}>"


def _regional(account: Account) -> str:
    views = (*account.regional, *account.shared)
    grants = [*(f"GRANT SELECT ON mart.{view}" for view in views), *BI_GRANTS[1:]]
    filters = NO_LOG
    if account.codes is not None:
        codes = ", ".join(f"'{code}'" for code in account.codes)
        own = "".join(
            f"<{view}><filter>{column} IN ({codes})</filter></{view}>"
            for view, column in account.regional.items()
        )
        filters += f"<mart>{own}</mart>"
    return _user(account.user, account.password, account.user, "bi", grants, filters)


def _user(
    name: str, password: str | None, profile: str, quota: str, grants: Sequence[str] = (), filters: str = ""
) -> str:
    """One user; without a password it is the door that knows it."""
    known = "<http_authentication><server>door</server><scheme>basic</scheme></http_authentication>"
    if password is not None:
        known = f"<password_sha256_hex>{hashlib.sha256(password.encode()).hexdigest()}</password_sha256_hex>"
    rights = "".join(f"<query>{escape(grant)}</query>" for grant in grants)
    return f"""    <{name}>
      {known}
      <networks><ip>{HOST}</ip></networks>
      <profile>{profile}</profile>
      <quota>{quota}</quota>
      {f"<grants>{rights}</grants>" if grants else "<access_management>1</access_management>"}
      {f"<databases>{filters}</databases>" if filters else ""}
    </{name}>"""
