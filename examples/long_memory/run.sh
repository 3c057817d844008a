#!/usr/bin/env bash
# Train and measure what README.md shows: facts in a million tokens of noise.
#
#     bash examples/long_memory/run.sh [--quick] [FOLDER]
#
# FOLDER (checkpoints/long_memory) gets a folder a model, curves/*.jsonl and table.md. --quick is one
# fact alone, with one control and one seed. Two runs go at a time, on a core each. Stopped and started
# again, it goes on: what is finished is not done twice, and a training goes on from its checkpoint.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
seeds="1 2 3" quick=
if [ "${1:-}" = --quick ]; then
    quick=1 seeds=1
    shift
fi
out=${1:-checkpoints/long_memory}
[ ! -x "$root/.venv/bin/fairseq-train" ] || PATH="$root/.venv/bin:$PATH"
mkdir -p "$out/curves"
export OMP_NUM_THREADS=1
begin=$SECONDS

task=(--user-dir "$root/fairseq_memtx" --task facts_in_noise)
# Every row is new, so there is no dropout. Layers normalise before they read: the state of RMT then
# goes from the last layer to the first in one scale.
common=("${task[@]}" --backbone transformer --decoder-attention-heads 4 --decoder-normalize-before
    --dropout 0 --criterion cross_entropy --optimizer adam --adam-betas "(0.9, 0.98)"
    --lr-scheduler fixed --warmup-updates 100 --clip-norm 1 --batch-size 32 --tokens-per-sample 32
    --cpu --no-epoch-checkpoints --save-interval 10 --log-format simple --log-interval 1000)
# A stage of one segment first: what attention finds in one segment, memory has to carry over two.
# Without the last stages RMT forgets at 2,000 tokens; 32 segments are enough for a million.
one=(--facts 1 --lr 1e-3 --train-size 640 --valid-size 128 --max-update 560
    --segment-curriculum 1:0.99,2:0.99,3:0.99,4:0.99,6:0.99,8:0.99,16:0.99,32)
# Two facts about two people first: a name is learnt to be a key where it comes in every row.
many=(--facts 8 --names 16 --asked 8 --lr 2e-3 --train-size 1280 --valid-size 64 --max-update 2400
    --segment-curriculum 2x2:0.9,2x4:0.9,4x4:0.9,8:0.9,16)

train() { # NAME FLAGS: unless it is finished
    local name=$1 start=$SECONDS
    shift
    [ ! -e "$out/$name/finished" ] || return 0
    fairseq-train "${common[@]}" --save-dir "$out/$name" "$@" >"$out/$name.log" 2>&1 ||
        fail "$name" "$out/$name.log"
    touch "$out/$name/finished"
    say "$name: trained in $((SECONDS - start)) s"
}

measure() { # NAME CURVE LENGTHS ROWS BATCH FLAGS: unless it is there
    local name=$1 curve=$out/curves/$2.jsonl lengths=$3 rows=$4 batch=$5 start=$SECONDS
    shift 5
    [ ! -e "$curve" ] || return 0
    fairseq-validate "${task[@]}" --path "$out/$name/checkpoint_last.pt" --length-curve "$lengths" \
        --length-curve-file "$curve.part" --valid-size "$rows" --batch-size "$batch" --cpu "$@" \
        >"$curve.log" 2>&1 || fail "$name" "$curve.log"
    mv "$curve.part" "$curve"
    say "$(basename "$curve" .jsonl): measured in $((SECONDS - start)) s"
}

say() { printf '%4d s  %s\n' $((SECONDS - begin)) "$1"; }

fail() {
    echo "run.sh: error: $1 failed, see $2" >&2
    exit 1
}

together() { # COMMAND: beside at most one other
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    "$@" &
}

arch() { # MODEL: its flags
    case $1 in
        rmt) echo "--arch rmt_lm_tiny --decoder-normalize-before" ;;
        # As many weights as ARMT, which has 12,000 more for the same layers.
        rmt-wide) echo "--arch rmt_lm_tiny --decoder-normalize-before --decoder-ffn-embed-dim 176" ;;
        armt) echo "--arch armt_lm_tiny --decoder-normalize-before" ;;
        none) echo "--arch rmt_lm_tiny --decoder-normalize-before --memory-tokens 0" ;;
        # A cache of as many rows as RMT has memory, in every layer.
        transformer-xl)
            echo "--arch rmt_lm_tiny --backbone transformer-xl --memory-tokens 0 --cache-length 4"
            ;;
    esac
}

one_fact() { # MODEL SEED
    local name=one-$1-seed$2
    train "$name" $(arch "$1") "${one[@]}" --seed "$2"
    measure "$name" "$name" "$lengths" 16 16
}

many_facts() { # MODEL SEED
    local name=many-$1-seed$2
    train "$name" $(arch "$1") "${many[@]}" --seed "$2"
    for facts in 1 2 4 8 16; do
        measure "$name" "many-$1-$facts-facts-seed$2" 8,16,32,64,128,256 128 64 \
            --facts $facts --asked 1
    done
}
