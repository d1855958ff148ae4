"""The words of commands in the language of the settings, from `texts.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from schemas.settings import Settings
from schemas.texts import Words, read_words

TEXTS = Path(__file__).parent / "texts.yaml"


def words_for(settings: Settings) -> Words:
    """The words of this home's language."""
    return _words()[settings.language]


@cache
def _words() -> dict[str, Words]:
    return read_words(TEXTS)
