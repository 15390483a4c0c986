"""Data for ``benchmarks.text_privacy``, of seeds, names, texts and forms that nothing else uses."""

from __future__ import annotations

import base64
import functools
import random
import re
import string
import uuid

from schemas.traces import DomSnapshot, Session, SessionRef, Trace
from schemas.work import SessionWork
from tools.ner import prose
from tools.ner.faker_lists import HELD_OUT, faker_lists
from tools.ner.generator import Example, Generator
from transforms.dom import DomNode, DomTree
from transforms.privacy.lexicon import COMMON, NAMES, TECHNICAL, Lexicon, load_lexicon
from transforms.privacy.names import BUNDLED

_PEOPLE = re.compile(
    r"\b(authors?|contribut|thanks|credits|maintain|copyright|written by|created by|sponsor|faker|"
    r"fake|lorem)",
    re.IGNORECASE,
)


@functools.lru_cache(1)
def _lexicon() -> Lexicon:
    return load_lexicon(str(BUNDLED))


@functools.lru_cache(1)
def held_out_sentences() -> tuple[str, ...]:
    """Sentences of packages that training did not read, without people."""
    lexicon = _lexicon()
    return prose.without_people(
        prose.package_sentences(True),
        lambda word: bool(lexicon.of(word) & NAMES),
        lambda word: bool(lexicon.of(word) & (COMMON | TECHNICAL)),
    )


@functools.lru_cache(2)
def held_out_examples(count: int, seed: int = 7701) -> tuple[Example, ...]:
    """Texts with names of held-out locales in held-out templates."""
    words = sorted(
        {w for s in held_out_sentences() for w in re.findall(r"\b[a-z]{3,}\b", s)}
        - {w for w in _lexicon().classes if _lexicon().of(w) & NAMES}
    )
    random.Random(seed).shuffle(words)
    generator = Generator(
        seed,
        faker_lists().only(HELD_OUT),
        held_out_sentences(),
        words,
        part="held",
        invented=0.1,
    )
    return tuple(generator.examples(count))


@functools.lru_cache(2)
def technical_paragraphs(words: int) -> list[str]:
    """Paragraphs of the descriptions of packages that training did not read."""
    paragraphs: list[str] = []
    count = 0
    for _, body in prose.package_texts(True):
        for paragraph in re.split(r"\n\s*\n", body[:6000]):
            plain = " ".join(paragraph.split())
            if len(plain.split()) < 4 or _PEOPLE.search(plain) or plain.count("|") > 6:
                continue
            if plain.count("http") > 4 or "```" in plain:
                continue
            paragraphs.append(plain)
            count += len(plain.split())
        if count >= words:
            break
    return paragraphs


def pattern_examples(count: int, seed: int = 911) -> dict[str, list[tuple[str, int, int]]]:
    """Entity → (text, start, end) with values of Faker in sentences of every kind."""
    from faker import Faker

    fakers = [Faker(locale) for locale in ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT")]
    for number, faker in enumerate(fakers):
        faker.seed_instance(seed + number)
    american = fakers[0]
    rng = random.Random(seed)
    makers = {
        "EMAIL": lambda: rng.choice(fakers).email(),
        "SSN": american.ssn,
        "IP": lambda: rng.choice((american.ipv4(), american.ipv4(), american.ipv6())),
        "CARD": american.credit_card_number,
        "PHONE": lambda: rng.choice(fakers).phone_number(),
        "IBAN": lambda: rng.choice(fakers).iban(),
        "MAC": american.mac_address,
    }
    frames = (
        "{}",
        "{} was on the form",
        "please use {} from now on",
        "My {name} is {}",
        "{name}: {}",
        '{{"value": "{}"}}',
        "changed from {} to another one",
        "<td>{}</td>",
        "({})",
        "[{name}={}]",
        "{}, thank you!",
        "Is it {}?",
    )
    names = {
        "EMAIL": "e-mail",
        "SSN": "SSN",
        "IP": "address",
        "CARD": "card number",
        "PHONE": "phone number",
        "IBAN": "IBAN",
        "MAC": "device",
    }
    result: dict[str, list[tuple[str, int, int]]] = {}
    for entity, make in makers.items():
        for _ in range(count):
            value = make()
            frame = rng.choice(frames).replace("{name}", names[entity])
            frame = frame.replace("{{", "{").replace("}}", "}")
            start = frame.index("{}")
            text = frame.replace("{}", value, 1)
            result.setdefault(entity, []).append((text, start, start + len(value)))
    result["URL"] = [
        (text, text.index(secret), text.index(secret) + len(secret))
        for _ in range(count)
        for secret in [f"{american.user_name()}:{_token(rng, 10, '!$*')}"]
        for text in [
            rng.choice(("see {}", "{}", "DATABASE_URL={}", "git clone {}", '"{}"')).replace(
                "{}",
                f"{rng.choice(('https', 'postgres', 'redis', 'amqp', 'ftp'))}://{secret}"
                f"@{american.domain_name()}:{rng.randint(80, 9999)}/{rng.choice(('', 'x/y'))}",
            )
        ]
    ]
    return result


def _token(rng: random.Random, length: int, extra: str = "") -> str:
    letters = string.ascii_letters + string.digits + extra
    return "".join(rng.choice(letters) for _ in range(length))


def secret_lines(
    positives: int, negatives: int, seed: int = 4242
) -> tuple[list[tuple[str, str]], list[str]]:
    """(text, secret) in many contexts, and lines without any."""
    rng = random.Random(seed)
    hexadecimal = "0123456789abcdef"

    def some_hex(length: int) -> str:
        return "".join(rng.choice(hexadecimal) for _ in range(length))

    kinds = (
        lambda: "AKIA" + "".join(rng.choice(string.ascii_uppercase + "234567") for _ in range(16)),
        lambda: _token(rng, 40, "/+"),
        lambda: "ghp_" + _token(rng, 36),
        lambda: "sk-" + _token(rng, 48),
        lambda: "xoxb-" + f"{rng.randint(10**11, 10**12)}-" + _token(rng, 24),
        lambda: "AIza" + _token(rng, 35, "-_"),
        lambda: ".".join(
            base64.urlsafe_b64encode(part).decode().rstrip("=")
            for part in (b'{"alg":"HS256"}', rng.randbytes(30), rng.randbytes(32))
        ),
        lambda: some_hex(32),
        lambda: some_hex(40),
        lambda: _token(rng, rng.randint(20, 40)) + "7aZ",
        lambda: rng.choice(("Sommer", "tiger", "blue")) + str(rng.randint(10, 9999)) + "!",
        lambda: _token(rng, 12, "!#$%*") + "9a!",
    )
    contexts = (
        'API_KEY="{}"',
        "export SECRET_TOKEN={}",
        "password: {}",
        '{{"client_secret": "{}", "id": 4}}',
        "Authorization: Bearer {}",
        "X-Api-Key: {}",
        "Cookie: session_id={}; theme=dark",
        "https://h.test/cb?access_token={}&state=1",
        "token={}&grant_type=refresh",
        "--password {}",
        "aws_secret_access_key = {}",
        "db.password={}",
        "secret: '{}'",
        'const apiKey = "{}";',
        '<input type="password" name="pw" value="{}">',
    )
    made = []
    while len(made) < positives:
        secret = rng.choice(kinds)()
        context = rng.choice(contexts).replace("{{", "\0").replace("}}", "\1")
        made.append((context.replace("{}", secret).replace("\0", "{").replace("\1", "}"), secret))
    plain = list(held_out_sentences())
    rng.shuffle(plain)
    fillers = (
        lambda: f"commit {some_hex(40)}",
        lambda: f"sha256:{some_hex(64)}",
        lambda: f"id: {uuid.UUID(int=rng.getrandbits(128))}",
        lambda: f"password = request.form['{rng.choice(('pw', 'password'))}']",
        lambda: "Enter your password and press the key",
        lambda: f"token = tokens[{rng.randint(0, 9)}]",
        lambda: f"def get_{rng.choice(('token', 'key', 'secret'))}(self, name: str) -> str:",
        lambda: f"https://h.test/static/app.{some_hex(8)}.js",
        lambda: f"key: {rng.choice(('name', 'value', 'order_by', 'ArrowDown', 'primary'))}",
        lambda: "The secret of good tea is the water.",
        lambda: "Passwords must have at least twelve characters.",
        lambda: f"<div class='{_token(rng, 5).lower()}-{_token(rng, 6).lower()}'>Settings</div>",
        lambda: f'"integrity": "sha512-{base64.b64encode(rng.randbytes(64)).decode()}"',
        lambda: "api_key: <your key here>",
        lambda: "PASSWORD=$DB_PASSWORD",
    )
    lines = plain[: negatives // 2]
    while len(lines) < negatives:
        lines.append(rng.choice(fillers)())
    return made, lines


def dom_session(steps: int, nodes: int, seed: int = 606) -> list[list[str]]:
    """The texts of a session's snapshots: pages of nodes of which few change from step to step."""
    rng = random.Random(seed)
    examples = [e.text for e in held_out_examples(2000)]
    labels = sorted({t for t in examples if len(t) < 60})
    texts = sorted({t for t in examples if len(t) >= 60})

    def node() -> str:
        return rng.choice(labels) if rng.random() < 0.85 else rng.choice(texts)

    def page() -> list[str]:
        return [f"{node()}{rng.choice(('', '', f' {rng.randint(1, 999)}'))}" for _ in range(nodes)]

    snapshots = []
    current = page()
    for step in range(steps):
        if step and step % 12 == 0:
            current = page()
        current = [node() if rng.random() < 0.02 else text for text in current]
        snapshots.append(current)
    return snapshots


def session_of(snapshots: list[list[str]]) -> tuple[SessionWork, dict[str, DomTree]]:
    """A session without events whose snapshots say these texts, and the parsed snapshots."""
    trees = {}
    metadata = []
    for number, texts in enumerate(snapshots):
        nodes = [
            DomNode(tag="div", id=f"n{i}", text=text, bounds=(0, i, 100, 1))
            for i, text in enumerate(texts)
        ]
        file = f"dom/{number:04}.json"
        trees[file] = DomTree(DomNode(tag="body", children=nodes))
        metadata.append(DomSnapshot(file=file, timestamp_us=number, format="json", size_bytes=1))
    ref = SessionRef(session_id="s", uri="s", layout="native", size_bytes=1, fingerprint="f")
    trace = Trace(ref=ref, session=Session(id="s"), dom=tuple(metadata))
    return SessionWork(ref=ref, key="k", trace=trace), trees
