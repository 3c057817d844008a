# Sourced by the prepare scripts: as in examples/translation/download.sh, with files of questions.

. "$(dirname "${BASH_SOURCE[0]}")/../translation/download.sh"

# is_json FILE - whether it is there, and whole.
is_json() {
    [ -f "$1" ] && "$PYTHON" -c "import json, sys; json.load(open(sys.argv[1], 'rb'))" "$1" 2> /dev/null
}

# find_files NAME URL TRAIN TEST - download both files, unless the user has them.
find_files() {
    local name
    raw=${own:-$root/data-bin/raw/$1}
    for name in "$3" "$4"; do
        [ -n "$own" ] || download "$2/$name" "$raw/$name" is_json
    done
    train=$raw/$3 test=$raw/$4
}

# prepare_questions NAME [FLAGS] - make DEST. Files of one's own may be smaller than the official
# ones, what was downloaded may not.
prepare_questions() {
    local name=$1 tokens=(--bpe-size 16000 --lowercase) # as the metrics are; of train's own text
    shift
    case " $* " in *" --pretrained "* | *" --bpe-size "*) tokens=() ;; esac
    [ -n "$own" ] || tokens+=(--questions "${counts[@]}")
    fairseq-memtx prepare question-answering --train "$train" --test "$test" \
        ${tokens[@]+"${tokens[@]}"} --dest "${dest:-$root/data-bin/$name}" "$@"
}
