"""A sample of the names a text may have in it, to see at reading whether the text will keep its contract."""

from __future__ import annotations

SAMPLE = {
    "region": "330106",
    "city": "330100",
    "subject": "330106A",
    "letter": "A",
    "n": "1",
    "day": "20260301",
    "serial": "0001",
    "tag": "0a1b2c3d",
    "feed": "domain.feed",
}
