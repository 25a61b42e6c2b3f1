set -euo pipefail

# the lock of file descriptor 9, where the file system has locks
alone() {
    local code=0
    flock -w "$1" 9 || code=$?
    case $code in
    0) ;;
    1) echo "waited $1 s for another submit that makes the same" >&2 && exit 1 ;;
    *) echo "no locks on this file system: making it without one" >&2 ;;
    esac
}

# the commit, in a folder that appears whole or not at all
clones=/home/lab/ired-interp/clones repository=/home/lab/ired-interp/code/demo.git sha=0123456789abcdef0123456789abcdef01234567 store=/home/lab/ired-interp/files
export GIT_LFS_SKIP_SMUDGE=1  # what git-lfs keeps apart is in the store already
mkdir -p -- "$clones"
exec 9>"$clones/$sha.lock"
alone 600
if [ ! -d "$clones/$sha" ]; then
    rm -rf -- "$clones/.$sha".*
    draft=$(mktemp -d -- "$clones/.$sha.XXXXXX")
    git init --quiet -- "$draft"
    git -C "$draft" fetch --quiet --depth=1 -- "$repository" "refs/ired-interp/$sha"
    git -C "$draft" -c advice.detachedHead=false checkout --quiet --detach FETCH_HEAD
    mv -- "$draft" "$clones/$sha"
fi
flock -u 9 2>/dev/null || true  # what was started may still have the descriptor
cd -- "$clones/$sha"
test "$(git rev-parse HEAD)" = "$sha"

python=/home/lab/env/bin/python

if [ ! -x "$python" ]; then
    echo "$python: expected the interpreter of an environment, found none" >&2
    exit 1
fi
find='import importlib.util, sys; sys.exit(importlib.util.find_spec("ired_interp") is None)'
if ! "$python" -P -c "$find"; then
    echo "the environment of $python has no ired-interp: add it to the requirements" >&2
    exit 1
fi
printf 'python=%s\n' "$python"
