# Sourced by the prepare scripts: reads [RAW_FOLDER] [DEST], finds Python, fetches and checks files.
# Whatever is wrong is told in one line, with exit code 1.

. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/end_together.sh"

own=${1:-}  # the user's folder of raw files; empty when they are to be downloaded
dest=${2:-}
dest=${dest%/}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

note() {
    echo "$(basename "$0"): $*" >&2
}

fail() {
    note "error: $*"
    exit 1
}

# A PYTHON that is set wins; else the repository's own environment comes before the one on PATH.
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python
    [ ! -x "$root/.venv/bin/python" ] || PYTHON=$root/.venv/bin/python
fi
[ -z "$own" ] || [ -d "$own" ] || fail "no folder $own"
command -v "$PYTHON" > /dev/null || fail "no Python at '$PYTHON'; set PYTHON=/path/to/python"

# The command of this repository, installed or not.
fairseq-memtx() {
    PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" "$PYTHON" -m fairseq_memtx "$@"
}

# has_checksum ALGORITHM:SUM FILE - whether the file is there and is the one meant.
# Python does it, as the commands for this have another name on each system.
has_checksum() {
    [ -f "$2" ] && "$PYTHON" - "$1" "$2" << 'PYTHON_CODE'
import hashlib
import sys

algorithm, expected = sys.argv[1].split(":")
digest = hashlib.new(algorithm)
with open(sys.argv[2], "rb") as file:
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
sys.exit(digest.hexdigest() != expected)
PYTHON_CODE
}

# is_archive FILE - whether a .tgz is there, from beginning to end.
is_archive() {
    [ -f "$1" ] && tar -tzf "$1" > /dev/null 2>&1
}

# download URL FILE CHECK... - fetch a file that is not there yet; CHECK is a command to try it with.
# FILE appears only when it is whole and checked. An interrupted download goes on where it stopped.
download() {
    local url=$1 file=$2 begun=""
    shift 2
    [ ! -f "$file" ] || return 0
    command -v curl > /dev/null || fail "curl is needed to download $url"
    mkdir -p "$(dirname "$file")"
    if ! "$@" "$file.partial"; then
        echo "downloading $url"
        if ! curl --fail --location --retry 3 --continue-at - --output "$file.partial" "$url"; then
            [ ! -s "$file.partial" ] || begun=", or delete $file.partial first"
            fail "could not download $url; start again to go on$begun, or fetch it elsewhere and" \
                "name its folder: bash $0 FOLDER"
        fi
        if ! "$@" "$file.partial"; then
            rm -f "$file.partial"
            fail "what came from $url is not what was expected, and was deleted"
        fi
    fi
    mv "$file.partial" "$file"
}

# expect_pairs TEXT COUNT OFFICIAL - a wrong count is an error in what was downloaded, and only noted
# where the user came with files of their own.
expect_pairs() {
    local told="$1 has $2 pairs, the official one has $3"
    [ "$2" != "$3" ] || return 0
    [ -n "$own" ] || fail "$told"
    note "note: $told"
}

# locate NAME FOLDER... - the path of a file of that name somewhere below; nothing if there is none.
locate() {
    local name=$1
    shift
    find -L "$@" -type f -name "$name" 2> /dev/null | head -n 1 || true
}

# require ARCHIVE WORK NAME... - see that the named files can be located below the folder of the
# archive, where somebody may have unpacked it, or else below WORK, where they are unpacked now.
require() {
    local archive=$1 work=$2 name wanted="" missing=""
    shift 2
    for name in "$@"; do
        wanted="$wanted|$name"
        [ -n "$(locate "$name" "$(dirname "$archive")")" ] || missing=$name
    done
    [ -n "$missing" ] || return 0
    [ -f "$archive" ] || fail "missing file: neither $missing nor $archive is there"
    tar -tzf "$archive" > "$work/names" 2> /dev/null || fail "$archive: damaged or cut-off archive"
    grep -E "(^|/)(${wanted#|})\$" "$work/names" > "$work/wanted" || true
    tar -xzf "$archive" -C "$work" -T "$work/wanted"
    for name in "$@"; do
        [ -n "$(locate "$name" "$work")" ] || fail "$archive: has no file $name"
    done
}
