#!/usr/bin/env bash
# Train and measure what README.md shows: facts in a million tokens of noise.
#
#     bash examples/long_memory/run.sh [--quick | --long] [FOLDER]
#
# FOLDER (checkpoints/long_memory) gets a folder a model, curves/*.jsonl, table.md and pictures.
# --quick is one fact and RMT beside a control; --long one fact over ten million tokens. With
# NOISE=FILE one fact is also told between the words of that text, and with SEEDS=3 what is compared
# has three seeds, in twice the time; ROWS=8 measures one fact in half as many rows. Two runs go at a
# time, on a core each. Stopped and started again, it goes on: what is finished is not done twice, and
# a training goes on from its checkpoint.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/end_together.sh"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
part=all
case ${1:-} in
    --quick | --long) part=${1#--} && shift ;;
esac
out=${1:-checkpoints/long_memory}
[ ! -x "$root/.venv/bin/fairseq-train" ] || PATH="$root/.venv/bin:$PATH"
mkdir -p "$out/curves"
export OMP_NUM_THREADS=1
begin=$SECONDS

# Rows are made quickly, and a process that makes them would begin anew in every short epoch.
task=(--user-dir "$root/fairseq_memtx" --task facts_in_noise --cpu --num-workers 0)
# Every row is new, so there is no dropout. Epochs are short, since stages change between them.
common=("${task[@]}" --decoder-attention-heads 4 --dropout 0 --criterion cross_entropy
    --optimizer adam --adam-betas "(0.9, 0.98)" --clip-norm 1 --batch-size 32
    --lr-scheduler tri_stage --phase-ratio "(0.05, 0.7, 0.25)" --final-lr-scale 0.05
    --no-epoch-checkpoints --save-interval 10 --log-format simple --log-interval 1000)
# One segment first: what attention finds in sight, memory then has to carry. With 16 segments at the
# end RMT forgot after 262,144 tokens; with 32 it has not.
one=(--tokens-per-sample 32 --facts 1 --lr 1e-3 --train-size 640 --valid-size 128 --max-update 480
    --segment-curriculum 1:0.99,2:0.99,3:0.99,4:0.99,6:0.99,8:0.99,16:0.99,32)
# ARMT needs it sturdier: with rows of 32 segments one seed of three had a quarter of a million's rows
# wrong. Rows of 256 segments show what drifts, gradients through the last 16 reach it in a third of
# the time, while the rate falls; dropout is noise in what is kept.
one_armt=("${one[@]}" --dropout 0.1 --valid-size 64 --max-tokens 131072 --max-update 560
    --phase-ratio "(0.05, 0.6, 0.35)" --bptt-depth 15
    --segment-curriculum 1:0.99,2:0.99,3:0.99,4:0.99,6:0.99,8:0.99,16:0.99,64:40,256)
# Distances between words tell whose place it is, so many facts are for the backbone that has them.
# Few facts about as few people first; then all 16 people in one segment, before memory is needed.
# A fact in twenty is cut by the end of a segment, hence 0.88 where there are two.
many=(--backbone transformer-xl --tokens-per-sample 64 --memory-tokens 8 --lr 2e-3
    --facts 8 --names 16 --asked 8 --train-size 1280 --valid-size 64 --max-update 2000
    --segment-curriculum 1x2:0.9,1x4:0.9,1:0.9,2:0.88,4:0.9,8)
# ARMT drifts a little in every segment: rows of 256 segments show it, and gradients through the last
# 16 of them reach it. Eight of these rows a batch. At a higher rate the gradients became infinite.
far=(--train-size 320 --valid-size 32 --max-tokens 131072 --bptt-depth 15 --lr 5e-4 --max-update 60
    --segment-curriculum 64:20,256)

arch() { # MODEL: its flags
    case $1 in
        # Layers normalise before they read: memory goes from the last to the first in one scale.
        rmt) echo "--arch rmt_lm_tiny --backbone transformer --decoder-normalize-before" ;;
        # Norms after the layers bound what is written. Without the correction a memory becomes the
        # mean of all that was written, which moves less the longer the text is.
        armt) echo "--arch armt_lm_tiny --backbone transformer --no-associative-correction" ;;
        no-memory) echo "$(arch rmt) --memory-tokens 0" ;;
        # A cache of as many rows as RMT has memory, in every layer.
        transformer-xl)
            echo "--arch rmt_lm_tiny --backbone transformer-xl --memory-tokens 0 --cache-length 4"
            ;;
        # As many weights as ARMT, whose layer memories have 24,700.
        rmt-wide) echo "--arch rmt_lm_tiny --decoder-ffn-embed-dim 224" ;;
        armt-64) echo "--arch armt_lm_tiny --associative-channels 64" ;;
    esac
}

one_fact() { # MODEL SEED: measured to a million tokens
    local name=one-$1-seed$2 recipe=("${one[@]}")
    [ "$1" != armt ] || recipe=("${one_armt[@]}")
    train "$name" $(arch "$1") "${recipe[@]}" --seed "$2"
    measure "$name" "$name" 8,128,1024,8192,31250 "${ROWS:-16}" "${ROWS:-16}"
}

control() { # MODEL SEED: at chance from two segments on
    local name=one-$1-seed$2
    train "$name" $(arch "$1") "${one[@]}" --seed "$2"
    measure "$name" "$name" 8,128,512 64 64
}

in_text() { # MODEL: one fact between the words of a text
    local name=text-$1-seed1
    train "$name" $(arch "$1") "${one[@]}" --noise "$NOISE" --seed 1
    measure "$name" "$name" 8,128,1024 64 64 --noise "$NOISE"
}

many_facts() { # MODEL SEED
    local name=many-$1-seed$2 facts last
    train "$name" $(arch "$1") "${many[@]}" $(pace "$1") --seed "$2"
    last=$name
    # RMT does not come through the stages, and longer rows cost it what it has learnt.
    if [ "$1" = armt-64 ]; then
        far "$name" $(arch "$1") "${many[@]}" --seed "$2"
        last=far-$name
    fi
    for facts in 1 2 4 8 16; do
        measure "$last" "many-$facts-facts-$1-seed$2" 2,8,32,64,128,256 64 64 \
            --facts $facts --asked 1
    done
}

pace() { # MODEL: at ARMT's rate RMT did not come beyond two facts
    [ "$1" != rmt-wide ] || echo "--lr 1e-3"
}

many_facts_and_newest() { # MODEL
    many_facts "$1" 1
    newest "$1"
}

newest() { # MODEL: of facts about people who come again, by a model of many facts
    local name=newest-$1-seed1 last
    last=$name
    train "$name" $(arch "$1") "${many[@]}" --questions newest --segment-curriculum 2:0.9,4:0.9,8 \
        --finetune-from-model "$out/many-$1-seed1/checkpoint_last.pt" --lr 1e-3 --seed 1
    if [ "$1" = armt-64 ]; then
        far "$name" $(arch "$1") "${many[@]}" --questions newest --seed 1
        last=far-$name
    fi
    measure "$last" "$name" 2,8,32,64,128 64 64 --questions newest --asked 1
}

# Two sentences have to be put together, hence four layers. Neither model gets beyond the second stage,
# with twice the updates either.
two_hops() { # MODEL
    local name=two-hops-$1-seed1
    train "$name" $(arch "$1") "${many[@]}" --decoder-layers 4 --questions two-hops --facts 4 \
        --names 8 --asked 4 --lr 1e-3 --segment-curriculum 1x1:0.9,1x2:0.9,1:0.9,2:0.85,4:0.9,8 \
        --max-update 1000 --seed 1
    measure "$name" "$name" 8,32,64,128 64 64 --asked 1
}

far() { # NAME FLAGS: train it further, on longer rows
    local name=$1
    shift
    train "far-$name" "$@" "${far[@]}" --finetune-from-model "$out/$name/checkpoint_last.pt"
}

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
        --length-curve-file "$curve.part" --valid-size "$rows" --batch-size "$batch" "$@" \
        >"${curve%.jsonl}.log" 2>&1 || fail "$name" "${curve%.jsonl}.log"
    mv "$curve.part" "$curve"
    say "$(basename "$curve" .jsonl): measured in $((SECONDS - start)) s"
}

say() { printf '%5d s  %s\n' $((SECONDS - begin)) "$1"; }

fail() {
    echo "run.sh: error: $1 failed, see $2" >&2
    exit 1
}

beside() { # COMMAND: beside at most one other
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do next; done
    "$@" &
}

finish() { # wait for what still runs
    while [ -n "$(jobs -p)" ]; do next; done
}

next() { # wait for a run; one that failed ends the others
    wait -n || kill -s TERM 0
}

ten_million() { # MODEL SEED: eight rows, a quarter of an hour and more
    one_fact "$1" "$2"
    measure "one-$1-seed$2" "ten-million-$1-seed$2" 31250,312500 8 8
}

if [ "$part" = quick ]; then
    beside one_fact rmt 1
    beside control no-memory 1
    finish
elif [ "$part" = long ]; then
    for model in rmt armt; do beside ten_million $model 1; done
    finish
else
    # What takes longest begins first, or a core has nothing to do at the end.
    for model in armt-64 rmt-wide; do beside many_facts_and_newest $model; done
    for model in armt-64 rmt-wide; do beside two_hops $model; done
    for seed in $(seq 2 "${SEEDS:-1}"); do
        for model in armt-64 rmt-wide; do beside many_facts $model $seed; done
    done
    for seed in $(seq "${SEEDS:-1}"); do
        for model in armt rmt; do beside one_fact $model $seed; done
        for model in transformer-xl no-memory; do beside control $model $seed; done
    done
    [ -z "${NOISE:-}" ] || for model in armt rmt; do beside in_text $model; done
    finish
fi
fairseq-memtx plot length-curve "$out"/curves/one-*-seed1.jsonl "$out/one-fact.png"
[ "$part" != all ] ||
    fairseq-memtx plot length-curve "$out"/curves/many-8-facts-*-seed1.jsonl "$out/many-facts.png"
python "$root/examples/long_memory/table.py" "$out/curves" | tee "$out/table.md"
