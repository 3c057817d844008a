# Sourced first by recipes of several commands: what ends a recipe ends all that it has started.
#
# A signal ends bash alone, or waits until the command that runs has ended. So the recipe runs as a
# job of this shell, which is a group of processes, and the signal is passed on to the whole group.

if [ -z "${MEMTX_RECIPE:-}" ]; then
  set -m
  MEMTX_RECIPE=1 bash "$0" "$@" &
  trap 'kill -s TERM -- "-$!"' HUP INT TERM
  while true; do # until it has ended: a signal ends the waiting alone
    memtx_status=0
    wait "$!" || memtx_status=$?
    kill -s 0 "$!" 2> /dev/null || exit "$memtx_status"
  done
fi
