#!/usr/bin/env bash
# Train a translation model: fairseq's transformer as the baseline, or a Memory Transformer.
#
#     bash examples/translation/train.sh DATASET MODEL SAVE_DIR [flags of fairseq-train]
#
# DATASET  multi30k, iwslt14 or wmt14, prepared in data-bin/DATASET (or in the folder $DATA)
# MODEL    baseline, tokens, controller, shared-controller, bottleneck or bottleneck-skip
#
# For instance: bash examples/translation/train.sh multi30k tokens checkpoints/tokens --seed 2
# The last flags win: --memory-tokens 20, --fp16 on a GPU, --tensorboard-logdir DIR. With
# PRINT_ONLY=1 the command is printed and not run. The same recipes as YAML are in config/.
# Results and times are in README.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() {
  echo "train.sh: error: $1" >&2
  exit 1
}
[ $# -ge 3 ] || fail "usage: train.sh DATASET MODEL SAVE_DIR [flags of fairseq-train]"
dataset=$1 model=$2 save_dir=$3
shift 3

common=(--optimizer adam --adam-betas "(0.9, 0.98)"
  --criterion label_smoothed_cross_entropy --label-smoothing 0.1)
case $dataset in
  multi30k)
    languages=(-s de -t en)
    arch=mem_transformer_multi30k
    # The sizes of mem_transformer_multi30k.
    baseline=(--arch transformer --share-all-embeddings --dropout 0.2
      --encoder-layers 3 --encoder-embed-dim 256
      --encoder-ffn-embed-dim 512 --encoder-attention-heads 4
      --decoder-layers 3 --decoder-embed-dim 256
      --decoder-ffn-embed-dim 512 --decoder-attention-heads 4)
    # Six epochs of small batches, the learning rate falling to zero: what two cores do in half an
    # hour. A short budget needs many updates rather than large ones, hence 1024 tokens.
    recipe=("${common[@]}" --lr 7e-4 --lr-scheduler polynomial_decay --warmup-updates 400
      --total-num-update 3000 --max-update 3000 --clip-norm 1.0 --max-tokens 1024
      --no-epoch-checkpoints)
    ;;
  iwslt14)
    languages=(-s de -t en)
    arch=mem_transformer_iwslt_de_en
    baseline=(--arch transformer_iwslt_de_en --share-decoder-input-output-embed --dropout 0.3)
    # 160k pairs overfit quickly: weight decay beside the dropout of the preset.
    recipe=("${common[@]}" --lr 5e-4 --lr-scheduler inverse_sqrt --warmup-updates 4000
      --weight-decay 0.0001 --max-tokens 4096 --max-epoch 60 --keep-last-epochs 5)
    ;;
  wmt14)
    languages=(-s en -t de)
    case $model in
      tokens) arch=mem_transformer_wmt ;;
      controller) arch=mem_ctrl_transformer_wmt ;;
      shared-controller) arch=mem_ctrl_shared_transformer_wmt ;;
      bottleneck) arch=mem_bottleneck_transformer_wmt ;;
      bottleneck-skip) arch=mem_bottleneck_skip_transformer_wmt ;;
    esac
    baseline=(--arch transformer_wmt_en_de --share-all-embeddings --dropout 0.1)
    # 8 x 4096 tokens an update, about the batch of "Attention is all you need"; with N GPUs give
    # --update-freq 8/N. Ten epochs are what is reported (second-hand) for the paper.
    recipe=("${common[@]}" --lr 7e-4 --lr-scheduler inverse_sqrt --warmup-updates 4000
      --max-tokens 4096 --update-freq 8 --max-epoch 10 --keep-last-epochs 5)
    ;;
  *) fail "unknown dataset $dataset: use multi30k, iwslt14 or wmt14" ;;
esac
case $model in
  baseline) architecture=("${baseline[@]}") ;;
  tokens | controller | shared-controller | bottleneck | bottleneck-skip)
    architecture=(--arch "$arch" --memory-variant "$model")
    ;;
  *) fail "unknown model $model: use baseline, tokens, controller, shared-controller, \
bottleneck or bottleneck-skip" ;;
esac

[ ! -x "$root/.venv/bin/fairseq-train" ] || PATH="$root/.venv/bin:$PATH"
command=(fairseq-train "${DATA:-$root/data-bin/$dataset}" --user-dir "$root/fairseq_memtx"
  "${languages[@]}" "${architecture[@]}" "${recipe[@]}" --save-dir "$save_dir" "$@")
printf '%q ' "${command[@]}"
echo
[ -n "${PRINT_ONLY:-}" ] || exec "${command[@]}"
