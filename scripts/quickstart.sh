#!/usr/bin/env bash
# From raw text to BLEU with a Memory Transformer, on a laptop. Sets itself up; later runs install
# nothing.
#
# Launch: bash scripts/quickstart.sh [--data DIR] [--output DIR]
#
# Without --data a German-English corpus about numbers, dates, times and money is made on the spot.
# --data DIR takes files like Multi30k's: train.de, train.en, val.*, test*.*, plain or .gz.
# Everything lands in --output (quickstart/): text, checkpoint, translations and a picture of the
# memory's attention.
#
# Expected: BLEU above 95 in about 2 minutes on 2 cores, after installation; with Multi30k about 36
# BLEU in about an hour.
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
if [ -z "$data" ]; then
  output=${output:-quickstart/numbers}
  data=$output/text
  step "making the corpus"
  fairseq-memtx prepare numbers "$data"
  bpe_size=800 # the corpus has few words
  export OMP_NUM_THREADS=1 # tiny models crawl when OpenMP's threads spin
  train=(fairseq-train "$output/data" --user-dir fairseq_memtx -s de -t en
    --arch mem_transformer_tiny --optimizer adam --adam-betas "(0.9, 0.98)"
    --criterion fused_label_smoothed_cross_entropy --label-smoothing 0.1
    --lr 3e-3 --lr-scheduler polynomial_decay --warmup-updates 200
    --total-num-update 800 --max-update 800 --clip-norm 1.0 --max-tokens 512
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
"${train[@]}" --log-format simple --log-interval 20 --disable-validation \
  | tee "$output/train.log" | fairseq-memtx plot progress

step "translating the test set with beam 5"
checkpoint=$output/checkpoints/checkpoint_last.pt
if ! bash examples/translation/score.sh "$output/data" "$checkpoint" 2> "$output/score.log"; then
  tail -n 20 "$output/score.log" >&2
  memtx_fail "the translation failed: its messages are above and in $output/score.log"
fi

step "ten translations"
paste "$output/data/raw/test.de" "$checkpoint.test.txt" "$output/data/raw/test.en" \
  | awk -F '\t' 'NR <= 10 { printf "source       %s\ntranslation  %s\nreference    %s\n\n", $1, $2, $3 }'

step "drawing the memory"
fairseq-memtx plot memory --checkpoint "$checkpoint" --data "$output/data" \
  --output "$output/memory.png"
step "done: everything is in $output"
