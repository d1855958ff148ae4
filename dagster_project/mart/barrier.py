"""What stands between a reader of `mart` and rows that are not his, as SQL for the views. Pure.

A view reads its table with a PREWHERE of its own: rows of the release that was asked for, of the regions the
reader may see. The engine never moves a condition of the reader before or into a PREWHERE that is there, so no
expression of his sees another row, whatever its optimiser does; the index still leaves out what he does not ask
for. (ADR 91)
"""

from __future__ import annotations

from schemas.ddl.model import View

REGIONS = "log_comment"
"""The setting that says whose rows a user may see: codes joined by commas, or EVERY. His profile fixes it."""
EVERY = "*"
BEFORE = 2**63
"""The release that a statement asks for which began before the first one: it shows nothing, and is no error."""
REACHED = f"seq <= {{release:UInt64}} % {BEFORE}"
"""SQL: whether a row of `release` is of the release that was asked for, or of one before it."""
_MINE = f"getSetting('{REGIONS}')"
_EXPLAINED = (
    "(SELECT count() FROM system.processes WHERE query_id = queryID() AND query_kind = 'Explain'"
    " AND getSetting('readonly') = 1)"
)

_ENDS = "(SELECT (min(seq), max(seq), countIf(seq = {release:UInt64})) FROM release.pointer)"
"""One scalar, worked out once however often it stands in a view: the ends of what there is, and whether N is."""


def mine(column: str) -> str:
    """SQL: whether a row is of a region whose rows the reader may see."""
    return f"({_MINE} = '{EVERY}' OR {column} IN splitByChar(',', {_MINE}))"


def opened(lasting: bool = False) -> str:
    """SQL: true, once a view; an error to the reader who asks what is not to be answered.

    That is a release that there is not, one that has expired where `lasting` (of events some are gone), and a
    plan, which would tell tables and counts that are none of his.
    """
    view = "lasting" if lasting else "known"
    return f"(SELECT answers FROM release.{view}(release = {{release:UInt64}}))"


def shut() -> str:
    """SQL: true, once a view without releases; an error to the reader who asks for its plan."""
    return "(SELECT answers FROM release.shut)"


def closed(query: str, condition: str = "") -> str:
    """The same query, whose plan is for nobody; `condition` instead, such as `opened()`."""
    return f"SELECT * FROM ({query}) WHERE {condition or shut()}"


def views() -> list[View]:
    """The views in `release` that `opened` and `shut` ask."""
    explained = _refusal(_EXPLAINED, "'EXPLAIN is refused here: it would show tables that are not yours'")
    said = (
        "concat('release ', toString({release:UInt64}), ' does not exist; ',"
        f" if({_ENDS}.2 = 0, 'nothing is published yet',"
        f" concat('there are ', toString({_ENDS}.1), ' to ', toString({_ENDS}.2))))"
    )
    asked = f"{{release:UInt64}} != {BEFORE} AND ({_ENDS}.2 > 0 OR {{release:UInt64}} > 0)"
    unknown = _refusal(f"{_ENDS}.3 = 0 AND {asked}", said)
    gone = "(SELECT count() FROM release.expired WHERE seq = {release:UInt64})"
    expired = _refusal(gone, "concat('release ', toString({release:UInt64}), ' has expired')")
    known = f"{explained} AND {unknown}"
    return [
        View("release", name, f"SELECT {checks} AS answers")
        for name, checks in (("shut", explained), ("known", known), ("lasting", f"{known} AND {expired}"))
    ]


def _refusal(condition: str, message: str) -> str:
    """SQL: true, or an error that says this where the condition is."""
    return f"NOT throwIf(assumeNotNull(toBool({condition})), {message})"
