import random

from hypothesis import given
from hypothesis import strategies as st

from schemas.outcomes import Ledger
from schemas.packing import pack, unpack
from schemas.receipts import Receipt, VersionPlan
from transforms.write.plan import plan_version, shard_of, split_of
from transforms.write.transforms import PlanVersion


def receipts(n):
    return [
        Receipt(
            f"{i:036d}",
            f"{i:032x}",
            digest="d",
            ledger=Ledger(lines=i, raw=i, kept=i),
            size_bytes=1000,
            steps=i,
            examples=1,
            failed="x" if i % 5 == 0 else "",
        )
        for i in range(n)
    ]


@given(st.integers(0, 20), st.randoms())
def test_merged_and_unmerged_sums_are_equal(n, rng):
    combine = PlanVersion("w", 5000)
    items = receipts(n)
    whole = plan_version(items, "w", 5000)
    rng.shuffle(items)
    cut = rng.randint(0, n)
    parts = []
    for part in (items[:cut], [], items[cut:]):
        accumulator = combine.create_accumulator()
        for item in part:
            accumulator = combine.add_input(accumulator, pack(item))
        parts.append(accumulator)
    random.Random(0).shuffle(parts)
    assert unpack(combine.extract_output(combine.merge_accumulators(parts)), VersionPlan) == whole


def test_the_name_follows_content_and_writing_options():
    items = receipts(4)
    name = plan_version(items, "w", 5000).version
    assert name == plan_version(items, "w", 9).version
    assert name != plan_version(items, "x", 5000).version
    assert name != plan_version(items[:3], "w", 5000).version
    assert name != plan_version([*items[:3], items[0]], "w", 5000).version


def test_shards_follow_size():
    assert plan_version(receipts(4), "w", 1500).shards == 3
    assert plan_version([], "w", 1500).shards == 1


def test_sessions_spread_over_shards_and_splits():
    ids = [f"{i:036d}" for i in range(4000)]
    counts = [0] * 4
    for i in ids:
        counts[shard_of(i, 4)] += 1
    assert min(counts) > 900
    share = sum(split_of(i, 0.2) == "validation" for i in ids) / len(ids)
    assert 0.17 < share < 0.23
    assert {split_of(i, 0.0) for i in ids} == {"train"}
