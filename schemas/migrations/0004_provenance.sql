-- Where figures come from, and who has looked at raw messages.

-- What one figure period of one build was made of: in `build_id`, the period of `table` that ends on `day` read the days
-- `first` to `last` of `input` as `input_build` holds them. An input of the same name as `table` is earlier figures it was
-- compared with.
CREATE TABLE IF NOT EXISTS release.input
(
    `table` LowCardinality(String),
    `day` Date,
    `build_id` String,
    `input` LowCardinality(String),
    `input_build` String,
    `first` Date,
    `last` Date
)
ENGINE = MergeTree
ORDER BY (table, day, build_id, input, first);

-- Each time raw bytes of messages were shown to a person: when, to which account, and of which figure.
CREATE TABLE IF NOT EXISTS landing.disclosure
(
    `at` DateTime64(3, 'Asia/Shanghai'),
    `who` String,
    `what` String,
    `messages` UInt64
)
ENGINE = MergeTree
ORDER BY at;
