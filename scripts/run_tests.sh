#!/usr/bin/env bash
# All checks: style, types, then the tests. Sets itself up; later runs install nothing.
#
# Launch: bash scripts/run_tests.sh [--quick] [arguments of pytest]
# 15 minutes on 2 cores; --quick (no second process, no fuzz, no trainings) 4.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

export OMP_NUM_THREADS=1 # tiny models crawl when OpenMP's threads spin
unset PYTHONDONTWRITEBYTECODE # or each of a thousand processes compiles the plugin anew
ruff check .
ruff format --check --quiet . || memtx_fail "run 'ruff format .'"
mypy
# Two workers: most tests run a command of fairseq, which takes seconds to start. A file stays with
# one of them, so that what its tests share is trained once, and the longest files go first.
python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@"
