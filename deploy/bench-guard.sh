#!/usr/bin/env bash
# Builds another revision beside this one and compares what both execute for a session. usage: deploy/bench-guard.sh BASE
set -euo pipefail
cd "$(dirname "$0")/.."
base=$(git rev-parse --verify "$1^{commit}")
guard=$PWD/.cache/guard
mkdir -p "$guard"
git worktree prune
if [ -d "$guard/base" ]; then
  git -C "$guard/base" checkout -q --detach "$base"
else
  git worktree add -q --detach "$guard/base" "$base"
fi
build() {
  (cd "$1" && CARGO_TARGET_DIR=$2 cargo build --release --locked -p mixdown)
}
build "$guard/base" "$guard/base-target"
build . "$guard/head-target"
exec deploy/with-tools.sh python3 tests/bench/guard.py "$guard/base-target/release/mixdown" "$guard/head-target/release/mixdown"
