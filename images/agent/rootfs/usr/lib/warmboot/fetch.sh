# shellcheck shell=sh
# Files and parts of files from the server, or from a mirror. These functions run inside `watched` (work.sh); `fail` there ends
# the work.

# How long a server that takes reports may give not one byte, before the work is given up. One that is away is waited for as long as
# that lasts: nobody could be told, and it is no fault of the image.
PATIENCE_SECONDS=${PATIENCE_SECONDS:-3600}

# fetched PATH HEADERS MOST curl-arguments…: as `tracked`, from the server, or from the mirror that the manifest names until it fails
# in this work. A mirror need not be trusted, for everything is hashed, and no file gets more than MOST bytes; it does not get the
# host's token.
fetched() {
  local url headers most rate conf
  url=$(source_of "$1") headers=$2 most=$3
  shift 3
  rate=$(staging_rate) conf=$(conf_for "$url")
  rm -f "$headers"
  (
    files_end_at "$most"
    tracked curl -q -g -sS -K "$conf" --fail --connect-timeout 5 --speed-limit 1 --speed-time 30 \
      ${rate:+--limit-rate "$rate"} -D "$headers" "$@" "$url"
  )
}

# source_of PATH: where it is asked for now.
source_of() {
  local mirror
  mirror=$(mirror_of "$1")
  if [ -n "$mirror" ]; then echo "$mirror"; else resolve "$1"; fi
}

# mirror_of PATH: its address at the mirror; nothing when there is none to be asked. By TLS the server names files of the boot plane.
mirror_of() {
  set -- "${1#"${T_BOOT_URL:-}"}"
  case $1 in /*) if [ -n "${M_MIRROR:-}" ] && [ ! -e "$WB_RUN/work/mirror-failed" ]; then echo "${M_MIRROR%/}$1"; fi ;; esac
}

# mirror_failed PATH WHY: 0 when it was the mirror that failed; the rest then comes from the server.
mirror_failed() {
  [ -n "$(mirror_of "$1")" ] || return 1
  say "the mirror $M_MIRROR fails, the server is asked: $2"
  true > "$WB_RUN/work/mirror-failed"
}

# staging_rate: what curl may take, in bytes per second: the lower one of the manifest's and of /etc/warmboot/agent.conf's.
staging_rate() {
  lowest_rate "${RATE_LIMIT:-}" "${M_RATE:-}"
}

# lowest_rate RATE…: such as 500k or 20M, in bytes per second; nothing when none is given.
lowest_rate() {
  printf '%s\n' "$@" | awk '
    {
      rate = $1 + 0
      unit = index("kmg", tolower(substr($1, length($1))))
      if (unit > 0) rate *= 1024 ^ unit
      if (rate >= 1 && (least == 0 || rate < least)) least = rate
    }
    END { if (least > 0) printf "%d\n", least }'
}

# curl's word for that.
NOT_WRITTEN=23

# download URL FILE SHA256 MOST: FILE holds it, with that sha256 when one is given, and at most so many bytes.
download() {
  local since delay refused headers result why
  since=$(uptime_seconds) delay=1 refused=0 headers=$WB_RUN/work/headers
  while :; do
    still_wanted
    fetched "$1" "$headers" "$4" -o "$2"
    result=$?
    if [ "$result" = 0 ]; then
      turn_came
      if [ -z "$3" ] || has_sha256 "$2" "$3"; then return 0; fi
      if mirror_failed "$1" "$1 has not the sha256 that the manifest names"; then continue; fi
      refused=$((refused + 1))
      note "$1 came damaged"
      if [ "$refused" -gt 5 ]; then fail "$1 has not the sha256 that the manifest names"; fi
    elif told_to_wait "$headers"; then
      wait_turn
      since=$(uptime_seconds)
      continue
    else
      turn_came
      why=$(last_error)
      case $why in *' 401'* | *' 403'* | *' 404'* | *' 410'*) refused=$((refused + 1)) ;; esac
      if [ "$result" = "$NOT_WRITTEN" ]; then
        if [ -e "$2" ] && [ -n "$4" ] && [ "$(wc -c < "$2")" -ge "$4" ]; then
          result='' refused=$((refused + 1)) why="it is longer than $4 bytes"
        fi
        # Others here need the room.
        rm -f "$2"
      fi
      note "$1: $why"
      # A mirror may have sent more than there is room for.
      if mirror_failed "$1" "$why"; then continue; fi
      # A full or failing disk shows here too: curl says so, and it will not get better.
      if [ "$result" = "$NOT_WRITTEN" ]; then fail "writing ${2##*/}: $why"; fi
      if server_is_away; then since=$(uptime_seconds); fi
      if [ "$refused" -gt 5 ] || [ $(($(uptime_seconds) - since)) -gt "$PATIENCE_SECONDS" ]; then fail "$1: $why"; fi
    fi
    sleep $((delay + $(jitter 1)))
    delay=$(longer "$delay" 10)
  done
}

# download_beside KNOWN URL FILE SHA256 MOST: as download; what FILE has in common with the file KNOWN is not sent where the server can leave it
# out (RFC 9842). Whatever is wrong with that, FILE is downloaded as it is.
download_beside() {
  local known is_there
  known=$1 is_there=''
  shift
  still_wanted
  if [ -s "$known" ] && fetched_beside "$known" "$@"; then is_there=yes; fi
  rm -f "$WB_RUN/work/coded.json"
  if [ -n "$is_there" ]; then turn_came; else download "$@"; fi
}

fetched_beside() {
  local headers coded dictionary
  headers=$WB_RUN/work/headers coded=$WB_RUN/work/coded.json
  dictionary=$("$HELPER" dictionary "$1") || return 1
  fetched "$2" "$headers" "$5" -H 'Accept-Encoding: dcz' -H "Available-Dictionary: $dictionary" -o "$coded" || return 1
  case $(answer_header content-encoding "$headers" | tr '[:upper:]' '[:lower:]') in
    '' | identity) mv -f "$coded" "$3" || return 1 ;;
    dcz) tracked "$HELPER" decode "$1" "$coded" "$3" || { note "$2: $(last_error)"; return 1; } ;;
    *) note "$2 came in a coding that was not asked for"; return 1 ;;
  esac
  [ -z "$4" ] || has_sha256 "$3" "$4" || { note "$2 came damaged"; return 1; }
}

# server_is_away: it did not take the last report of this work.
server_is_away() {
  [ -e "$WB_RUN/work/away" ]
}

has_sha256() {
  [ "$("$HELPER" digest "$1" | sed 's/^sha256://; s/ .*//')" = "$2" ]
}

# --- parts of `data`, for the helper that flashes: see fetch-run ------------------------------------------------

# fetch_run PATH STREAM A-B[,C-D…]: prints those bytes, as many as come. Returns what the helper understands
# (helper/fetcher.h). Stream 0 decides what a failure means, and waits; any other leaves that to it.
fetch_run() {
  local url headers errors result
  still_wanted
  url=$(source_of "$1") headers=$WB_RUN/work/data-$2.headers errors=$WB_RUN/work/data-$2.err
  true > "$headers"
  # The data themselves go into a pipe.
  (files_end_at "$MOST_ANSWER_BYTES"; fetch_ranges "$url" "$headers" "$3" 2> "$errors")
  result=$?
  case $(answer_status "$headers") in
    206) remember_etag "$url" "$headers" "$2" ;;
    # What `data` is made of has changed: the helper has to begin with other frames.
    412) true > "$WB_RUN/work/changed"; return 1 ;;
    *) result=1 ;;
  esac
  if [ "$2" != 0 ]; then
    if told_to_wait "$headers"; then return 75; fi
  elif [ "$result" = 0 ]; then
    turn_came
  else
    fetch_failed "$1" "${3%%-*}" "$headers" "$errors"
  fi
  return 0
}

# fetch_failed PATH FIRST HEADERS ERRORS: what is to be done about it, and the pause before it is tried again. FIRST is where
# the helper still is: as long as that stays the same, nothing comes.
fetch_failed() {
  local state at since delay empty refused status why
  state=$WB_RUN/work/data.state status=$(answer_status "$3")
  if told_to_wait "$3"; then
    wait_turn
    rm -f "$state"
    return
  fi
  turn_came
  at='' refused=0
  if [ -s "$state" ]; then read -r at since delay empty refused < "$state"; fi
  if [ "$at" != "$2" ]; then since=$(uptime_seconds) delay=1 empty=0; fi
  if server_is_away; then since=$(uptime_seconds); fi
  empty=$((empty + 1)) why=$(tail -n 1 "$4")
  note "the data ended behind byte $2: $why"
  case $status in
    401 | 403 | 404 | 410 | 416) why="the server does not give the image's data: $(head -n 1 "$3" | tr -d '\r')" ;;
    200) why="the server does not give parts of the image's data" ;;
    *) status='' ;;
  esac
  # One that breaks off may be taken up; one that refuses, or from which nothing comes twice, is given up.
  if { [ -n "$status" ] || [ "$empty" -gt 1 ]; } && mirror_failed "$1" "$why"; then
    rm -f "$state"
    return
  fi
  if [ -n "$status" ]; then
    refused=$((refused + 1))
    if [ "$refused" -gt 5 ]; then fail "$why"; fi
  fi
  if [ $(($(uptime_seconds) - since)) -gt "$PATIENCE_SECONDS" ]; then fail "no data from the server for $PATIENCE_SECONDS s"; fi
  echo "$2 $since $(longer "$delay" 10) $empty $refused" > "$state"
  sleep $((delay + $(jitter 1)))
}

# fetch_ranges URL HEADERS A-B[,C-D…]: one request a range, so that every server and cache understands it; by one curl and so by
# one connection where curl can. An answer that is longer than its range is not taken: it would be the whole.
fetch_ranges() {
  local range settings
  settings=$(request_settings "$1" "$2")
  if [ -n "${CURL_HAS_NEXT:-}" ]; then
    for range in $(echo "$3" | tr ',' ' '); do
      range_settings "$1" "$range" "$settings"
      echo next
    done | sed '$d' | curl -q --fail-early -K -
  else
    for range in $(echo "$3" | tr ',' ' '); do
      range_settings "$1" "$range" "$settings" | curl -q -K - || return
    done
  fi
}

# request_settings URL HEADERS: what curl is told for each range, in the form of its configuration files: it forgets all of it before
# the next.
request_settings() {
  local etag rate
  rate=$(staging_rate) etag=$(etag_of "$1")
  cat "$(conf_for "$1")"
  printf '%s\n' globoff silent show-error fail 'connect-timeout = 5' 'speed-limit = 1' 'speed-time = 30'
  printf 'dump-header = "%s"\n' "$2"
  if [ -n "$rate" ]; then printf 'limit-rate = %s\n' "$rate"; fi
  if [ -n "$etag" ]; then printf 'header = "If-Match: \\"%s\\""\n' "$etag"; fi
}

range_settings() {
  printf '%s\nrange = %s\nmax-filesize = %s\nurl = "%s"\n' "$3" "$2" $((${2#*-} - ${2%-*} + 1)) "$1"
}

# curl_has_next: since 7.52 it takes settings for each of several URLs, and ends with the first that fails.
curl_has_next() {
  curl -q --version 2> /dev/null | awk '{ split($2, v, "."); found = v[1] > 7 || (v[1] == 7 && v[2] >= 52); exit } END { exit !found }'
}

answer_status() {
  awk '/^HTTP\// { status = $2 } END { print status }' "$1" 2> /dev/null
}

# remember_etag URL HEADERS STREAM: what the first part belongs to, so do all: the others are asked for under this condition.
remember_etag() {
  local etag
  if [ -n "$(etag_of "$1")" ]; then return; fi
  etag=$(answer_header etag "$2")
  case $etag in *[!A-Za-z0-9\"_.:+/=-]*) return ;; \"*\") ;; *) return ;; esac
  etag=${etag#?} etag=${etag%?}
  case $etag in '' | *\"*) return ;; esac
  echo "$1 $etag" > "$WB_RUN/work/data.etag.$3" && mv -f "$WB_RUN/work/data.etag.$3" "$WB_RUN/work/data.etag"
}

etag_of() {
  awk -v url="$1" '$1 == url { print $2 }' "$WB_RUN/work/data.etag" 2> /dev/null
}
