from schemas.receipts import PICTURES, ShardSummary, VersionPlan
from transforms.write.commit import objections


def test_objections_say_what_was_found_and_in_which_sessions():
    plan = VersionPlan(version="v", shards=1, sessions=5)
    shards = [
        ShardSummary(shard=0, sessions=5, privacy_hits={"steps.observation/IP": 2}),
        ShardSummary(
            shard=PICTURES,
            privacy_hits={"frames.pixels/EMAIL": 1, "steps.observation/IP": 1},
            privacy_sessions=("d", "c", "b", "a"),
        ),
    ]
    assert objections(plan, shards) == [
        "personal data: 1 in frames.pixels/EMAIL",
        "personal data: 3 in steps.observation/IP",
        "in sessions a, b, c …",
    ]
    assert objections(plan, [ShardSummary(shard=0, sessions=5)]) == []
