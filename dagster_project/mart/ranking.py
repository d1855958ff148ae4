"""The SQL of `mart.ranking`: each indicator's figures at the end of a period beside those of the period before.

`every` is the period of the publication: month, quarter or year, and the indicator's own where that is finer
(day) or the same. An indicator finer than it stands with its last figure of the period.
"""

from __future__ import annotations

from dagster_project.mart.views import CURRENT, as_of
from schemas.ddl.model import NAME, SERVICE, View, columns

_FLOAT = "Nullable(Float64)"
COLUMNS = (
    ("indicator", NAME, "Id of the indicator"),
    ("title_zh", NAME, "Its title"),
    ("title_en", NAME, "Its title in English"),
    ("unit", NAME, "Unit of value, province and target"),
    ("direction", NAME, "Which values are better: higher or lower"),
    ("decimals", "UInt8", "Decimals to show"),
    ("owner", NAME, "Department that answers for it"),
    (
        "every",
        NAME,
        "Period that is published: day, month, quarter or year, never finer than the indicator's",
    ),
    ("day", "Date", "Last day of the period"),
    ("figure_day", "Date", "Day of the figure that stands for the period: the last one in it"),
    ("region", NAME, "GB/T 2260 code of the region; 330000 is the province"),
    ("value", _FLOAT, "Value of the region; empty where there are no data"),
    ("province", _FLOAT, "The provincial value"),
    ("level", NAME, "领先 ahead of, 持平 level with, 落后 behind the province; empty where not judged"),
    ("target", _FLOAT, "Value to reach in the year, where there is one"),
    ("reached", "Nullable(UInt8)", "Whether the target is reached"),
    (
        "rank",
        "Nullable(UInt16)",
        "Place among the regions of its level, 1 is best; equals share one (1, 1, 3)",
    ),
    ("ranked", "UInt16", "How many regions of its level are ranked"),
    ("missing", "UInt8", "Whether the region has no data; it is not ranked"),
    ("imputed", "UInt8", "Whether the value stands in from before; it is not ranked"),
    ("value_before", _FLOAT, "Value of the period before"),
    ("rank_before", "Nullable(UInt16)", "Place in the period before; empty where it was not ranked"),
    (
        "rise",
        "Nullable(Int32)",
        "Places risen since the period before; below 0 fallen, empty without both places",
    ),
)
_KEPT = ("value", "province", "level", "target", "reached", "rank", "ranked", "missing", "imputed")
_EVERY = (
    "multiIf(period = 'day', ['day', 'month', 'quarter', 'year'], period = 'month', ['month', 'quarter', 'year'],"
    " period = 'quarter', ['quarter', 'year'], ['year'])"
)
_ENDS = (
    "multiIf(every = 'day', day, every = 'month', toLastDayOfMonth(day), every = 'quarter',"
    " toLastDayOfMonth(addMonths(toStartOfQuarter(day), 2)), toLastDayOfMonth(addMonths(toStartOfYear(day), 11)))"
)
_BEFORE = (
    "multiIf(every = 'day', ends - 1, every = 'month', toLastDayOfMonth(addMonths(ends, -1)),"
    " every = 'quarter', toLastDayOfMonth(addMonths(ends, -3)), toLastDayOfMonth(addMonths(ends, -12)))"
)


def ranking_mart() -> list[View]:
    """`mart.ranking_at(release = N)` and `mart.ranking`; they read `mart.indicator_at`."""
    titles = ("title_zh", "title_en", "unit", "direction", "decimals", "owner")
    grown = (
        f"SELECT *, arrayJoin({_EVERY}) AS every, {_ENDS} AS ends"
        " FROM mart.indicator_at(release = {release:UInt64})"
    )
    last = (
        f"SELECT indicator, every, ends, region, max(day) AS figure_day,"
        f" argMax(tuple({', '.join((*titles, *_KEPT))}), day) AS f"
        f" FROM ({grown}) GROUP BY indicator, every, ends, region"
    )
    value, rank = len(titles) + 1, len(titles) + _KEPT.index("rank") + 1
    window = (
        "OVER (PARTITION BY indicator, every, region ORDER BY ends ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING)"
    )
    beside = (
        f"SELECT *, any(ends) {window} AS prior,"
        f" any(tuple(f.{value}, f.{rank})) {window} AS former, prior = {_BEFORE} AS follows FROM ({last})"
    )
    picked = [
        "indicator",
        *(f"f.{at + 1} AS {name}" for at, name in enumerate(titles)),
        *("every", "ends AS day", "figure_day", "region"),
        *(f"f.{len(titles) + at + 1} AS {name}" for at, name in enumerate(_KEPT)),
        "if(follows, former.1, NULL) AS value_before",
        "if(follows, former.2, NULL) AS rank_before",
        "toInt32(rank_before) - toInt32(rank) AS rise",
        "{release:UInt64} AS release_seq",
    ]
    said = "晾晒: rankings of cities and counties with rise and fall against the period before"
    seq = ("release_seq", "UInt64", "Release the row is shown by")
    return [
        View(
            "mart",
            "ranking_at",
            f"SELECT {', '.join(picked)} FROM ({beside})",
            definer=SERVICE,
            comment=as_of("ranking", said),
        ),
        View(
            "mart",
            "ranking",
            f"SELECT * FROM mart.ranking_at(release = {CURRENT})",
            columns((*COLUMNS, seq)),
            comment=said,
        ),
    ]
