"""The console's words, and which language a visitor gets."""

from __future__ import annotations

from pathlib import Path

from schemas.texts import DEFAULT, LANGUAGES, Words, read_words

__all__ = ["DEFAULT", "LANGUAGES", "TEXTS", "Words", "load_words", "negotiate"]
TEXTS = Path(__file__).parent / "texts.yaml"


def load_words(path: Path = TEXTS) -> dict[str, Words]:
    """The words by language."""
    return read_words(path)


def negotiate(cookie: str, accepted: str) -> str:
    """What a visitor chose, else English where his browser asks for that first, else Chinese."""
    if cookie in LANGUAGES:
        return cookie
    first = accepted.split(",")[0].strip().lower()
    return "en" if first.startswith("en") else DEFAULT
