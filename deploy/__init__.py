"""Running tracemill elsewhere: Flink, Dataflow."""
