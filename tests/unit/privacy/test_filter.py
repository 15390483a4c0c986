from schemas.findings import Found
from transforms.privacy.filter import with_read


def test_words_of_interfaces_that_were_read_as_values_are_not_searched_for_in_texts():
    read = tuple(
        Found(value, entity, "pixel")
        for value, entity in (
            ("PASSWORD RESET", "IBAN"),
            ("1 pt", "PERSON"),
            ("Bram Olsavik", "PERSON"),
            ("578-22-9140", "SSN"),
        )
    )
    known = (Found("578-22-9140", "SSN", "field"),)
    assert [found.value for found in with_read(known, read)] == ["578-22-9140", "Bram Olsavik"]
