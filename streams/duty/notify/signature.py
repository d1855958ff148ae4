"""The signature of a push: HMAC-SHA256 (RFC 2104) over timestamp and body."""

from __future__ import annotations

import hmac

KEY_HEADER = "Idempotency-Key"
TIMESTAMP_HEADER = "X-Liaowang-Timestamp"
SIGNATURE_HEADER = "X-Liaowang-Signature"
TOLERANCE = 300


def sign(key: str, timestamp: int, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of `<timestamp>.<body>`; the timestamp is in seconds since 1970."""
    return "v1=" + hmac.new(key.encode(), b"%d." % timestamp + body, "sha256").hexdigest()


def complaint(key: str, timestamp: str, signature: str, body: bytes, now: float) -> str:
    """Why a request is not to be believed; empty where it is. More than 5 minutes old or ahead is not."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 13):
        return f"{TIMESTAMP_HEADER} must be seconds since 1970"
    if not hmac.compare_digest(sign(key, int(timestamp), body).encode(), signature.encode()):
        return f"{SIGNATURE_HEADER} does not fit"
    if abs(now - int(timestamp)) > TOLERANCE:
        return f"{TIMESTAMP_HEADER} is more than {TOLERANCE} seconds away"
    return ""
