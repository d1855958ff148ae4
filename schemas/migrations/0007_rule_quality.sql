-- Known-now against known-then: what rules should have warned of on a day, and what they did.

-- A review of one rule and day: one row a timeline and level. The latest review of a rule and day counts; it is
-- written last, when the warnings it speaks of are there. `delays` (seconds) are those of the earlier and later
-- ones; `events` is how many landed rows of the rule's feeds it read of that day.
CREATE TABLE IF NOT EXISTS quality.rule_day
(
    `rule` LowCardinality(String),
    `day` Date,
    `version` UInt32,
    `timeline` LowCardinality(String),
    `level` LowCardinality(String),
    `agreed` UInt32,
    `earlier` UInt32,
    `later` UInt32,
    `missed` UInt32,
    `spurious` UInt32,
    `delays` Array(Float64),
    `complete` UInt8,
    `events` UInt64,
    `reviewed` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = ReplacingMergeTree(reviewed) PARTITION BY toYear(day)
ORDER BY (rule, day, timeline, level);

-- The warnings a review speaks of: one row a warning and level that should have been or was.
CREATE TABLE IF NOT EXISTS quality.rule_warning
(
    `rule` LowCardinality(String),
    `day` Date,
    `version` UInt32,
    `timeline` LowCardinality(String),
    `level` LowCardinality(String),
    `subject` String,
    `region` LowCardinality(String),
    `verdict` LowCardinality(String),
    `known_now` Nullable(DateTime64(3, 'Asia/Shanghai')),
    `known_then` Nullable(DateTime64(3, 'Asia/Shanghai')),
    `episode` String,
    `reviewed` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree PARTITION BY toYear(day)
ORDER BY (rule, day, reviewed);
