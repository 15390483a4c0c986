import os
import threading

import pytest

from transforms import storage


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    uri = str(tmp_path / "deep" / "file")
    with pytest.raises(RuntimeError), storage.atomic_writer(uri) as f:
        f.write(b"half")
        raise RuntimeError
    assert list((tmp_path / "deep").iterdir()) == []
    storage.write_bytes(uri, b"whole")
    assert storage.read_bytes(uri) == b"whole"
    assert storage.read_bytes(uri, 2) == b"wh"


def test_put_if_absent_lets_exactly_one_writer_win(tmp_path):
    uri = str(tmp_path / "reply")
    won = []
    barrier = threading.Barrier(8)

    def write(n):
        barrier.wait()
        if storage.put_if_absent(uri, b"%d" % n):
            won.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(won) == 1
    assert storage.read_bytes(uri) == b"%d" % won[0]
    assert [p.name for p in tmp_path.iterdir()] == ["reply"]


def test_replace_if_unchanged_refuses_what_changed_meanwhile(tmp_path):
    uri = str(tmp_path / "manifest.json")
    assert storage.read_with_version(uri) == (None, "")
    assert storage.replace_if_unchanged(uri, b"one", "")
    data, version = storage.read_with_version(uri)
    assert data == b"one"
    assert storage.replace_if_unchanged(uri, b"two", version)
    assert not storage.replace_if_unchanged(uri, b"three", version)
    assert storage.read_bytes(uri) == b"two"


def test_private_files_are_private(tmp_path):
    uri = str(tmp_path / "key")
    storage.put_if_absent(uri, b"k", mode=0o600)
    storage.write_bytes(str(tmp_path / "other"), b"k", mode=0o600)
    assert {os.stat(p).st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_files_are_made_without_touching_the_umask(tmp_path, monkeypatch):
    """It can only be read by changing it, and threads that do so at once may leave it changed."""
    monkeypatch.delattr(os, "umask")
    storage.write_bytes(str(tmp_path / "a"), b"")
    storage.put_if_absent(str(tmp_path / "b"), b"")


def test_walk_is_sorted_and_does_not_follow_links(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2").write_bytes(b"22")
    (tmp_path / "a").write_bytes(b"1")
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret").write_bytes(b"s")
    (tmp_path / "link").symlink_to(outside)
    found = [(os.path.relpath(s.uri, tmp_path), s.size) for s in storage.walk(str(tmp_path))]
    assert found == [("a", 1), ("b/2", 2)]


def test_a_full_disk_is_not_retried(tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(storage.time, "sleep", slept.append)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.tempfile, "mkstemp", full)
    with pytest.raises(storage.StorageError, match="No space left"):
        storage.write_bytes(str(tmp_path / "x"), b"x")
    assert slept == []


@pytest.mark.parametrize(
    "root", ["out", "./out", "out/", "../{0}/out", "file://{1}/out", "{1}//out"]
)
def test_what_lies_below_a_root_is_spelled_as_the_root_is(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    root = root.format(tmp_path.name, tmp_path)
    for name in ("out/a", "out/b/c"):
        storage.write_bytes(str(tmp_path / name), b"x")
    assert [s.uri for s in storage.walk(root)] == [
        storage.join(root, "a"),
        storage.join(root, "b", "c"),
    ]
    assert all(storage.read_bytes(s.uri) == b"x" for s in storage.walk(root))
    assert os.path.abspath(storage.normal(root)) == str(tmp_path / "out")


def test_a_place_has_one_spelling():
    assert storage.normal("./out/") == storage.normal("out") == storage.normal("a/../out") == "out"
    assert storage.normal("file:///a//b/") == storage.normal("FILE:///a/b") == "/a/b"
    assert storage.normal("gs://bucket/a/") == "gs://bucket/a"
