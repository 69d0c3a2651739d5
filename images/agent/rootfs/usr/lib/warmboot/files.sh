# shellcheck shell=sh
# The host's own files, which the manifest names by the sha256 of their archive. Each slot keeps the set that it was given at its
# install, or at the last switch to it: the way back leads to the old files too. `early` puts them into the system.
#   $STATE/files/SHA256.tar   a set      $STATE/files/slot-SLOT   its sha256, for that slot

# How long the server may fail to give them, in seconds.
FILES_SECONDS=${FILES_SECONDS:-60}

# files_fetch: the set of the manifest is on the state partition. 1: not, and REASON says why. Asked of the server alone, for only
# the server knows whose token this is.
files_fetch() {
  REASON=''
  if [ -z "${M_FILES_SHA256:-}" ] || files_are "$STATE/files/$M_FILES_SHA256.tar"; then return 0; fi
  files_get || return 1
  if ! { mkdir -p "$STATE/files" && put "$STATE/files/$M_FILES_SHA256.tar" < "$FILES"; }; then
    REASON='the state partition cannot be written'
  fi
  rm -f "$FILES"
  [ -z "$REASON" ]
}

# files_get: the same into memory, in the file FILES.
files_get() {
  local until delay got
  FILES=$WB_RUN/files.tar
  REASON='' HTTP_STATUS='' delay=1 until=$(($(uptime_seconds) + FILES_SECONDS))
  if files_are "$FILES"; then return 0; fi
  got=$FILES.new
  while :; do
    if request 30 "$got" --max-filesize 1048576 "$(resolve "$M_FILES_URL")" && [ "$HTTP_STATUS" = 200 ]; then
      if files_are "$got"; then
        mv -f "$got" "$FILES"
        return
      fi
      REASON='they are not those that the manifest names'
    else
      REASON="the server answers $HTTP_STATUS"
    fi
    rm -f "$got"
    case $HTTP_STATUS in 401 | 403 | 404 | 410) return 1 ;; esac
    if told_to_wait "$WB_RUN/headers"; then delay=$TURN; fi
    if [ $(($(uptime_seconds) + delay)) -ge "$until" ]; then return 1; fi
    sleep "$delay"
    delay=$(longer "$delay" 10)
  done
}

files_are() {
  [ -s "$1" ] && [ "$("$HELPER" digest "$1" 2> /dev/null | sed 's/^sha256://; s/ .*//')" = "$M_FILES_SHA256" ]
}

# files_for SLOT: from its next boot on that slot has the manifest's set; sets that no slot has any more go.
files_for() {
  local set
  if [ -n "${M_FILES_SHA256:-}" ]; then echo "$M_FILES_SHA256" | put "$STATE/files/slot-$1" || return 1
  else rm -f "$STATE/files/slot-$1"
  fi
  for set in "$STATE"/files/*.tar; do
    set=${set##*/}
    cat "$STATE"/files/slot-[a-h] 2> /dev/null | grep -qx "${set%.tar}" || rm -f "$STATE/files/$set"
  done
}
