"""One command: a Flink cluster on this machine, the job on it, and all of it ended again.

python -m deploy.flink run --input /data/recordings --suite /data/suite.yaml --output /data/out
python -m deploy.flink fetch        only gets what is needed into the cache
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.flink import artefacts
from deploy.flink.cluster import ROOT, end_with_parent, flags, local_cluster, write_boot

PASSED_ON = ("STORAGE_EMULATOR_HOST", "AWS_", "GOOGLE_APPLICATION_CREDENTIALS", "OPENAI_API_KEY")
"""Variables that workers need for storage and models; the boot file is readable by its owner."""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code of the job."""
    if arguments[:1] not in (["run"], ["fetch"]):
        print(__doc__, file=sys.stderr)
        return 2
    if why := artefacts.missing():
        print(f"deploy.flink: {why}", file=sys.stderr)
        return 2
    try:
        artefacts.flink_jars(), artefacts.boot_program()
        given = [a for a in arguments[1:] if a.startswith("--flink_job_server_jar=")]
        jar = given[-1].partition("=")[2] if given else str(artefacts.job_server_jar())
    except artefacts.ArtefactError as error:
        print(f"deploy.flink: {error}", file=sys.stderr)
        return 3
    if arguments[0] == "fetch":
        return 0
    print(
        f"Flink {artefacts.FLINK}, job server {Path(jar).name}, SDK {artefacts.BEAM}",
        file=sys.stderr,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rest = [a for a in arguments[1:] if a not in given]
    variables = {k: v for k, v in os.environ.items() if k.startswith(PASSED_ON)}
    with tempfile.TemporaryDirectory(prefix="tracemill-flink-") as name:
        folder = Path(name)
        with local_cluster(folder, job_server=jar) as cluster:
            boot = write_boot(folder, variables)
            command = [sys.executable, "-m", "pipeline.cli", "run", *rest]
            process = subprocess.Popen(
                [*command, *flags(cluster, boot, 2)], cwd=ROOT, preexec_fn=end_with_parent
            )
            try:
                code = process.wait()
                for line in refusals(folder) if code else ():
                    print(line, file=sys.stderr)
                return code
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()


def refusals(folder: Path) -> list[str]:
    """Returns why workers could not start, each reason once."""
    log = folder / "log" / "boot.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return sorted({line for line in lines if line.startswith("tracemill worker: ")})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
