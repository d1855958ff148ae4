"""Texts in Chinese and English by key, from one file; a text that lacks either is Misdeclared.

Programs pass and store codes with parameters; whoever shows one takes its words from here, in the reader's
language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.declaration import parse_yaml
from schemas.errors import Misdeclared

LANGUAGES = {"zh": "zh-CN", "en": "en"}
"""Our short names, and what stands in `lang` attributes."""
DEFAULT = "zh"


@dataclass(frozen=True)
class Words:
    """The words of one language."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **given: Any) -> str:
        """The text of a key, its places filled; KeyError where there is none."""
        return self.texts[key].format(**given) if given else self.texts[key]

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self.texts

    def of(self, chinese: str, english: str) -> str:
        """Whichever of two texts is of this language; the Chinese one where the English is empty."""
        return chinese if self.language == DEFAULT or not english else english

    @property
    def lang(self) -> str:
        """The language as `lang` attributes name it."""
        return LANGUAGES[self.language]


def read_words(path: Path) -> dict[str, Words]:
    """The words by language; each key holds a list of two texts, Chinese and English."""
    entry = parse_yaml(path.read_text(encoding="utf-8"), path.name)
    pairs = entry.value
    if not isinstance(pairs, dict):
        raise Misdeclared(path.name, "file", "must be a mapping of key to [Chinese, English]")
    for key, pair in pairs.items():
        fit = isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) and t for t in pair)
        if not fit:
            raise Misdeclared(path.name, str(key), "must be a list of two texts, Chinese and English")
    return {
        language: Words(language, {str(key): pair[place] for key, pair in pairs.items()})
        for place, language in enumerate(LANGUAGES)
    }
