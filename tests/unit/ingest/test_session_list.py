"""Lists of Session records as input."""

import json

import pytest

from tests.support.session_folders import write
from transforms.ingest.find import InputError, find_sessions
from transforms.ingest.network import load_network_rules
from transforms.ingest.read import ReadLimits, read_trace

EVENT = {"type": "click", "timestamp": 1_795_499_688_506, "x": 1, "y": 2}


@pytest.fixture
def corpus(tmp_path):
    for name in ("a", "b"):
        write(
            tmp_path / "store" / "sessions" / name,
            {
                "input_events.jsonl": [EVENT],
                "session.json": {"id": "own", "description": "own", "user_id": "u"},
            },
        )
    return tmp_path / "store"


def listed(folder, *records):
    path = folder / "sessions.jsonl"
    path.write_text("".join(json.dumps(r) + "\n\n" for r in records))
    return str(path)


def record(id_, **more):
    return {"id": id_, "storage_path": f"sessions/{id_}/", "suite_id": None, **more}


def test_records_stand_above_session_json(corpus):
    place = listed(corpus, record("b", description="first"), record("a", description="second"))
    a, b = sorted(find_sessions([place]), key=lambda r: r.session_id)
    assert (a.session_id, b.session_id) == ("a", "b")
    session = read_trace(a, ReadLimits(), load_network_rules(None)).session
    assert (session.id, session.description, session.user_id) == ("a", "second", "u")


def test_a_changed_record_is_a_changed_session(corpus):
    (one,) = find_sessions([listed(corpus, record("a", description="first"))])
    (same,) = find_sessions([listed(corpus, record("a", description="first"))])
    (other,) = find_sessions([listed(corpus, record("a", description="other"))])
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_what_is_not_there_is_a_failed_session(corpus):
    (corpus / "sessions" / "empty").mkdir()
    found = find_sessions([listed(corpus, record("gone"), record("empty"), record("a"))])
    assert {r.session_id: r.defect for r in found} == {
        "gone": "missing_input_events",
        "empty": "unknown_layout",
        "a": "",
    }
    gone = next(r for r in found if r.session_id == "gone")
    failed = read_trace(gone, ReadLimits(), load_network_rules(None)).failed
    assert failed and failed.code == "missing_input_events"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([record("a"), record("a")], "2: an id that stands above|3: an id that stands above"),
        ([record("a"), {"id": "b", "storage_path": "../b"}], "leads out of the list's folder"),
        ([record("a"), {"storage_path": "b"}], "'id' is missing"),
        ([record("a"), ["b"]], "not a JSON object"),
    ],
)
def test_lists_that_cannot_be_used(corpus, lines, said):
    with pytest.raises(InputError, match=said):
        find_sessions([listed(corpus, *lines)])


def test_a_list_found_in_a_folder_is_not_followed(corpus, tmp_path):
    """It could lead anywhere; only one that is named itself is meant."""
    elsewhere = write(tmp_path / "secret", {"input_events.jsonl": [EVENT]})
    listed(corpus, {"id": "x", "storage_path": "x", "uri": str(elsewhere)})
    assert all("secret" not in r.uri for r in find_sessions([str(corpus)]))
