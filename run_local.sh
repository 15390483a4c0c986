#!/usr/bin/env bash
# Runs tracemill on this machine; does all its set-up by itself.
#
#   ./run_local.sh                          the bundled sessions, into ./out
#   ./run_local.sh --input 'my/sessions/*' --suite my.yaml --output out [any option]
#   ./run_local.sh status out               any other command of tracemill
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$ROOT/tools/environment.sh"
install_lock requirements.lock
build_models
# One thread a process: processes are what uses more cores.
export OMP_NUM_THREADS=1 OMP_THREAD_LIMIT=1 TOKENIZERS_PARALLELISM=false

case "${1:-}" in
  "" | --*) ;;
  *) exec "$PYTHON" -m pipeline.cli "$@" ;;
esac

given=" $* "
arguments=("$@")
has() { [[ "$given" == *" --$1 "* || "$given" == *" --$1="* ]]; }
if has help; then
  exec "$PYTHON" -m pipeline.cli run "$@"
fi
if ! has input && ! has config; then
  arguments+=(--input "$ROOT/examples/sessions")
  has suite || arguments+=(--suite "$ROOT/examples/catalogue.yaml")
  has output || arguments+=(--output out)
fi
# Pixels are what takes time, and a process reads them on one core.
cores=$(cores)
if [ "$cores" -gt 1 ] && ! has direct_num_workers && ! has runner; then
  arguments+=(--direct_num_workers="$((cores < 8 ? cores : 8))" --direct_running_mode=multi_processing)
fi
exec "$PYTHON" -m pipeline.cli run "${arguments[@]}"
