#!/bin/sh
# flash.sh DEVICE DIGEST: a fresh flash of an image by the functions that installer and agent have in common, as a work of theirs
# that is watched. Prints for each phase its name and the seconds that it took. SERVER, HOST, WB_LIB, WB_RUN, HELPER come from the
# environment. The server does not know the attempt, and its refusals are no reason to stop.
set -u
umask 077
WB_CONSOLE=/dev/null WB_RUN=${WB_RUN:-/run/warmboot-bench}
rm -rf "$WB_RUN"
mkdir -p "$WB_RUN/outbox"
# shellcheck source-path=SCRIPTDIR/../../images/agent/rootfs/usr/lib/warmboot
. "${WB_LIB:-/usr/lib/warmboot}/lib.sh"
device=$1 at=/boot/images/$2

# What the manifest of an install says, and what the installer sets.
# shellcheck disable=SC2034
{
  M_ATTEMPT=bench ATTEMPT=bench M_ACTION=install M_SLOT=b M_POLL=5 M_RATE=${RATE:-} M_MIRROR='' RATE_LIMIT=''
  STREAMS=2 FRESH=yes
  M_IMAGE_NAME=bench M_IMAGE_DIGEST=$2 M_STAGE_INDEX=$at/index.json M_STAGE_FRAMES=$at/frames.json M_STAGE_DATA=$at/data
}

# Beside what it does for the work.
said() {
  echo "$1 $(date +%s.%N)" >> "$WB_RUN/times"
}
phase() {
  said "$1"
  mkdir -p "$WB_RUN/work"
  printf '%s %s\n' "$1" "${2:-}" > "$WB_RUN/work/phase"
}

work() {
  download_index
  flash_slot "$device"
}

said index
watched work || {
  echo "the flash failed: $(cat "$WB_RUN/work/reason" 2> /dev/null)" >&2
  cat "$WB_RUN/log" >&2
  exit 1
}
said end
awk 'NR > 1 { printf "%s %.3f\n", name, $2 - at } { name = $1; at = $2 }' "$WB_RUN/times"
