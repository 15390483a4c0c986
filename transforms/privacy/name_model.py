"""The spaCy parts of the bundled model: a tokenizer, word features, and a scorer of names.

The scorer is a softmax over every token (nothing, PERSON, USERNAME, LOCATION, ORGANIZATION,
ADDRESS). It is faster than a transition parser and gives probabilities, so that how much is found
can be chosen after training. Importing this module registers the parts with spaCy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from spacy.attrs import IS_SPACE, LANG, LOWER, NORM, PREFIX, SHAPE, SUFFIX
from spacy.language import Language
from spacy.pipeline.tagger import Tagger
from spacy.tokens import Doc, Span
from spacy.util import registry
from spacy.vocab import Vocab

from transforms.privacy.lexicon import (
    COMMON,
    ENGLISH,
    FIRST,
    LAST,
    PLACE,
    PROPER,
    TECHNICAL,
    Lexicon,
)

LABELS = ("O", "PERSON", "USERNAME", "LOCATION", "ORGANIZATION", "ADDRESS")
SCORES = "name_scores"
"""Key of ``doc.user_data``: an array, tokens × labels."""
LEXICON_DIR = "lexicon"

TOKEN = re.compile(r"['’][sS](?![^\W\d_])|[^\W\d_]+|\d+|_| (?=\S)|\s+|[^\w\s]|\w")
_CAMEL = re.compile(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])")
_SURROGATE = re.compile("[\ud800-\udfff]")


def split_words(text: str) -> list[tuple[str, int]]:
    """Returns the tokens of a text and where each starts; single blanks between them are none."""
    found: list[tuple[str, int]] = []
    joined = False
    for match in TOKEN.finditer(text):
        word = match.group()
        start = match.start()
        if word == " " and joined:
            joined = False
            continue
        if len(word) > 3 and not (word.islower() or word.isupper() or word.istitle()):
            for part in _CAMEL.split(word):
                found.append((part, start))
                start += len(part)
        else:
            found.append((word, start))
        joined = not word.isspace()
    return found


class NameTokenizer:
    """Splits words, numbers and signs, also inside ``jo.smith``, ``jo_smith`` and ``JoSmith``."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        """Returns the tokens of a text; their offsets are the text's."""
        text = _SURROGATE.sub("\ufffd", text)
        tokens = split_words(text)
        ends = [start + len(word) for word, start in tokens]
        starts = [start for _, start in tokens[1:]]
        spaces = [end < start for end, start in zip(ends, starts)]
        if tokens:
            spaces.append(text[ends[-1] :] == " ")
        return Doc(self.vocab, words=[word for word, _ in tokens], spaces=spaces)

    def to_bytes(self, **kwargs) -> bytes:
        """Has no state of its own."""
        return b""

    def from_bytes(self, data: bytes, **kwargs) -> NameTokenizer:
        """Has no state of its own."""
        return self

    def to_disk(self, path, **kwargs) -> None:
        """Has no state of its own."""

    def from_disk(self, path, **kwargs) -> NameTokenizer:
        """Has no state of its own."""
        return self


@registry.tokenizers("tracemill.name_tokenizer.v1")
def make_name_tokenizer():
    """Makes the tokenizer for a pipeline."""
    return lambda nlp: NameTokenizer(nlp.vocab)


def use_lexicon(nlp: Language, lexicon: Lexicon, unlisted=frozenset()) -> None:
    """Makes the classes and the sound of words features of a pipeline's vocabulary.

    LANG carries the lists a word is in, PREFIX (whose first letter tells little) the kind of
    English word and the sound. ``unlisted`` words count as in no list of names: trained with that,
    the model learns not to trust the lists alone.
    """

    vocab: Any = nlp.vocab

    def listed(word: str) -> int:
        bits = lexicon.of(word)
        low = word.lower()
        if low in unlisted:
            bits &= ~(FIRST | LAST | PLACE)
        return 1000 + (bits & (FIRST | LAST | PLACE))

    def kind(word: str) -> str:
        if not word[:1].isalpha():
            return word[:1]
        bits = lexicon.of(word)
        english = "c" if bits & COMMON else "e" if bits & ENGLISH else "-"
        proper = "p" if bits & PROPER and word.lower() not in unlisted else "-"
        technical = "t" if bits & TECHNICAL else "-"
        return f"{english}{proper}{technical}{lexicon.sound(word)}"

    for attribute in list(vocab.lex_attr_getters):
        # Every new word is asked for all of them; the model reads these.
        if attribute not in (LOWER, NORM, PREFIX, SUFFIX, SHAPE, LANG, IS_SPACE):
            del vocab.lex_attr_getters[attribute]
    vocab.lex_attr_getters[LANG] = listed
    vocab.lex_attr_getters[PREFIX] = kind
    for lexeme in vocab:
        lexeme.lang = listed(lexeme.text)
        lexeme.prefix_ = kind(lexeme.text)


class NameScorer(Tagger):
    """A tagger that keeps its probabilities and writes entities instead of tags."""

    def predict(self, docs: Iterable[Doc]):
        """Returns an array of probabilities for each document."""
        docs = list(docs)
        if not any(len(doc) for doc in docs):
            return [self.model.ops.alloc2f(0, len(self.labels)) for _ in docs]
        return self.model.predict(docs)

    def set_annotations(self, docs: Iterable[Doc], batch_tag_ids) -> None:
        """Keeps the scores and sets ``doc.ents``: runs of tokens whose best label is one name."""
        names = self.labels
        other = names.index("O")
        for doc, scores in zip(docs, batch_tag_ids):
            doc.user_data[SCORES] = scores
            if not len(doc):
                continue
            best = scores.argmax(axis=1)
            ents: list[Span] = []
            start = 0
            for i in range(1, len(doc) + 1):
                if i == len(doc) or best[i] != best[start]:
                    if best[start] != other and not doc[start:i].text.isspace():
                        ents.append(Span(doc, start, i, label=names[best[start]]))
                    start = i
            doc.set_ents(ents)


@Language.factory("name_scorer", assigns=["doc.ents"])
def make_name_scorer(nlp: Language, name: str, model):
    """Makes the scorer for a pipeline."""
    return NameScorer(nlp.vocab, model, name, overwrite=True, label_smoothing=0.02)


class NameScores:
    """The scores of a bundled model, without spaCy's documents.

    What a word is embedded as depends on nothing around it, so each word is embedded once.
    """

    def __init__(self, nlp: Language) -> None:
        """Takes a pipeline of :func:`load_bundled`."""
        self.vocab = nlp.vocab
        tok2vec: Any = nlp.get_pipe("tok2vec")
        scorer: Any = nlp.get_pipe("name_scorer")
        self.embed, self.encode = tok2vec.model.layers
        self.output = scorer.model.layers[1]
        self.labels: tuple[str, ...] = tuple(scorer.labels)
        self.forget()

    def forget(self) -> None:
        """Empties the cache of embedded words."""
        self._rows: dict[str, int] = {}
        self._vectors: np.ndarray | None = None

    def of(self, texts: Sequence[str]) -> list[tuple[list[tuple[str, int]], np.ndarray]]:
        """Returns (token, start) of each text, and an array tokens × labels."""
        split = [split_words(_SURROGATE.sub("\ufffd", text)) for text in texts]
        new = dict.fromkeys(
            word for tokens in split for word, _ in tokens if word not in self._rows
        )
        if new:
            first = len(self._rows)
            made = self.embed.predict([Doc(self.vocab, words=list(new))])[0]
            self._rows.update(zip(new, range(first, first + len(new))))
            known = self._vectors
            self._vectors = made if known is None else np.concatenate([known, made])
        if self._vectors is None:
            return [(tokens, np.zeros((0, len(self.labels)), "f")) for tokens in split]
        rows = self._rows
        vectors = [self._vectors[[rows[word] for word, _ in tokens]] for tokens in split]
        return list(zip(split, self.output.predict(self.encode.predict(vectors))))


def load_bundled(folder: Path) -> Language:
    """Loads a model that ``tools/train_ner.py`` made, with its word lists."""
    import spacy

    from transforms.privacy.lexicon import load_lexicon

    nlp = spacy.load(folder)
    use_lexicon(nlp, load_lexicon(str(folder)))
    return nlp
