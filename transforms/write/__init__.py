"""WriteShards, VerifyPrivacy and Commit: result checkpoints become one immutable version."""
