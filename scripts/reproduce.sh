#!/usr/bin/env bash
# What the papers claim, measured here: trains and compares, and says of each claim whether it holds.
#
# Launch: bash scripts/reproduce.sh [--claims NAME,...] [--budget {minutes,hours,gpu}] [--list]
#         [--data FOLDER] [--claims-folder FOLDER] [--output FOLDER] [--known FILE] [--publish]
#         [--jobs N] [--minutes N]
#
# minutes (the default) is meant for two cores, needs no files and stops after an hour; hours stops
# after five, and gpu after nine minutes of one large GPU. Stopped and started again it goes on: what
# is finished is never done twice. Results are in --output (results/): claims.md, claims.json,
# claims.html, pictures/, and runs.json, with which another machine goes on (--known). A claim is a
# file in scripts/claims; docs/claims.md says how to add one.
set -euo pipefail
started_in=$PWD
source "$(dirname "$0")/environment.sh"
export STARTED_IN=$started_in PYTHONWARNINGS=ignore
PYTHONPATH="$PWD/scripts:$PWD${PYTHONPATH:+:$PYTHONPATH}" exec python -m reproduce "$@"
