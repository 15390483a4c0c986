import threading

import pytest

from transforms import storage
from transforms.classify.model.cache import ReplyCache, request_key


@pytest.fixture
def cache(tmp_path):
    return ReplyCache(str(tmp_path))


def damage(cache, key, data):
    path = storage.local_path(cache.path(key))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def quarantined(cache):
    return sorted(storage.read_bytes(s.uri) for s in storage.walk(cache.root + "/quarantine"))


def test_what_is_put_is_got(cache):
    key = request_key("a")
    assert cache.get(key) is None
    assert cache.put(key, b'{"x":1}\nand more\n') == b'{"x":1}\nand more\n'
    assert cache.get(key) == b'{"x":1}\nand more\n'


def test_the_first_writer_wins_and_the_second_gets_its_value(cache):
    key = request_key("a")
    cache.put(key, b"first")
    assert cache.put(key, b"second") == b"first"
    assert cache.get(key) == b"first"


def test_racing_writers_all_go_on_with_one_value(cache):
    key = request_key("race")
    barrier = threading.Barrier(8)
    got = [b""] * 8

    def write(i):
        barrier.wait()
        got[i] = cache.put(key, b"%d" % i)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(got)) == 1
    assert cache.get(key) == got[0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[:-1],
        lambda whole: b"",
        lambda whole: b"\x00" * 100,
        lambda whole: whole.replace(b"reply", b"rePly"),
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"[1]\nreply",
        lambda whole: whole.replace(b'":"', b'":"\xff', 1),
    ],
)
def test_a_damaged_entry_is_missing_kept_aside_and_replaced(cache, spoil):
    key = request_key("a")
    cache.put(key, b"a reply")
    damaged = spoil(storage.read_bytes(cache.path(key)))
    damage(cache, key, damaged)
    assert cache.get(key) is None
    assert quarantined(cache) == [damaged]
    assert cache.put(key, b"new") == b"new"
    assert cache.get(key) == b"new"


def test_an_entry_of_another_key_is_not_believed(cache):
    one, other = request_key("a"), request_key("b")
    cache.put(one, b"of a")
    damage(cache, other, storage.read_bytes(cache.path(one)))
    assert cache.get(other) is None
    assert cache.get(one) == b"of a"


def test_a_good_entry_that_came_meanwhile_is_not_overwritten(cache, monkeypatch):
    key = request_key("a")
    damage(cache, key, b"broken")
    seen = storage.read_with_version

    def read_then_lose_the_race(uri):
        found = seen(uri)
        monkeypatch.setattr(storage, "read_with_version", seen)
        assert ReplyCache(cache.root).put(key, b"theirs") == b"theirs"
        return found

    monkeypatch.setattr(storage, "read_with_version", read_then_lose_the_race)
    assert cache.put(key, b"ours") == b"theirs"
    assert cache.get(key) == b"theirs"


def test_keys_follow_content_not_order():
    assert request_key({"a": 1, "b": [1, 2]}) == request_key({"b": [1, 2], "a": 1})
    assert request_key({"a": 1}) != request_key({"a": 2})
    assert request_key({"a": "1"}) != request_key({"a": 1})
    assert request_key({"a": [1, 2]}) != request_key({"a": [2, 1]})
    assert request_key("ab", "c") != request_key("a", "bc")
