"""What was read in part is read again when more of it is asked for."""

import pytest

from schemas.packing import pack
from schemas.receipts import Receipt, VersionPlan
from transforms.checkpoints import CheckpointKeys, CheckpointStore
from transforms.privacy import transforms
from transforms.privacy.verify_shard import VerifiedMarks

KEYS = CheckpointKeys(bytes(32), "prepared", "result")


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(str(tmp_path))


def test_a_sample_does_not_stand_for_more(store):
    marks = VerifiedMarks(store, KEYS, "pictures")
    one, other = Receipt("s", "k", digest="d"), Receipt("t", "k", digest="e")
    marks.add([one], 0.1)
    assert marks.without([one, other], 0.1) == marks.without([one, other], 0.05) == [other]
    assert marks.without([one, other], 0.2) == marks.without([one, other]) == [one, other]
    marks.add([one], 200.0)  # more pictures were asked for than there are
    assert marks.without([one, other]) == [other]


def test_all_pictures_are_read_after_a_sample_was(store, monkeypatch):
    read = []
    frames = [f"{n:02d}" for n in range(40)]

    class State:
        steps = ()

    class Filter:
        engine = object()
        finder = None

    def step(frame):
        return type("Step", (), {"observation": type("Seen", (), {"frame": frame})})

    State.steps = [step(frame) for frame in frames]
    monkeypatch.setattr(transforms, "privacy_filter", lambda settings: Filter())
    monkeypatch.setattr(transforms.prepared, "read_state", lambda checkpoint: State)
    monkeypatch.setattr(transforms, "load_digests", lambda *unused: (frozenset(), b""))
    monkeypatch.setattr(transforms, "read_pictures", lambda chosen, *_: read.append(chosen) or {})
    monkeypatch.setattr(CheckpointStore, "read", lambda *unused: None)
    receipt = Receipt("s", "k", prepared_key="p", digest="d", frames=40)
    plan = pack(VersionPlan(version="v", shards=1, frames=40))

    def verify(sample):
        settings = type("Settings", (), {"pixels": None})()
        step = transforms._VerifyPictures(settings, KEYS, store.root, "out", sample)
        step.setup()
        assert list(step.process(pack(receipt), plan)) == []

    for sample in (10, 10, None, 10, None):
        verify(sample)
    assert [len(chosen) for chosen in read] == [len(read[0]), 40] and 0 < len(read[0]) < 40
