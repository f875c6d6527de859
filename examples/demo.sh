#!/usr/bin/env bash
# Starts an embedded farm, sends the example through it, leaves the masters in OUT and stops the farm.
# usage: examples/demo.sh DATA OUT
set -euo pipefail
data=$1 out=$2
mixdown=${CARGO_TARGET_DIR:-target}/release/mixdown
mkdir -p "$data" "$out"
ready=$data/ready.json
: > "$ready"
"$mixdown" serve --data "$data" --listen 127.0.0.1:0 --json > "$ready" 2> "$data/serve.log" &
farm=$!
stop() {
  if kill -TERM "$farm" 2> /dev/null; then wait "$farm" || true; fi
}
trap stop EXIT
until grep -q '"listen"' "$ready"; do
  if ! kill -0 "$farm" 2> /dev/null; then
    echo "the farm did not start; $data/serve.log says:" >&2
    tail -n 20 "$data/serve.log" >&2
    exit 1
  fi
  read -r -t 0.1 _ <> <(:) || true
done
address=$(sed -n 's/.*"listen": *"\([^"]*\)".*/\1/p' "$ready")
"$mixdown" submit examples/harbour_lights/session.toml --coordinator "http://$address" --wait --out "$out"
