"""What a Dataflow Flex Template starts: the job, with the template's parameters as options."""

import sys

from pipeline.cli import main
from pipeline.dataflow import template_arguments

if __name__ == "__main__":
    sys.exit(main(["run", *template_arguments(sys.argv[1:])]))
