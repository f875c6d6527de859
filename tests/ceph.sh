#!/usr/bin/env bash
# A real S3 server for tests: Ceph's gateway over one monitor and one object store daemon that keeps everything in memory.
# Runs as any user from the packages that `deploy/setup.sh ceph` unpacked; listens on the loopback alone.
# usage: tests/ceph.sh FOLDER PORT MONITOR_PORT < pipe
#
# Prints "ready" once it answers, with a user whose keys are `key` and `secret`. Ends, and all that it started with it,
# when standard input does.
set -euo pipefail
folder=$1 port=$2 monitor_port=$3
root=$(cd "$(dirname "$0")/.." && pwd)/.cache/ceph
libraries=$(echo "$root"/usr/lib/*-linux-gnu)
base_libraries=$(echo "$root"/lib/*-linux-gnu)
export LD_LIBRARY_PATH=$libraries:$libraries/ceph:$base_libraries
export PYTHONPATH=$root/usr/lib/python3/dist-packages
id=$(cat /proc/sys/kernel/random/uuid)
mkdir -p "$folder"/{mon,osd,log,run,rgw}
cat > "$folder/ceph.conf" << CONF
[global]
fsid = $id
mon host = v1:127.0.0.1:$monitor_port
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
osd pool default pg num = 4
osd pool default pgp num = 4
mon max pg per osd = 2000
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = $folder/run
admin socket = $folder/run/\$name.asok
log file = $folder/log/\$name.log
mon cluster log file = $folder/log/cluster.log
plugin dir = $libraries/ceph
erasure code dir = $libraries/ceph/erasure-code
osd class dir = $libraries/rados-classes
mon data = $folder/mon/a
# A monitor ends itself when less than 5 % of the disk is free, however large that disk is.
mon data avail warn = 0
mon data avail crit = 0
keyring = $folder/keyring
[osd]
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw data = $folder/rgw
CONF

run() {
  local program=$1
  shift
  if ! timeout 120 "$root/usr/bin/$program" -c "$folder/ceph.conf" "$@" >> "$folder/log/start.log" 2>&1 < /dev/null; then
    failed "$program $*"
  fi
}
failed() {
  echo "failed: $*" >&2
  tail -n 5 "$folder"/log/*.log >&2
  exit 1
}
# In a subshell: the process is then the daemon itself.
become() {
  exec "$root/usr/bin/$1" -c "$folder/ceph.conf" -f "${@:2}" >> "$folder/log/start.log" 2>&1 < /dev/null 3<&-
}
gone() {
  for process in "$@"; do
    kill "$process" 2> /dev/null || true
    for _ in $(seq 50); do
      kill -0 "$process" 2> /dev/null || break
      sleep 0.1
    done
    kill -KILL "$process" 2> /dev/null || true
  done
}
# The gateway first: without a monitor the others do not end.
started=()
trap 'gone "${started[@]}"; rm -rf "$folder"/{mon,osd,run,rgw}' EXIT
# Ends the whole when the pipe closes, whatever is being waited for.
self=$$
exec 3<&0
# Without our standard output: whoever reads it sees its end when we end, not when the watcher does.
(read -r -u 3 _ || kill -TERM "$self") > /dev/null 2>&1 &
trap 'exit 0' TERM

within() {
  local seconds=$1
  shift
  local deadline=$((SECONDS + seconds))
  until "$@" > /dev/null 2>&1; do
    if [ "$SECONDS" -gt "$deadline" ]; then
      failed "not within $seconds s: $*"
    fi
    sleep 0.2
  done
}
start_osd() {
  become ceph-osd -i 0 &
  osd=$!
  started=("$osd" "${started[@]}")
}
# One that asks its monitor for something before it has the monitor's map is refused ("wrong fsid"), and ends.
osd_is_up() {
  kill -0 "$osd" || start_osd
  timeout 5 "$root/usr/bin/ceph" -c "$folder/ceph.conf" osd stat 2> /dev/null | grep -q '1 up'
}
answers() {
  : < "/dev/tcp/127.0.0.1/$port"
}

"$root/usr/bin/monmaptool" --create --addv a "[v1:127.0.0.1:$monitor_port]" --fsid "$id" "$folder/monmap" > "$folder/log/start.log"
run ceph-mon --mkfs -i a --monmap "$folder/monmap"
become ceph-mon -i a &
started=($!)
within 120 timeout 5 "$root/usr/bin/ceph" -c "$folder/ceph.conf" mon stat
run ceph-osd -i 0 --mkfs
start_osd
within 120 osd_is_up
become radosgw -n client.rgw &
started=($! "${started[@]}")
within 120 answers
run radosgw-admin -n client.rgw user create --uid farm --display-name farm --access-key key --secret-key secret
echo ready
wait "${started[0]}"
