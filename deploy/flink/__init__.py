"""A Flink cluster on this machine, and the job on it: ``python -m deploy.flink run …``."""
