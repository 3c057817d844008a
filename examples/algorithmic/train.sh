#!/usr/bin/env bash
# Train on an algorithm: copy, reverse, associative retrieval or quadratic equations.
#
#     bash examples/algorithmic/train.sh ALGORITHM SAVE_DIR [flags of fairseq-train]
#
# For instance, on a laptop in minutes:
#     bash examples/algorithmic/train.sh copy checkpoints/copy --sequence-length 8 --segments 3 \
#         --memory-tokens 8 --seed 1 --cpu
# Transformer-XL is --memory-tokens 0 --cache-length 8, and memory without recurrence is
# --memory-recurrence none. The last flags win. With PRINT_ONLY=1 the command is printed and not run.
# Results and times are in README.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() {
    echo "train.sh: error: $1" >&2
    exit 1
}
[ $# -ge 2 ] || fail "usage: train.sh ALGORITHM SAVE_DIR [flags of fairseq-train]"
algorithm=$1 save_dir=$2
shift 2

# Layers, heads and channels of the paper's models. (Its heads have 64 channels, whatever their
# number; ours share the channels of the model, so that six heads would not fit into 128.)
case $algorithm in
    copy | reverse) layers=4 channels=128 ;;
    associative-retrieval) layers=6 channels=64 ;;
    quadratic-equations) layers=6 channels=128 ;;
    *) fail "unknown algorithm $algorithm: use copy, reverse, associative-retrieval or \
quadratic-equations" ;;
esac

[ ! -x "$root/.venv/bin/fairseq-train" ] || PATH="$root/.venv/bin:$PATH"
# Every example is new, so there is no dropout. A rate five times the paper's, which trains for
# hundreds of thousands of updates, still solves copying in hundreds.
command=(fairseq-train --user-dir "$root/fairseq_memtx" --task algorithmic_sequences
    --algorithm "$algorithm" --arch rmt_lm --decoder-layers "$layers" --decoder-attention-heads 4
    --decoder-embed-dim "$channels" --decoder-ffn-embed-dim $((2 * channels)) --dropout 0
    --batch-size 32 --criterion cross_entropy --optimizer adam --lr 5e-4
    --lr-scheduler inverse_sqrt --warmup-updates 200 --clip-norm 0.25 --max-update 4000
    --valid-size 320 --validate-interval-updates 250 --no-epoch-checkpoints
    --save-dir "$save_dir" "$@")
printf '%q ' "${command[@]}"
echo
[ -n "${PRINT_ONLY:-}" ] || exec "${command[@]}"
