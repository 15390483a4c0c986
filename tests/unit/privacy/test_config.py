import pytest

from transforms.privacy.config import ScrubberConfigError, load_scrubber_config


def load(tmp_path, text):
    path = tmp_path / "scrubber.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scrubber_config(str(path))


def test_packaged_rules_load():
    config = load_scrubber_config(None)
    assert config.replacement == "redacted"
    assert {"EMAIL", "PERSON", "PASSWORD"} <= config.entities
    assert config.fields and config.digest


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("replacement: redacted\nreplacment: x\n", 2, "unknown key 'replacment'"),
        ("entities:\n  EMIAL: true\n", 2, "unknown entity 'EMIAL'"),
        ("entities:\n  EMAIL: perhaps\n", 2, "expected true or false"),
        ("replacement: hash\n", 1, "redacted, placeholder, surrogate"),
        ("patterns:\n- entity: EMP\n  regex: '(a'\n", 3, "bad regular expression"),
        ("patterns:\n- entity: EMP\n  regex: 'a*'\n", 3, "matches the empty text"),
        ("patterns:\n- entity: EMP\n", 2, "needs 'regex'"),
        ("patterns:\n- {entity: EMP, regex: a, group: 2}\n", 2, "group 2"),
        ("fields:\n- entity: PASSWORD\n  hints: pw\n", 3, "unknown key 'hints'"),
        ("fields:\n- entity: PASSWORD\n", 2, "at least one thing"),
        ("limits:\n  text_chars: many\n", 2, "expected a number"),
        ("thresholds:\n  presidio_score: -1\n", 2, "out of range"),
        ("allow: localhost\n", 1, "expected a list"),
        ("deny:\n- {value: x}\n", 2, "'value' and 'entity'"),
        ("replacement: redacted\nreplacement: surrogate\n", 2, "given twice"),
        ("a: [b\n", 2, "no valid YAML"),
        ("- a\n", 1, "expected a mapping"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path, text, line, says):
    with pytest.raises(ScrubberConfigError) as caught:
        load(tmp_path, text)
    assert caught.value.line == line
    assert caught.value.file.endswith("scrubber.yaml")
    assert says in str(caught.value)


def test_missing_file_and_bad_encoding(tmp_path):
    with pytest.raises(ScrubberConfigError, match="no such file"):
        load_scrubber_config(str(tmp_path / "none.yaml"))
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"allow:\n- caf\xe9\n")
    with pytest.raises(ScrubberConfigError, match="not UTF-8") as caught:
        load_scrubber_config(str(path))
    assert caught.value.line == 2


def test_own_values_go_over_the_packaged_ones_one_by_one(tmp_path):
    config = load(
        tmp_path,
        "entities: {PHONE: false, UK_NHS: true}\nlimits: {text_chars: 500}\n"
        "names: {min_score: {PERSON: 0.9}}\n"
        "patterns:\n- {entity: EMPLOYEE_ID, regex: 'E-\\d{6}'}\n",
    )
    assert "PHONE" not in config.entities
    assert {"UK_NHS", "EMAIL", "EMPLOYEE_ID"} <= config.entities
    assert config.limits.text_chars == 500
    assert config.limits.cache_mb == load_scrubber_config(None).limits.cache_mb
    assert config.names.min_score["PERSON"] == 0.9
    assert "LOCATION" in config.names.min_score
    assert config.digest != load_scrubber_config(None).digest
    assert load(tmp_path, "").digest != config.digest
