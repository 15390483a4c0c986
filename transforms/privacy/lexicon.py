"""What is known of single words: lists of names and places, English, and how a name sounds.

The lists are package data beside the model (``tools/train_ner.py`` makes them). A word's classes
and its sound are features of the model and, alone, decide little: many names are words.
"""

from __future__ import annotations

import functools
import gzip
import re
from pathlib import Path

from transforms.privacy.words import INTERFACE_WORDS

FIRST, LAST, PLACE, COMMON, ENGLISH, PROPER, TECHNICAL = (1 << n for n in range(7))
"""First and last names, places; the 40,000 commonest English words, 115,000 more; words that
dictionaries write with a capital; words of programs, brands and documentation."""

NAMES = FIRST | LAST

LEXICON_FILE = "lexicon.txt.gz"
SOUNDS_FILE = "sounds.txt.gz"
SOUND_LEVELS = 6


class Lexicon:
    """Classes of words, and a score of how much a word sounds like a name."""

    def __init__(self, classes: dict[str, int], sounds: dict[str, int]) -> None:
        """Takes word → bits (lower case), and trigram → 100 × log odds of name against word."""
        self.classes = classes
        self.sounds = sounds

    def of(self, word: str) -> int:
        """Returns the bits of a word, whatever its case."""
        return self.classes.get(word.lower(), 0)

    def sound(self, word: str) -> int:
        """Returns 0 (an English word) … 5 (a name) by the trigrams of a word."""
        text = f"^^{word.lower()}$"
        total = sum(self.sounds.get(text[i : i + 3], 0) for i in range(len(text) - 2))
        score = total / (len(text) - 2)
        return max(0, min(SOUND_LEVELS - 1, int((score + 90) // 45)))

    def is_name_only(self, word: str) -> bool:
        """Whether a word is in the lists of names and in none of common words and places."""
        bits = self.of(word)
        return bool(bits & NAMES) and not bits & (COMMON | PLACE | TECHNICAL)


def name_parts(local: str, lexicon: Lexicon) -> list[str]:
    """Returns the words of an address's local part that seem to be names."""
    words = [w.lower() for w in re.split(r"[\W\d_]+", local) if len(w) >= 3]
    return [
        w
        for w in words
        if w not in INTERFACE_WORDS
        and (
            lexicon.of(w) & NAMES
            or (
                len(words) > 1
                and not lexicon.of(w) & (COMMON | TECHNICAL)
                and lexicon.sound(w) >= 3
            )
        )
    ]


def read_table(path: Path) -> dict[str, int]:
    """Reads ``text<TAB>number`` lines, gzipped."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        pairs = (line.rstrip("\n").split("\t") for line in file)
        return {text: int(number) for text, number in pairs}


def write_table(path: Path, table: dict[str, int]) -> None:
    """Writes :func:`read_table`'s form; equal tables give equal bytes."""
    text = "".join(f"{key}\t{number}\n" for key, number in sorted(table.items()))
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.encode("utf-8"))


@functools.lru_cache(4)
def load_lexicon(folder: str) -> Lexicon:
    """Reads the lists that stand beside a model."""
    base = Path(folder)
    return Lexicon(read_table(base / LEXICON_FILE), read_table(base / SOUNDS_FILE))
