"""A Dataflow Flex Template of the job."""
