"""Trains the bundled finder of names from synthetic data: ``python -m tools.train_ner``.

Everything comes from one seed: equal inputs (Faker's lists, the texts of the standard library and
of installed packages, ``tools/ner``) give an equal model on one machine. Nothing here runs in a
job; the result is committed below ``transforms/privacy/ner_model``.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example as SpacyExample
from spacy.util import fix_random_seed, load_model_from_config, minibatch
from thinc.api import Config

from tools.ner import prose, vocabulary
from tools.ner.faker_lists import HELD_OUT, NameLists, faker_lists, other_scripts
from tools.ner.generator import Example, Generator
from transforms.privacy import lexicon as lex
from transforms.privacy.lexicon import Lexicon, read_table, write_table
from transforms.privacy.name_model import LABELS, use_lexicon

PROJECT = Path(__file__).resolve().parents[1]
MODEL = PROJECT / "transforms" / "privacy" / "ner_model"
ENGLISH = Path(__file__).parent / "ner" / "english.txt.gz"
UNLISTED_OF_100 = 35
"""Share of listed words that training treats as unlisted, so that context has to speak."""

CONFIG = """
[nlp]
lang = "en"
pipeline = ["tok2vec", "name_scorer"]
[nlp.tokenizer]
@tokenizers = "tracemill.name_tokenizer.v1"
[components]
[components.tok2vec]
factory = "tok2vec"
[components.tok2vec.model]
@architectures = "spacy.Tok2Vec.v2"
[components.tok2vec.model.embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = {width}
attrs = ["NORM", "PREFIX", "SUFFIX", "SHAPE", "LANG"]
rows = {rows}
include_static_vectors = false
[components.tok2vec.model.encode]
@architectures = "spacy.MaxoutWindowEncoder.v2"
width = {width}
depth = {depth}
window_size = 1
maxout_pieces = 3
[components.name_scorer]
factory = "name_scorer"
[components.name_scorer.model]
@architectures = "spacy.Tagger.v2"
nO = null
normalize = true
[components.name_scorer.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = {width}
upstream = "*"
"""

_PARTS = re.compile(r"[^\W\d_]+")


def build_lexicon(lists: NameLists, texts: Iterable[str]) -> Lexicon:
    """Makes the classes of words out of name lists, English and technical texts."""
    classes: dict[str, int] = {}

    def add(word: str, bit: int) -> None:
        for part in _PARTS.findall(word):
            if len(part) > 1:
                classes[part.lower()] = classes.get(part.lower(), 0) | bit

    for bit, by_locale in (
        (lex.FIRST, lists.first),
        (lex.LAST, lists.last),
        (lex.PLACE, lists.places),
    ):
        for names in by_locale.values():
            for name in names:
                add(name, bit)
    for country in lists.countries:
        add(country, lex.PLACE)
    for bit, names in zip((lex.FIRST, lex.LAST), other_scripts()):
        for word in {part for name in names for part in name.split() if not part.isascii()}:
            classes[word.lower()] = classes.get(word.lower(), 0) | bit
    for small in "of and the de la el del di da do den der van von und y e".split():
        classes.pop(small, None)
    english = read_table(ENGLISH)
    for word, kind in english.items():
        add(word, {1: lex.COMMON, 2: lex.ENGLISH, 4: lex.PROPER}[kind])
    for word in technical_words(texts):
        add(word, lex.TECHNICAL)
    return Lexicon(classes, sounds_of(lists, english))


def technical_words(texts: Iterable[str]) -> list[str]:
    """Words of interfaces and brands, and those that many technical texts use."""
    known = [
        part
        for text in (vocabulary.APPS, vocabulary.BRANDS, vocabulary.INTERFACE)
        for part in vocabulary.split(text)
    ]
    counts = Counter(word.lower() for text in texts for word in set(_PARTS.findall(text)))
    return sorted({*known, *(w for w, n in counts.items() if n >= 4 and len(w) > 1)})


def sounds_of(lists: NameLists, english: dict[str, int]) -> dict[str, int]:
    """100 × log odds of each trigram in names against English words."""
    names = {
        part.lower()
        for by_locale in (lists.first, lists.last)
        for locale_names in by_locale.values()
        for name in locale_names
        for part in _PARTS.findall(name)
    }
    words = {word for word, kind in english.items() if kind == 1}
    counts = [Counter(), Counter()]
    for counter, group in zip(counts, (names, words)):
        for word in group:
            padded = f"^^{word}$"
            counter.update(padded[i : i + 3] for i in range(len(padded) - 2))
    totals = [sum(counter.values()) for counter in counts]
    table = {}
    for trigram in counts[0].keys() | counts[1].keys():
        a, b = counts[0][trigram], counts[1][trigram]
        if a + b >= 4:
            odds = math.log((a + 1) / totals[0]) - math.log((b + 1) / totals[1])
            table[trigram] = round(100 * odds)
    return table


def empty_model(width: int, depth: int, rows: Sequence[int]) -> Language:
    """Returns an untrained pipeline."""
    text = CONFIG.format(width=width, depth=depth, rows=json.dumps(list(rows)))
    return load_model_from_config(Config().from_str(text), auto_fill=True, validate=True)


def tagged(nlp: Language, examples: Iterable[Example]) -> list[SpacyExample]:
    """Turns examples into what spaCy trains on: a label for every token."""
    result = []
    for example in examples:
        doc = nlp.make_doc(example.text)
        tags = ["O"] * len(doc)
        for token in doc:
            for start, end, label in example.names:
                if token.idx < end and token.idx + len(token) > start:
                    tags[token.i] = label
        reference = Doc(
            doc.vocab,
            words=[t.text for t in doc],
            spaces=[bool(t.whitespace_) for t in doc],
            tags=tags,
        )
        result.append(SpacyExample(doc, reference))
    return result


def common_words(lexicon: Lexicon, texts: Iterable[str], count: int = 6000) -> tuple[str, ...]:
    """English words by how often technical texts use them, names left out."""
    counts = Counter(word for text in texts for word in re.findall(r"\b[a-z]{3,}\b", text))
    rest = sorted(w for w, bits in lexicon.classes.items() if bits & lex.COMMON and w.isascii())
    random.Random(5).shuffle(rest)
    ranked = [w for w, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    ranked += rest[: count // 2]
    return tuple(dict.fromkeys(w for w in ranked if not lexicon.of(w) & lex.NAMES))[:count]


def train(
    lists: NameLists,
    texts: Sequence[str],
    *,
    examples: int,
    epochs: int,
    width: int = 64,
    depth: int = 3,
    rows: Sequence[int] = (5000, 500, 2500, 1500, 64),
    seed: int = 11,
    drop: float = 0.2,
    report=lambda text: None,
) -> tuple[Language, Lexicon]:
    """Trains a model; equal arguments give equal weights.

    Args:
        lists: names and places to make examples of.
        texts: technical sentences: carriers of names, and examples without any.
        examples: how many texts are made.
        epochs: how often each is seen.
        width, depth, rows: size of the model.
        seed: of everything random.
        drop: share of activations dropped in training.
        report: called with a line after each epoch.
    """
    lexicon = build_lexicon(lists, texts)
    plain = prose.without_people(
        texts,
        lambda w: bool(lexicon.of(w) & lex.NAMES),
        lambda w: bool(lexicon.of(w) & (lex.COMMON | lex.TECHNICAL)),
    )
    fix_random_seed(seed)
    generator = Generator(
        seed,
        lists,
        plain,
        common_words(lexicon, plain),
        ambiguous=sorted(
            word
            for word, bits in lexicon.classes.items()
            if bits & lex.NAMES and bits & lex.COMMON and len(word) > 2 and word.isascii()
        ),
    )
    made = generator.examples(examples)
    made += [Example(text, ()) for text in plain[:: max(1, len(plain) * 4 // max(examples, 1))]]
    nlp = empty_model(width, depth, rows)
    unlisted = frozenset(
        word
        for word, bits in lexicon.classes.items()
        if bits & (lex.NAMES | lex.PLACE) and zlib.crc32(word.encode()) % 100 < UNLISTED_OF_100
    )
    use_lexicon(nlp, lexicon, unlisted)
    data = tagged(nlp, made)
    for label in LABELS:
        nlp.get_pipe("name_scorer").add_label(label)
    optimizer = nlp.initialize(lambda: data[:1000])
    rng = random.Random(seed)
    started = time.process_time()
    for epoch in range(epochs):
        rng.shuffle(data)
        losses: dict[str, float] = {}
        batches = list(minibatch(data, 48))
        for number, batch in enumerate(batches):
            done = (epoch + number / len(batches)) / epochs
            optimizer.learn_rate = 0.0015 * (1 - done) + 0.00005
            nlp.update(batch, sgd=optimizer, drop=drop, losses=losses)
        seconds = time.process_time() - started
        report(f"epoch {epoch + 1}: loss {losses['name_scorer']:.0f}, {seconds:.0f} s")
    return nlp, lexicon


def save(nlp: Language, lexicon: Lexicon, folder: Path) -> None:
    """Writes a model and its word lists, in the form ``load_bundled`` reads."""
    from spacy.attrs import LANG, PREFIX

    getters = dict(nlp.vocab.lex_attr_getters)
    nlp.vocab.lex_attr_getters.pop(LANG)
    nlp.vocab.lex_attr_getters.pop(PREFIX)
    nlp.to_disk(folder, exclude=["vocab"])
    nlp.vocab.lex_attr_getters.update(getters)
    write_table(folder / lex.LEXICON_FILE, lexicon.classes)
    write_table(folder / lex.SOUNDS_FILE, lexicon.sounds)


def training_texts() -> tuple[str, ...]:
    """Returns the technical sentences that training uses."""
    return (*prose.library_sentences(), *prose.package_sentences(False))


def main() -> None:
    """Trains the bundled model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=MODEL, help="folder to write")
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--drop", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    nlp, lexicon = train(
        faker_lists().without(HELD_OUT),
        training_texts(),
        examples=args.examples,
        epochs=args.epochs,
        width=args.width,
        depth=args.depth,
        drop=args.drop,
        seed=args.seed,
        report=lambda text: print(text, flush=True),
    )
    args.output.mkdir(parents=True, exist_ok=True)
    save(nlp, lexicon, args.output)
    size = sum(f.stat().st_size for f in args.output.rglob("*") if f.is_file())
    print(f"{args.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
