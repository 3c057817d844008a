#!/usr/bin/env bash
# Translate a test set with beam search and score it with sacreBLEU.
#
#     bash examples/translation/score.sh DATA CHECKPOINT [SUBSET] [flags of fairseq-generate]
#
# DATA is a folder that fairseq-memtx prepare translation wrote; SUBSET is test unless given (test1, valid ...).
# Prints BLEU and chrF with their signatures. The translations are kept beside the checkpoint, in
# CHECKPOINT.SUBSET.txt, in the order of the test set.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/end_together.sh"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() {
  echo "score.sh: error: $1" >&2
  exit 1
}
[ $# -ge 2 ] || fail "usage: score.sh DATA CHECKPOINT [SUBSET] [flags of fairseq-generate]"
data=$1 checkpoint=$2 subset=test
shift 2
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
  subset=$1
  shift
fi
[ -f "$data/prepared.json" ] || fail "$data is not a prepared folder: run one of the prepare scripts"
[ -f "$checkpoint" ] || fail "there is no checkpoint $checkpoint: train one with train.sh"
[ ! -x "$root/.venv/bin/fairseq-generate" ] || PATH="$root/.venv/bin:$PATH"

setting() {
  python -c 'import json, sys; print(json.load(open(sys.argv[1]))["settings"][sys.argv[2]])' \
    "$data/prepared.json" "$1"
}
source=$(setting source) target=$(setting target)
reference=$data/raw/$subset.$target
[ -f "$reference" ] || fail "there is no set '$subset' in $data/raw"

# Without --required-batch-size-multiple 1 fairseq alone leaves out the last batch of a set whose size
# is no multiple of eight, and says nothing. (With the plugin it does not; batches are then others.)
generated=$(mktemp)
trap 'rm -f "$generated"' EXIT
fairseq-generate "$data" --user-dir "$root/fairseq_memtx" -s "$source" -t "$target" \
  --path "$checkpoint" --gen-subset "$subset" --beam 5 --remove-bpe \
  --tokenizer moses \
  --max-tokens 4000 --required-batch-size-multiple 1 "$@" > "$generated"

output=$checkpoint.$subset.txt
# D-<sentence number> <tab> <score> <tab> <detokenised translation>
grep '^D-' "$generated" | cut -c3- | sort -n | cut -f3- > "$output.partial"
[ "$(wc -l < "$output.partial")" -eq "$(wc -l < "$reference")" ] \
  || fail "$(wc -l < "$output.partial") sentences were translated and $reference has \
$(wc -l < "$reference"): look at the messages of fairseq-generate above"
mv "$output.partial" "$output"
sacrebleu "$reference" --input "$output" --metrics bleu chrf --width 2 --format text
