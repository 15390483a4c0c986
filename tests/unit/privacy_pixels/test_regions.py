import re
import tracemalloc

import pytest

from schemas.findings import Found, Region, Span
from transforms.privacy.pixels.engine import Line
from transforms.privacy.pixels.hits import Hit, merged_hits
from transforms.privacy.pixels.known_values import ValueIndex, hits_by_value
from transforms.privacy.pixels.layout import rows_of, wraps_of
from transforms.privacy.pixels.regions import hits_by_pattern, region_of, united

CHARACTER = 8.0


def line(text: str, x: float = 10, y: float = 10, height: float = 16) -> Line:
    """A line of text in a font whose characters are all eight pixels wide."""
    xs = tuple(x + CHARACTER * (i + 0.5) for i in range(len(text)))
    return Line(x, y, x + CHARACTER * len(text), y + height, text, xs, 0.9)


def index(*values: str, entity: str = "PERSON", origin: str = "ner") -> ValueIndex:
    return ValueIndex(Found(value, entity, origin) for value in values)


def covered(lines, found: ValueIndex) -> list[str]:
    hits = hits_by_value([lines], found)[0]
    return [
        text.text[hit.start : hit.end]
        for text, own in zip(lines, hits, strict=True)
        for hit in merged_hits(own)
    ]


def find_keys(text: str) -> list[Span]:
    return [Span(m.start(), m.end(), "SECRET") for m in re.finditer(r"\bkey-[a-z0-9]{12,}\b", text)]


@pytest.mark.parametrize(
    "text, value, expected",
    [
        ("Hello 0liver Lindvik!", "Oliver Lindvik", "0liver Lindvik"),
        ("from Oliverlindvik today", "Oliver Lindvik", "Oliverlindvik"),
        ("LINDVIK wrote", "Lindvik", "LINDVIK"),
        ("to bram.olsavikaexample.org now", "bram.olsavik@example.org", None),
        ("Elodle Mbekirl", "Elodie Mbekiri", "Elodle Mbekirl"),
        ("Elodie Mbeklrii", "Elodie Mbekiri", "Elodie Mbeklrii"),
        ("pass: hunter2", "hunter2", "hunter2"),
        ("from Nguyn Th Hung today", "Nguyễn Thị Hương", "Nguyn Th Hung"),
    ],
)
def test_a_value_is_found_as_ocr_reads_it(text, value, expected):
    expected = expected or text.split()[1]
    assert covered([line(text)], index(value)) == [expected]


@pytest.mark.parametrize(
    "text, value",
    [
        ("Einstein wrote this", "Stein"),
        ("Martini and Markus", "Mark"),
        ("order 2024-00018", "2024-00017"),
        ("Ottilie Mbekiri", "Ottilie Fenwright"),
        ("abc", "abc"),
    ],
)
def test_what_only_looks_like_a_value_is_left(text, value):
    assert covered([line(text)], index(value)) == []


def test_values_that_must_not_propagate_are_not_searched_for():
    found = ValueIndex([Found("Oliver Lindvik", "PERSON", "ner", propagates=False)])
    assert len(found) == 0
    assert covered([line("Oliver Lindvik")], found) == []


@pytest.mark.parametrize(
    "text, value, expected",
    [
        ("4111 11", "4111 1111 1111 1111", ["4111 11"]),
        ("Card 4111 1111 11", "4111 1111 1111 1111", ["4111 1111 11"]),
        ("ox@example.org", "elodie.fox@example.org", ["ox@example.org"]),
        ("elodie.f", "elodie.fox@example.org", ["elodie.f"]),
        ("elod", "elodie.fox@example.org", []),
    ],
)
def test_a_value_of_which_a_part_is_on_screen(text, value, expected):
    assert covered([line(text)], index(value, entity="EMAIL", origin="field")) == expected


def test_a_token_of_many_thousand_characters_takes_little_memory():
    token = "".join(f"{number:x}" for number in range(1000))
    tracemalloc.start()
    found = index(token, entity="SECRET")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000
    assert covered([line(token[:1600])], found) == [token[:1600]]
    assert covered([line(token[-1600:])], found) == [token[-1600:]]
    assert covered([line(token[:1500] + "and what follows")], found) == []


@pytest.mark.parametrize(
    "text, hit", [("Oliver", False), ("Lindvik", False), ("Oliver Lind", True)]
)
def test_one_word_of_a_name_alone_is_not_the_name(text, hit):
    assert covered([line(text)], index("Oliver Lindvik")) == ([text] if hit else [])


def test_a_value_that_wraps_is_found_in_both_lines():
    lines = [line("written and sent by Oliver", y=10), line("Lindvik today", y=30)]
    assert covered(lines, index("Oliver Lindvik")) == ["Oliver", "Lindvik"]


def test_words_of_a_value_may_be_separate_lines_to_the_detector():
    lines = [line("Oliver", x=10), line("Lindvik", x=68)]
    assert covered(lines, index("Oliver Lindvik")) == ["Oliver", "Lindvik"]
    far = [line("Oliver", x=10), line("Lindvik", x=268)]
    assert covered(far, index("Oliver Lindvik")) == []


def test_a_bomb_of_similar_values_is_searched_for_exactly_once_the_work_is_used_up(monkeypatch):
    values = [f"value number {i:05} of many" for i in range(200)]
    texts = ["value number 00150 of many", "value numbor 00199 of many"]
    assert len(index(*values).search(texts)) == 2
    monkeypatch.setattr("transforms.privacy.pixels.known_values.MAX_CANDIDATES", 50)
    assert list(index(*values).search(texts)) == texts[:1]


def test_a_token_that_wraps_at_a_hyphen_is_joined():
    lines = [line("the new one is key-", y=10), line("0a1b2c3d4e5f6 and works", y=30)]
    hits = hits_by_pattern(lines, find_keys)
    assert [(h.start, h.end) for h in hits[0]] == [(15, 19)]
    assert [(h.start, h.end) for h in hits[1]] == [(0, 13)]


def test_a_token_that_a_narrow_column_breaks_anywhere_is_joined_over_three_lines():
    def find(text):
        return [Span(*m.span(), "SECRET") for m in re.finditer(r"\bghp_[a-z0-9]{12,}\b", text)]

    lines = [
        line("see ghp_0a1", y=10),
        line("b2c3d4e5f6a", y=30),
        line("b7 and more", y=50),
    ]
    hits = [merged_hits(own) for own in hits_by_pattern(lines, find)]
    assert [[(h.start, h.end) for h in own] for own in hits] == [[(4, 11)], [(0, 11)], [(0, 2)]]


def find_cards(text: str) -> list[Span]:
    return [
        Span(m.start(), m.end(), "CARD", "pattern", 0.8)
        for m in re.finditer(r"(?<![\w-])\d{4} \d{4} \d{4} \d{4}\b", text)
    ]


def test_a_number_of_a_sentence_wraps_and_numbers_in_cells_do_not():
    sentence = [line("sign and 4722 0677 5015", y=10), line("6893 shipment", y=30)]
    hits = hits_by_pattern(sentence, find_cards)
    assert {(h.start, h.end) for h in hits[0]} == {(9, 23)}
    assert {(h.start, h.end) for h in hits[1]} == {(0, 4)}
    cells = [line("4722 0677", y=10), line("5015 6893", y=30)]
    assert hits_by_pattern(cells, find_cards) == [[], []]


def test_a_label_under_a_key_is_no_part_of_it():
    def find(text):
        return [Span(*m.span(), "SECRET") for m in re.finditer(r"\bsk-[\w-]{12,}", text)]

    lines = [
        line("sk-Cs916CXm2LfkbNsQc", y=10),
        line("Version", y=30),
        line("ORD-2024-96214", y=50),
    ]
    hits = [merged_hits(own) for own in hits_by_pattern(lines, find)]
    assert [len(own) for own in hits] == [1, 0, 0]


def test_a_number_and_a_date_in_cells_are_no_card_number():
    def find(text):
        return [
            Span(m.start(), m.end(), "CARD", "pattern", 0.7)
            for m in re.finditer(r"\b\d(?:[ -]?\d){11,18}\b", text)
        ]

    cells = [line("Room 520", y=10), line("2024-03-18 14:28", y=30)]
    assert hits_by_pattern(cells, find) == [[], []]


def test_a_number_and_a_date_in_cells_are_no_phone_number():
    def find(text):
        return [
            Span(m.start(), m.end(), "PHONE", "pattern", 0.7)
            for m in re.finditer(r"\b0\d\d \d{4}-\d\d-\d\d\b", text)
        ]

    cells = [line("Room 081", y=10), line("2024-03-18 14:21", y=30)]
    assert hits_by_pattern(cells, find) == [[], []]


def test_a_version_is_no_part_of_an_address_under_it():
    def find(text):
        return [Span(m.start(), m.end(), "EMAIL") for m in re.finditer(r"[\w.]+@[\w.]+", text)]

    lines = [line("which you prefer v8.10.8", y=10), line("bor@example.net there", y=30)]
    hits = hits_by_pattern(lines, find)
    assert hits[0] == [] and {(h.start, h.end) for h in hits[1]} == {(0, 15)}
    lines = [line("which you prefer elodie.al", y=10), line("bor@example.net there", y=30)]
    assert {(h.start, h.end) for h in hits_by_pattern(lines, find)[0]} == {(17, 26)}


def test_words_and_numbers_in_cells_are_no_key():
    def find(text):
        return [Span(m.start(), m.end(), "SECRET") for m in re.finditer(r"[A-Z]\w*-\w{12,}", text)]

    cells = [line("INV-698261", y=10), line("0RD2024Room", y=30)]
    assert hits_by_pattern(cells, find) == [[], []]


def boxes(texts: list[str], y: float = 40, gap: float = 24) -> list[Line]:
    lines, x = [], 10.0
    for text in texts:
        lines.append(line(text, x=x, y=y))
        x = lines[-1].x1 + gap
    return lines


@pytest.mark.parametrize(
    "label, texts, entity",
    [
        ("Pay with", ["4806", "6888", "5739", "7017"], "CARD"),
        ("SSN", ["278", "40", "1773"], "SSN"),
        ("Mobile phone", ["555", "783", "0969"], "PHONE"),
        ("IP address", ["192", "0", "2", "17"], "IP"),
    ],
)
def test_a_number_in_several_boxes(label, texts, entity):
    lines = [line(label, y=14), *boxes(texts)]
    hits = hits_by_pattern(lines, find_keys)
    assert [[(h.entity, h.end) for h in own] for own in hits[1:]] == [
        [(entity, len(text))] for text in texts
    ]


@pytest.mark.parametrize(
    "label, texts, gap",
    [
        ("Parts", ["278", "40", "1773"], 24),
        ("Revenue", ["2021", "2022", "2023", "2024"], 24),
        ("Totals", ["4806", "6888", "5739", "7017"], 120),
        ("Totals", ["4806", "6888", "5739"], 24),
    ],
)
def test_other_numbers_side_by_side(label, texts, gap):
    lines = [line(label, y=14), *boxes(texts, gap=gap)]
    assert not any(hits_by_pattern(lines, find_keys))


def test_what_the_edge_of_the_picture_cuts_is_covered_up_to_the_edge():
    width = 300
    right = line("178.196.84.", x=width - 8 * 11)
    left = line("58-3918", x=1)
    hits = hits_by_pattern([right, left], find_keys, width)
    assert all(hits)
    assert region_of(right, hits[0][0], width, 200).x1 == width
    assert region_of(left, hits[1][0], width, 200).x0 == 0


def test_the_region_of_text_that_stands_upright_is_all_of_it():
    upright = Line(40, 10, 60, 160, "ann@example.org", (50.0,) * 15, 0.9, upright=True)
    region = region_of(upright, Hit(0, 3, "EMAIL", "ann", "pattern"), 640, 480)
    assert region.x0 <= 40 and region.y0 <= 10 and region.x1 >= 60 and region.y1 >= 160


def test_cells_of_a_table_that_stand_over_one_another_are_not_joined():
    def find(text):
        return [Span(m.start(), m.end(), "PHONE") for m in re.finditer(r"\d{5} \d{3}\b", text)]

    lines = [line("98517", y=10), line("389 items", y=30)]
    assert hits_by_pattern(lines, find) == [[], []]


def test_a_label_gives_context_to_the_value_beside_it_but_is_not_covered():
    def find(text):
        m = re.search(r"token (\w+)", text)
        return [Span(*m.span(1), "SECRET")] if m else []

    hits = hits_by_pattern([line("token", x=10), line("hunter2", x=300)], find)
    assert hits[0] == []
    assert [(h.start, h.end, h.value) for h in hits[1]] == [(0, 7, "hunter2")]


def test_rows_and_wraps():
    lines = [line("a", x=200, y=11), line("b", x=10, y=10), line("c", x=10, y=31)]
    assert rows_of(lines) == [[1, 0], [2]]
    assert (1, 2) in wraps_of(lines)
    assert (2, 1) not in wraps_of(lines)


def test_the_region_of_a_stretch_covers_its_characters_and_little_more():
    text = line("to Bram Olsavik now", x=100)
    region = region_of(text, Hit(3, 15, "PERSON", "Bram Olsavik", "value"), 640, 480)
    assert 124 - 8 <= region.x0 <= 124
    assert 220 <= region.x1 <= 220 + 8
    assert region.y0 < text.y0 and region.y1 > text.y1


def test_regions_stay_inside_the_picture():
    region = region_of(line("Bram", x=0, y=0), Hit(0, 4, "PERSON", "Bram", "value"), 30, 12)
    assert (region.x0, region.y0, region.x1, region.y1) == (0, 0, 30, 12)


def test_overlapping_rectangles_become_one_and_others_stay():
    one = Region(0, 0, 100, 20, "PERSON", "Bram")
    inside = Region(10, 2, 60, 18, "EMAIL", "b")
    apart = Region(200, 0, 220, 20, "PERSON", "Bram")
    assert united([inside, apart, one, one]) == (one, apart)
    assert united([Region(5, 5, 5, 9, "PERSON", "")]) == ()
