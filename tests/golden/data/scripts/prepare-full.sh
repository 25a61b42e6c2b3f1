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
set +u
module load python/3.11 cuda/12.6 || exit 1
set -u

# the commit, in a folder that appears whole or not at all
clones='/project/o'"'"'neil; x/ired interp/clones' repository='/project/o'"'"'neil; x/ired interp/code/demo.git' sha=0123456789abcdef0123456789abcdef01234567 store='/project/o'"'"'neil; x/ired interp/files'
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
    git init --quiet -- "$draft"/'libs/wells; '"'"'x' &&
        git -C "$draft"/'libs/wells; '"'"'x' fetch --quiet --depth=1 -- "$repository" refs/ired-interp/89abcdef89abcdef89abcdef89abcdef89abcdef &&
        git -C "$draft"/'libs/wells; '"'"'x' checkout --quiet --detach FETCH_HEAD || exit 1
    cp -f -- "$store"/'0123456701234567012345670123456701234567012345670123456701234567/net'"'"'s.pt' "$draft"/'weights/net'"'"'s.pt' &&
        git -C "$draft" update-index --skip-worktree -- 'weights/net'"'"'s.pt' || exit 1
    cp -f -- "$store"/fedcba98fedcba98fedcba98fedcba98fedcba98fedcba98fedcba98fedcba98/table.bin "$draft"/'libs/wells; '"'"'x'/table.bin &&
        git -C "$draft"/'libs/wells; '"'"'x' update-index --skip-worktree -- table.bin || exit 1
    mv -- "$draft" "$clones/$sha"
fi
flock -u 9 2>/dev/null || true  # what was started may still have the descriptor
cd -- "$clones/$sha"
test "$(git rev-parse HEAD)" = "$sha"


# the environment, one for each content of the requirements, interpreter and modules
envs='/project/o'"'"'neil; x/ired interp/envs' base=python3.11 modules='python/3.11 cuda/12.6'
mkdir -p -- "$envs"
version=$("$base" -VV)
hash=$({ cat -- requirements.txt pyproject.toml; echo "$version $modules"; } | sha256sum | cut -c 1-16)
python=$envs/$hash/bin/python
exec 9>"$envs/$hash.lock"
alone 3600
if [ ! -e "$envs/$hash/complete" ]; then
    rm -rf -- "${envs:?}/$hash"
    "$base" -m venv -- "$envs/$hash" >&2
    "$python" -m pip install --quiet --disable-pip-version-check -r requirements.txt >&2
    "$python" -m pip install --quiet --no-deps -- . >&2
    touch -- "$envs/$hash/complete"
fi
flock -u 9 2>/dev/null || true  # what was started may still have the descriptor


if [ ! -x "$python" ]; then
    echo "$python: expected the interpreter of an environment, found none" >&2
    exit 1
fi
find='import importlib.util, sys; sys.exit(importlib.util.find_spec("ired_interp") is None)'
if ! PYTHONPATH=src "$python" -P -c "$find"; then
    echo "the environment of $python has no ired-interp: add it to the requirements" >&2
    exit 1
fi
printf 'python=%s\n' "$python"
