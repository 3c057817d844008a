#!/usr/bin/env bash
# Speed of the memory transformers, side by side with others. Sets itself up; later runs install
# nothing.
#
# Launch: bash scripts/benchmarks/run.sh {translation,language_model,long_documents,costs} [--json FILE]
set -euo pipefail
source "$(dirname "$0")/../environment.sh"

# Waiting threads that spin cost a factor of ten.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} OMP_WAIT_POLICY=passive
PYTHONPATH="scripts${PYTHONPATH:+:$PYTHONPATH}" python -m benchmarks "$@"
