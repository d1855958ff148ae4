-- What releases, backfills and quality need beside builds and pointers.

-- Which offsets of each partition (`epoch/partition`) the rows of a day's build stand at: first and last.
ALTER TABLE release.build ADD COLUMN IF NOT EXISTS `offsets` Map(String, Array(UInt64));

-- Why a build is made: `build`, `late` (rows or corrections came after a release), `backfill`. `days` are the
-- very days where they are not the whole span.
ALTER TABLE release.attempt ADD COLUMN IF NOT EXISTS `kind` LowCardinality(String) DEFAULT 'build';
ALTER TABLE release.attempt ADD COLUMN IF NOT EXISTS `days` Array(Date);

-- `kind` is that of the attempt, or `rollback`; a rollback's `note` names the release it shows again.
ALTER TABLE release.manifest ADD COLUMN IF NOT EXISTS `kind` LowCardinality(String) DEFAULT 'build';
ALTER TABLE release.manifest ADD COLUMN IF NOT EXISTS `note` String;
ALTER TABLE release.manifest ADD COLUMN IF NOT EXISTS `rows` UInt64;
ALTER TABLE release.manifest ADD COLUMN IF NOT EXISTS `verdict` LowCardinality(String) DEFAULT 'passed';
ALTER TABLE release.manifest ADD COLUMN IF NOT EXISTS `offsets` Map(String, Array(UInt64));

-- Pinned releases do not expire. The latest row of a release counts.
CREATE TABLE IF NOT EXISTS release.pin
(
    `seq` UInt64,
    `pinned` UInt8,
    `reason` String,
    `at` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY (seq, at);

-- Releases past their age: events that only they show may be gone, their manifest and figures stay.
CREATE TABLE IF NOT EXISTS release.expired
(
    `seq` UInt64,
    `at` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY seq;

-- Builds whose rows were deleted.
CREATE TABLE IF NOT EXISTS release.deleted
(
    `table` LowCardinality(String),
    `day` Date,
    `build_id` String,
    `at` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY (table, day, build_id);

-- Which days of a build are wholly written, so that one that was killed goes on there; rows and seconds say
-- what the next one will cost.
CREATE TABLE IF NOT EXISTS release.progress
(
    `build_id` String,
    `table` LowCardinality(String),
    `first` Date,
    `last` Date,
    `rows` UInt64,
    `seconds` Float64,
    `at` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY (build_id, table, first);

-- Work for a department: a day of its table did not pass the gate. `evidence` is JSON, one text a row: places
-- in the log and reasons, never values. The latest row of a task counts.
CREATE TABLE IF NOT EXISTS quality.task
(
    `task` String,
    `state` LowCardinality(String),
    `department` LowCardinality(String),
    `table` LowCardinality(String),
    `day` Date,
    `build_id` String,
    `failed` Array(String),
    `evidence` Array(String),
    `note` String,
    `at` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = MergeTree
ORDER BY (task, at);

-- Rejected events that were sent again, corrected: under which id, and whether as a correction.
CREATE TABLE IF NOT EXISTS landing.resent
(
    `topic` LowCardinality(String),
    `log_epoch` UInt16,
    `partition` UInt16,
    `offset` UInt64,
    `source` String,
    `id` String,
    `corrects` String,
    `at` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (topic, log_epoch, partition, offset);
