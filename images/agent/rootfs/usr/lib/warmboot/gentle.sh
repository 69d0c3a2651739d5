# shellcheck shell=sh
# Production goes first. `nice` weighs a process only against others of its group, and a service is often a group of its own: the
# kernel makes one of each session, and systemd one of each unit where anything limits a unit's processor. A process with a nice
# value of 19 then still takes half of a busy processor. So the agent's groups are made light while it stages.

# gently COMMAND…: at the least weight that this service's groups can have, and after it at that which they had.
gently() {
  local result session weight shares
  session=$(weight_of session) weight=$(weight_of v2) shares=$(weight_of v1)
  weigh session "${session:+19}"
  weigh v2 "${weight:+1}"
  weigh v1 "${shares:+2}"
  "$@"
  result=$?
  weigh session "$session"
  weigh v2 "$weight"
  weigh v1 "$shares"
  return "$result"
}

# group_file session|v2|v1: where the weight is that this service has for itself: of its session, or of its unit by either cgroup.
group_file() {
  if [ "$1" = session ]; then
    echo "$WB_PROC/self/autogroup"
  else
    awk -F: -v version="$1" -v groups="$WB_SYS/fs/cgroup" '
      $3 !~ /\/warmboot-agent\.service$/ { next }
      version == "v2" && $1 == 0 { print groups $3 "/cpu.weight" }
      version == "v1" && ("," $2 ",") ~ /,cpu,/ { print groups "/cpu" $3 "/cpu.shares" }' "$WB_PROC/self/cgroup" 2> /dev/null
  fi
}

# weight_of GROUP: nothing where there is none. A session's is the last word of `/autogroup-7 nice 0`.
weight_of() {
  awk '{ print $NF }' "$(group_file "$1")" 2> /dev/null
}

# weigh GROUP WEIGHT: nothing without a weight. A kernel that would rather not is no reason to stop.
weigh() {
  if [ -n "$2" ]; then { echo "$2" > "$(group_file "$1")"; } 2> /dev/null || note "the $1 group does not take the weight $2"; fi
}
