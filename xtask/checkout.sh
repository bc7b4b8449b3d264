# Makes a folder a working tree of a commit: `checkout.sh COMMIT FOLDER`. The folder is used again the next time, so that
# only what differs is built.
set -eu
commit=$(git rev-parse --verify "$1^{commit}")
if [ -e "$2/.git" ]; then
  git -C "$2" checkout --quiet --force --detach "$commit"
else
  git worktree prune
  git worktree add --detach "$2" "$commit"
fi
