#!/usr/bin/env bash
# Two memories at work, each beside its control, measured here and now on a laptop. Sets itself up;
# later runs install nothing.
#
# Launch: bash scripts/quickstart.sh [--data DIR] [--output DIR]
#
# 1. Translation: a decoder that knows of a sentence what ten memory vectors hold of it; then its
#    vectors are taken away one after the other.
# 2. One fact, found again after 1,000,000 tokens of noise; beside it a model without recurrence.
#
# The corpus of the first is made on the spot: German-English, about numbers, dates, times and money.
# With --data DIR there is the first alone, of files like Multi30k's: train.de, train.en, val.*, test*.*,
# plain or .gz, and with the paper's decoder, which reads the words too.
# Everything lands in --output (quickstart/): text, checkpoints, translations, pictures, and a page
# with all of them, report.html.
#
# Expected: about 3 minutes on 2 cores, the first time one more to install; with Multi30k about an hour.
set -euo pipefail
source "$(dirname "$0")/end_together.sh"
started_in=$PWD
data="" output=""
while [ $# -gt 0 ]; do
  case $1 in
    --data | --output)
      [ $# -ge 2 ] || { echo "quickstart.sh: error: $1 needs a folder" >&2 && exit 1; }
      # A relative path is meant from where the command was given.
      path=$2
      [[ $path == /* ]] || path=$started_in/$path
      [ "$1" = --data ] && data=$path || output=$path
      shift 2
      ;;
    -h | --help)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
      exit 0
      ;;
    *)
      echo "quickstart.sh: error: unknown argument $1: see quickstart.sh --help" >&2
      exit 1
      ;;
  esac
done
[ -z "$data" ] || [ -d "$data" ] || { echo "quickstart.sh: error: no folder $data" >&2 && exit 1; }
source "$(dirname "$0")/environment.sh"
started=$SECONDS
step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

export PYTHONWARNINGS=ignore # fairseq's, of torch and hydra
long_memory=""
if [ -z "$data" ]; then
  output=${output:-quickstart/numbers}
  data=$output/text
  export OMP_NUM_THREADS=1 # tiny models crawl when OpenMP's threads spin
  mkdir -p "$output"

  step "the second demonstration begins beside the first: one fact in noise"
  # What it prints while it works is told here; its table comes at the end.
  # (Half as many rows as there: a core does nothing else for the last minute and more.)
  (ROWS=8 bash examples/long_memory/run.sh --quick "$output/long-memory" \
    | tee "$output/long-memory.log" | sed -n -u '/ s  /s/^ */   [long memory] /p') &
  long_memory=$!

  step "making the corpus"
  fairseq-memtx prepare numbers "$data"
  bpe_size=800 # the corpus has few words
  train=(fairseq-train "$output/data" --user-dir fairseq_memtx -s de -t en
    --arch mem_transformer_tiny --decoder-reads-memory-alone
    --optimizer adam --adam-betas "(0.9, 0.98)"
    --criterion fused_label_smoothed_cross_entropy --label-smoothing 0.1
    --lr 3e-3 --lr-scheduler polynomial_decay --warmup-updates 200
    --total-num-update 1000 --max-update 1000 --clip-norm 1.0 --max-tokens 512
    --no-epoch-checkpoints --save-dir "$output/checkpoints" --num-workers 0)
else
  output=${output:-quickstart/$(basename "$data")}
  bpe_size=8000
  export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
  train=(env DATA="$output/data" bash examples/translation/train.sh multi30k tokens
    "$output/checkpoints")
fi

step "preparing the text"
tests=()
for file in "$data"/test*.de "$data"/test*.de.gz; do
  [ ! -f "$file" ] || { file=${file%.gz} && tests+=(--test "${file%.de}"); }
done
[ ${#tests[@]} -gt 0 ] || memtx_fail "$data has no test*.de: name the test set test.de and test.en"
fairseq-memtx prepare translation --source de --target en --train "$data/train" \
  --valid "$data/val" "${tests[@]}" --bpe-size "$bpe_size" --dest "$output/data"

step "training mem_transformer"
mkdir -p "$output/checkpoints"
"${train[@]}" --log-format simple --log-interval 20 --disable-validation \
  | tee "$output/checkpoints/train.log" | fairseq-memtx plot progress

step "translating the test set with beam 5"
checkpoint=$output/checkpoints/checkpoint_last.pt
if ! bash examples/translation/score.sh "$output/data" "$checkpoint" 2> "$output/score.log"; then
  tail -n 20 "$output/score.log" >&2
  memtx_fail "the translation failed: its messages are above and in $output/score.log"
fi
fairseq-memtx plot memory --checkpoint "$checkpoint" --data "$output/data" \
  --output "$output/memory.png"

step "three translations"
paste "$output/data/raw/test.de" "$checkpoint.test.txt" "$output/data/raw/test.en" \
  | awk -F '\t' 'NR <= 3 { printf "source       %s\ntranslation  %s\nreference    %s\n\n", $1, $2, $3 }'

step "the control: the same model, whose memory is taken away a token at a time"
python scripts/memory_taken_away.py "$checkpoint" "$output/data" "$output"

if [ -n "$long_memory" ]; then
  step "one fact after 1,000,000 tokens (one-rmt); the control has no memory (one-no-memory)"
  wait "$long_memory" || memtx_fail "the second demonstration failed: see $output/long-memory.log"
  sed -n '1s/.*"chance": \(0\.[0-9]\{3\}\).*/guessing has an accuracy of \1/p' \
    "$output/long-memory/curves/one-rmt-seed1.jsonl"
  cat "$output/long-memory/table.md"
fi

step "all of it on one page"
fairseq-memtx report "$output" --title "Quickstart: memory at work"

step "done: everything is in $output"
echo "Open $output/report.html. Next, type in $PWD:
  source .venv/bin/activate
  head -n 3 $output/data/raw/test.de | fairseq-memtx translate $checkpoint
  fairseq-memtx inspect $checkpoint $output/data --examples 100 --output $output/inspection"
