-- Databases, and the landing tables that belong to no single feed.

CREATE DATABASE IF NOT EXISTS landing;
CREATE DATABASE IF NOT EXISTS built;
CREATE DATABASE IF NOT EXISTS quality;
CREATE DATABASE IF NOT EXISTS release;
CREATE DATABASE IF NOT EXISTS mart;

-- Events that break their contract, with the first rule they break.
CREATE TABLE IF NOT EXISTS landing.rejected
(
    `feed` LowCardinality(String),
    `topic` LowCardinality(String),
    `log_epoch` UInt16,
    `partition` UInt16,
    `offset` UInt64,
    `arrived` DateTime64(3, 'Asia/Shanghai'),
    `timeline` LowCardinality(String),
    `field` LowCardinality(String),
    `rule` LowCardinality(String),
    `value` String,
    `id` String,
    `source` String,
    `raw` String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(arrived)
ORDER BY (topic, log_epoch, partition, offset);

-- Control messages: the clock of a feed or a replay at this offset.
CREATE TABLE IF NOT EXISTS landing.tick
(
    `topic` LowCardinality(String),
    `log_epoch` UInt16,
    `partition` UInt16,
    `offset` UInt64,
    `arrived` DateTime64(3, 'Asia/Shanghai'),
    `timeline` LowCardinality(String),
    `clock` DateTime64(3, 'Asia/Shanghai'),
    `final` UInt8
)
ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(arrived)
ORDER BY (topic, log_epoch, partition, offset);

-- Offset intervals that are wholly landed; read as their union. A row is written after everything it speaks of.
-- `watermarks` are the latest event time or tick by timeline, after `last`.
CREATE TABLE IF NOT EXISTS landing.ledger
(
    `topic` LowCardinality(String),
    `feed` LowCardinality(String),
    `log_epoch` UInt16,
    `partition` UInt16,
    `first` UInt64,
    `last` UInt64,
    `accepted` UInt64,
    `rejected` UInt64,
    `control` UInt64,
    `watermarks` Map(String, DateTime64(3, 'Asia/Shanghai')),
    `arrived_last` DateTime64(3, 'Asia/Shanghai')
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, log_epoch, partition, first, last);

-- Which log an epoch number means: a recreated topic or another partition count is a new one.
CREATE TABLE IF NOT EXISTS landing.epoch
(
    `topic` LowCardinality(String),
    `topic_id` String,
    `log_epoch` UInt16
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, log_epoch);
