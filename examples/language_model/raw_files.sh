# Sourced by the prepare scripts: as in examples/translation/download.sh, with folders and .zip.

. "$(dirname "${BASH_SOURCE[0]}")/../translation/download.sh"
here=$root/examples/language_model

# start NAME - say where raw files lie and what is made, and make $work, which goes at the end.
start() {
    raw=${own:-$root/data-bin/raw/$1}
    dest=${dest:-$root/data-bin/$1}
    mkdir -p "$(dirname "$dest")"
    work=$(mktemp -d "$dest.text.XXXXXX")
    trap 'rm -rf "$work"' EXIT
}

raw_text() {
    "$PYTHON" "$here/raw_text.py" "$@"
}

# is_zip FILE - whether a .zip is there, and whole.
is_zip() {
    [ -f "$1" ] && "$PYTHON" 2> /dev/null - "$1" << 'PYTHON_CODE'
import sys
import zipfile

sys.exit(zipfile.ZipFile(sys.argv[1]).testzip() is not None)
PYTHON_CODE
}

# find_or_unzip ARCHIVE NAME - the path of a file: somewhere below the folder of the archive, where
# somebody may have unpacked it, or else below $work, where it is unpacked now.
find_or_unzip() {
    local found
    found=$(locate "$2" "$(dirname "$1")")
    if [ -z "$found" ]; then
        [ -f "$1" ] || fail "missing file: neither $2 nor $1 is there"
        found=$work/$2
        raw_text unzip "$1" "$2" --output "$found" || exit 1  # set -e is off inside $(...)
    fi
    echo "$found"
}

# expect_size WHAT FILE COUNT - see that a file has as many bytes (-c) or lines (-l) as it should.
expect_size() {
    local count unit=bytes
    [ "$1" = -c ] || unit=lines
    count=$(($(wc "$1" < "$2")))
    [ "$count" = "$3" ] ||
        fail "$2 has $count $unit, the official one has $3: it is cut off or another text"
}

# prepare_splits [FLAGS] - make DEST from the files train, valid and test in $work.
prepare_splits() {
    fairseq-memtx prepare language-model --dest "$dest" \
        --train "$work/train" --valid "$work/valid" --test "$work/test" "$@"
}
