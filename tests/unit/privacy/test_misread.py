import pytest

from transforms.privacy.misread import find_misread
from transforms.privacy.numbers import find_numbers


def found(text: str) -> set[tuple[str, str]]:
    """Returns what is found in recognised text, as it is read and spelt with look-alikes."""
    spans = [*find_misread(text), *find_numbers(text, "ocr")]
    return {(text[span.start : span.end], span.entity) for span in spans}


@pytest.mark.parametrize(
    "text",
    [
        "from 9.99, 19.99 on",
        "3.10, 3.11",
        "1.5,2.25",
        "Firmware version 10.2.14.6",
        "Firmware version 100.22.114.63",
        "1,284,930,500",
        "EAN 4006381333931",
        "order 500012345678",
        "01/05/24 31/05/24",
        "01.05.24 - 31.05.24",
        "skateboarding-lessons and ghostwriters-wanted",
        "pk_customer_addresses",
        "sk-folding-cube-wrapper",
    ],
)
def test_what_only_looks_like_a_value_as_it_is_read(text):
    assert found(text) == set()


@pytest.mark.parametrize(
    "text, value, entity",
    [
        ("at 192.168.1,20 now", "192.168.1,20", "IP"),
        ("at 192. 168.1.20 now", "192. 168.1.20", "IP"),
        ("to 1O.0.0.1 now", "1O.0.0.1", "IP"),
        ("paid 44366I3437032657 today", "44366I3437032657", "CARD"),
        ("card no 4436613437032 is", "4436613437032", "CARD"),
        ("call 01 23 45 67 89 now", "01 23 45 67 89", "PHONE"),
        ("is ghp_ipD4J2WVThmZ4FUjAtdCyzQp7b now", "ghp_ipD4J2WVThmZ4FUjAtdCyzQp7b", "SECRET"),
        ("is sk-Cs916CXm2LfkbNsQc now", "sk-Cs916CXm2LfkbNsQc", "SECRET"),
    ],
)
def test_a_value_as_it_is_read(text, value, entity):
    assert (value, entity) in found(text)
