#!/usr/bin/env bash
# Train a reader with a global memory (GMAT), which points at the part of a document that answers.
#
#     bash examples/question_answering/train.sh TASK SAVE_DIR [flags of fairseq-train]
#
# TASK  pretrain   masked words of the contexts and questions in data-bin/squad-1.1, or in $DATA
#       answer     the questions there; from a model of pretrain: --finetune-from-model CHECKPOINT
#       reading    generated documents; first with attention to everything, in SAVE_DIR/whole, then
#                  in chunks, with memory alone between them
#
# For instance: bash examples/question_answering/train.sh reading checkpoints/reading --seed 1 --cpu
# The last flags win: --memory-tokens 0, --max-positions 384. With PRINT_ONLY=1 commands are printed
# and not run. Results and times are in README.md.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/end_together.sh"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() {
    echo "train.sh: error: $1" >&2
    exit 1
}
[ $# -ge 2 ] || fail "usage: train.sh pretrain|answer|reading SAVE_DIR [flags of fairseq-train]"
task=$1 save_dir=$2
shift 2
documents=$root/examples/long_documents/train.sh
export DATA=${DATA:-$root/data-bin/squad-1.1}
[ ! -x "$root/.venv/bin/fairseq-train" ] || PATH="$root/.venv/bin:$PATH"

reading() { # FOLDER FLAGS
    # Every document is new, so there is no dropout.
    local command=(fairseq-train --user-dir "$root/fairseq_memtx" --task reading
        --criterion extractive_qa --arch gmat_roberta_tiny --encoder-layers 3 --encoder-ffn-embed-dim 256
        --encoder-attention-heads 4 --memory-tokens 8 --dropout 0 --attention-dropout 0
        --batch-size 32 --train-size 6400 --valid-size 200 --optimizer adam
        --adam-betas "(0.9, 0.98)" --clip-norm 1.0 --lr-scheduler inverse_sqrt
        --warmup-updates 50 --validate-interval-updates 50 --no-epoch-checkpoints
        --required-batch-size-multiple 1 --save-dir "$@")
    printf '%q ' "${command[@]}"
    echo
    [ -n "${PRINT_ONLY:-}" ] || "${command[@]}"
}

case $task in
    # Whole documents with the questions beside them, and contexts of HotpotQA in one row: "yes" and
    # "no" stand in front of it.
    pretrain) bash "$documents" masked-lm "$save_dir" "$@" ;;
    answer) bash "$documents" extractive-qa "$save_dir" "$@" ;;
    # To compare a fact with what memory holds of the question has no use before memory holds it, and
    # the reverse: from nothing, chunks stayed at chance. Where tokens see the question, to compare is
    # learnt in 150 updates. A rate of 2e-3 then destroys it before memory takes the question's part.
    reading)
        reading "$save_dir/whole" --sparse-attention none --lr 2e-3 --max-update 200 "$@"
        reading "$save_dir" --chunk-size 8 --lr 3e-4 --max-update 200 \
            --finetune-from-model "$save_dir/whole/checkpoint_last.pt" "$@"
        ;;
    *) fail "unknown task $task: use pretrain, answer or reading" ;;
esac
