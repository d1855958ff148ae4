"""Pseudonyms of personal values: `<key id>:<HMAC>`, the same for the same value and key, and no way back.

HMAC-SHA256 (RFC 2104), cut to 128 bits. The key stays outside the warehouse; its id, the start of its own hash,
stands with every pseudonym, so that values under an old key can be told from those under a new one.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

LENGTH = 32
ID_LENGTH = 8


@dataclass(frozen=True)
class Pseudonyms:
    """Makes pseudonyms with one key."""

    key: str = field(repr=False)

    @property
    def key_id(self) -> str:
        """Which key it is, without saying anything of it."""
        return sha256(b"liaowang key id\0" + self.key.encode()).hexdigest()[:ID_LENGTH]

    def of(self, value: str) -> str:
        """The pseudonym of a value."""
        digest = hmac.new(self.key.encode(), value.encode(), sha256).hexdigest()
        return f"{self.key_id}:{digest[:LENGTH]}"
