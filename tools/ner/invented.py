"""Words that look like names: letter sequences learnt from a list, so that none is on it."""

from __future__ import annotations

import random
from collections.abc import Iterable


class Markov:
    """Makes words whose every three letters occur in the words it was given."""

    def __init__(self, words: Iterable[str]) -> None:
        self.followers: dict[str, list[str]] = {}
        for word in words:
            padded = f"^^^{word.lower()}$"
            for i in range(len(padded) - 3):
                self.followers.setdefault(padded[i : i + 3], []).append(padded[i + 3])

    def word(self, rng: random.Random) -> str:
        """Returns a word of 3–12 letters, capitalised."""
        word = "^^^"
        for _ in range(20):
            word = "^^^"
            while len(word) < 16:
                letter = rng.choice(self.followers[word[-3:]])
                if letter == "$":
                    break
                word += letter
            if 3 <= len(word) - 3 <= 12 and " " not in word:
                break
        return word[3:].capitalize()
