#!/usr/bin/env bash
# Train a language model: without memory, with Transformer-XL's cache, with recurrent memory, or both.
#
#     bash examples/language_model/train.sh DATASET MODEL SAVE_DIR [flags of fairseq-train]
#
# DATASET  enwiki, shakespeare, wikitext2, wikitext103 or enwik8, prepared in data-bin/DATASET (or in
#          the folder $DATA)
# MODEL    transformer, transformer-xl, rmt or both; all have Transformer-XL's layers
#
# For instance: bash examples/language_model/train.sh enwiki rmt checkpoints/rmt --seed 2
# The last flags win: --memory-tokens 20, --window-segments 4 --stride-segments 1 for a BPTT depth of
# 3, --backbone transformer for fairseq's layers, --tensorboard-logdir DIR. With PRINT_ONLY=1 the
# command is printed and not run. Results and times are in README.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() {
    echo "train.sh: error: $1" >&2
    exit 1
}
[ $# -ge 3 ] || fail "usage: train.sh DATASET MODEL SAVE_DIR [flags of fairseq-train]"
dataset=$1 model=$2 save_dir=$3
shift 3

small=(--arch rmt_lm --decoder-layers 4 --decoder-embed-dim 128 --decoder-attention-heads 4
    --decoder-ffn-embed-dim 512 --share-decoder-input-output-embed --criterion cross_entropy)
case $dataset in
    enwiki | shakespeare)
        memory=10 cache=128
        # What a core does in five to twenty minutes: a tenth of a million tokens every minute, so
        # a high learning rate, and few streams for many updates.
        recipe=("${small[@]}" --dropout 0 --tokens-per-sample 128 --batch-size 8 --lr 1e-3
            --valid-streams 8 --warmup-updates 100 --max-update 2000)
        ;;
    wikitext2)
        memory=10 cache=50
        # 200,000 words of training text: dropout, since they are read ten times.
        recipe=("${small[@]}" --dropout 0.3 --tokens-per-sample 50 --batch-size 16 --lr 1e-3
            --valid-streams 16 --warmup-updates 100 --max-update 2500)
        ;;
    wikitext103)
        memory=10 cache=150
        # The paper's numbers: 60 streams of 150 words over all GPUs, so --batch-size is 60/GPUs.
        # Adam, 2.5e-4, a cosine (in all published runs, where the paper's text says linear).
        recipe=(--arch rmt_lm_wiki103 --criterion segment_cross_entropy --tokens-per-sample 150
            --batch-size 60 --valid-streams 60 --lr 2.5e-4 --max-update 200000)
        ;;
    enwik8)
        memory=10 cache=128
        # The paper's numbers: 64 streams of 128 bytes over all GPUs.
        recipe=(--arch rmt_lm_enwik8 --criterion cross_entropy --tokens-per-sample 128
            --batch-size 64 --valid-streams 64 --lr 2.5e-4 --max-update 400000)
        ;;
    *) fail "unknown dataset $dataset: use enwiki, shakespeare, wikitext2, wikitext103 or enwik8" ;;
esac
# Windows of two segments that move by one: a BPTT depth of 1, without which writing is not learnt.
depth=(--window-segments 2 --stride-segments 1)
case $model in
    transformer) memory=(--memory-tokens 0) ;;
    transformer-xl) memory=(--memory-tokens 0 --cache-length "$cache") ;;
    rmt) memory=(--memory-tokens "$memory" "${depth[@]}") ;;
    both) memory=(--memory-tokens "$memory" --cache-length "$cache" "${depth[@]}") ;;
    *) fail "unknown model $model: use transformer, transformer-xl, rmt or both" ;;
esac

[ ! -x "$root/.venv/bin/fairseq-train" ] || PATH="$root/.venv/bin:$PATH"
# The gradient is clipped at 0.25, as in Transformer-XL's published runs and in RMT's.
command=(fairseq-train "${DATA:-$root/data-bin/$dataset}" --user-dir "$root/fairseq_memtx"
    --task rmt_language_modeling "${recipe[@]}" "${memory[@]}" --optimizer adam
    --lr-scheduler cosine --clip-norm 0.25 --validate-interval-updates 500
    --no-epoch-checkpoints --save-dir "$save_dir" "$@")
printf '%q ' "${command[@]}"
echo
[ -n "${PRINT_ONLY:-}" ] || exec "${command[@]}"
