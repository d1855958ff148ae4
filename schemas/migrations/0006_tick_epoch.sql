-- The set of rules a tick brings, so that a warning is decided again by the rules that were in force.
ALTER TABLE landing.tick ADD COLUMN IF NOT EXISTS `epoch` UInt64 AFTER `final`;
