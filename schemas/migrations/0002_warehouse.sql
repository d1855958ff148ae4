-- Builds, their verdicts, and the releases that point at them. Marts and the tables of indicators are derived.

-- Rows a build left out, by the row rules they break; they can be sent again as corrections.
CREATE TABLE IF NOT EXISTS quality.quarantine
(
    `build_id` String,
    `table` LowCardinality(String),
    `day` Date,
    `log_epoch` UInt16,
    `partition` UInt16,
    `offset` UInt64,
    `arrived` DateTime64(3, 'Asia/Shanghai'),
    `source` LowCardinality(String),
    `id` String,
    `reasons` Array(LowCardinality(String)),
    `raw` String CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(day)
ORDER BY (table, day, build_id, partition, offset);

-- What the gate said of one day of one table in one build. No row means not passed.
CREATE TABLE IF NOT EXISTS quality.verdict
(
    `table` LowCardinality(String),
    `day` Date,
    `build_id` String,
    `passed` UInt8,
    `suite` LowCardinality(String),
    `suite_hash` LowCardinality(String),
    `rows` UInt64,
    `expectations` UInt32,
    `failed` Array(String),
    `decided` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY (table, day, build_id, decided);

-- One attempt to build a span of days: its build id and what it read. `offsets` are ends (exclusive) by
-- `topic/epoch/partition`, fixed for all its tables; `parent` is the release whose builds it took for other days.
-- A second row with state `released` follows when everything it built is published or already was.
CREATE TABLE IF NOT EXISTS release.attempt
(
    `build_id` String,
    `state` LowCardinality(String),
    `first` Date,
    `last` Date,
    `parent` UInt64,
    `offsets` Map(String, UInt64),
    `at` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY (build_id, at);

-- One day of one table in one build, and what it holds.
CREATE TABLE IF NOT EXISTS release.build
(
    `table` LowCardinality(String),
    `day` Date,
    `build_id` String,
    `rows` UInt64,
    `duplicates` UInt64,
    `corrected` UInt64,
    `quarantined` UInt64,
    `content_hash` String,
    `complete` UInt8,
    `version` LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY (table, day, build_id);

-- What each release consists of, written before its pointers; a row without pointer was never published.
CREATE TABLE IF NOT EXISTS release.manifest
(
    `seq` UInt64,
    `parent` UInt64,
    `table` LowCardinality(String),
    `day` Date,
    `build_id` String,
    `content_hash` String,
    `complete` UInt8,
    `version` LowCardinality(String),
    `suite_hash` LowCardinality(String),
    `code` LowCardinality(String),
    `released` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY (seq, table, day);

-- The commit: one release is one insert of one block. A day of a table shows the build of its latest pointer.
CREATE TABLE IF NOT EXISTS release.pointer
(
    `seq` UInt64,
    `table` LowCardinality(String),
    `day` Date,
    `build_id` String
)
ENGINE = MergeTree
ORDER BY (table, day, seq);
