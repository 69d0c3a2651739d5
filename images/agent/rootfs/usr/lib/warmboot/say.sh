# shellcheck shell=sh
# Words for people, time, and chance.

# say TEXT…: one line for the person at the console, for the lab that reads the serial port, and for the log.
say() {
  printf 'warmboot: %s\n' "$*" >> "$WB_RUN/log"
  to_console "warmboot: $*"
  if [ -n "${WB_STDOUT:-}" ]; then printf '%s\n' "$*"; fi
}

# to_console LINE: a serial port that was told to stop (Ctrl-S, or its control lines) makes a writer wait for ever. The line is lost then,
# and nothing else.
to_console() {
  # shellcheck disable=SC2016 # the inner shell's own words
  timeout 2 sh -c 'printf "%s\n" "$1" > "$2"' sh "$1" "$WB_CONSOLE" 2> /dev/null || :
}

# note TEXT…: for the log alone, which goes to the server's reports.
note() {
  printf '%s\n' "$*" >> "$WB_RUN/log"
}

# log_tail FILE: the end of the log, no more than a report may carry (8 KiB, and room for what encoding adds).
log_tail() {
  tail -c 8000 "$WB_RUN/log" > "$1"
}

# trim_log: it lies in memory, and an agent runs for months.
trim_log() {
  if [ "$(wc -c < "$WB_RUN/log")" -gt 1000000 ]; then
    tail -c 100000 "$WB_RUN/log" > "$WB_RUN/log.new" && mv -f "$WB_RUN/log.new" "$WB_RUN/log"
  fi
}

# Seconds since this kernel started: unlike the wall clock it is never set back or forth.
uptime_seconds() {
  read_uptime
  echo "$UPTIME"
}

# read_uptime: the same into UPTIME. What a host at rest does again and again starts no process, not even for `$(…)`.
read_uptime() {
  read -r UPTIME _ < "$WB_PROC/uptime"
  UPTIME=${UPTIME%%.*}
}

# jitter N: a random whole number from 0 to N, so that five hundred hosts do not ask in the same second.
jitter() {
  echo $(($(od -An -N2 -tu2 /dev/urandom) % ($1 + 1)))
}

# chance N: the same into CHANCE, of a sequence that begins somewhere else on each host.
chance() {
  if [ -z "${CHANCES:-}" ]; then CHANCES=$(od -An -N3 -tu4 /dev/urandom) || CHANCES=$$; fi
  CHANCES=$(((CHANCES * 1103515245 + 12345) % 2147483648))
  CHANCE=$((CHANCES / 65536 % ($1 + 1)))
}

# longer DELAY CAP: the next delay after one that did not help.
longer() {
  if [ $(($1 * 2)) -gt "$2" ]; then echo "$2"; else echo $(($1 * 2)); fi
}

# put FILE: stdin becomes FILE, whole or not at all, and on the disk before the new name is.
put() {
  # What did not fit must not keep the room of what would.
  { dd of="$1.new" conv=fsync && mv -f "$1.new" "$1"; } 2> /dev/null || { rm -f "$1.new"; return 1; }
}

# cmdline_value NAME: the value of NAME=… on the kernel's command line; 1 when it is not there.
cmdline_value() {
  local word words
  read -r words < "$WB_PROC/cmdline" || return 1
  for word in $words; do
    case $word in "$1"=*) echo "${word#*=}"; return 0 ;; esac
  done
  return 1
}

boot_id() {
  cat "$WB_PROC/sys/kernel/random/boot_id"
}
