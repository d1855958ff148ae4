-- What the gate found, as values: check, code and parameters, one JSON text each; `failed` has the same in words.
-- What earlier versions wrote as words alone reads as the code `told`, under its check, and is shown as it stands.
ALTER TABLE quality.verdict ADD COLUMN IF NOT EXISTS `findings` Array(String) DEFAULT arrayMap(text -> concat(
    '{"found":"told","given":{"words":', toJSONString(substring(text, if(position(text, ': ') = 0, 1, position(text, ': ') + 2))),
    '},"check":', toJSONString(substring(text, 1, greatest(position(text, ': '), 1) - 1)), '}'), failed) AFTER `failed`;

ALTER TABLE quality.task ADD COLUMN IF NOT EXISTS `findings` Array(String) DEFAULT arrayMap(text -> concat(
    '{"found":"told","given":{"words":', toJSONString(substring(text, if(position(text, ': ') = 0, 1, position(text, ': ') + 2))),
    '},"check":', toJSONString(substring(text, 1, greatest(position(text, ': '), 1) - 1)), '}'), failed) AFTER `failed`;
