-- A ledger that is summed up, the days its rows are of, and what an attempt reads fixed once.

-- `parts` is how many intervals were merged into one; 0 is one as it was written. `listed` says that
-- landing.changed_day names the days of everything accepted in the interval.
ALTER TABLE landing.ledger ADD COLUMN IF NOT EXISTS `listed` UInt8;
ALTER TABLE landing.ledger ADD COLUMN IF NOT EXISTS `parts` UInt32;

-- Which days the landed events of each partition are of: the last offset of each day, and the offset after the last
-- correction of it (0 for none). Written after the events and before the interval of the ledger that counts them.
CREATE TABLE IF NOT EXISTS landing.changed_day
(
    `topic` LowCardinality(String),
    `event_day` Date,
    `log_epoch` UInt16,
    `partition` UInt16,
    `last` SimpleAggregateFunction(max, UInt64),
    `corrected` SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (topic, event_day, log_epoch, partition);

-- Where the ledger ended when an attempt began, with all that its tables ask of it, and the replays that were over.
-- `fixed` tells such an attempt from an older one, which has offsets alone.
ALTER TABLE release.attempt ADD COLUMN IF NOT EXISTS `fixed` UInt8;
ALTER TABLE release.attempt ADD COLUMN IF NOT EXISTS `ends` Array(Tuple(topic String, log_epoch UInt16,
    partition UInt16, stop UInt64, accepted UInt64, arrived_last DateTime64(3, 'Asia/Shanghai'),
    watermarks Map(String, DateTime64(3, 'Asia/Shanghai')), hole Bool));
ALTER TABLE release.attempt ADD COLUMN IF NOT EXISTS `ended` Array(String);
