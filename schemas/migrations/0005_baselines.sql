-- What is usual: every baseline that was worked out of landed events, by the version it was published as.
CREATE TABLE IF NOT EXISTS landing.baseline
(
    `name` LowCardinality(String),
    `version` UInt32,
    `computed` DateTime64(3, 'Asia/Shanghai'),
    `subject` String,
    `slot` UInt16,
    `mean` Float64,
    `sd` Float64,
    `points` UInt64,
    `rule` LowCardinality(String),
    `rule_version` UInt32,
    `first` Date,
    `last` Date
)
ENGINE = ReplacingMergeTree
ORDER BY (name, version, computed, subject, slot);
