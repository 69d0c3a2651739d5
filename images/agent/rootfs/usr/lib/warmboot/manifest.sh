# shellcheck shell=sh
# The manifest: fetched, its signature checked, and only then read into M_VERSION, M_SERIAL, … It is never run as code.

MANIFEST_KEYS="VERSION SERIAL HOST MACS ATTEMPT ACTION REASON IMAGE_NAME IMAGE_DIGEST SLOT ROOT \
KERNEL_URL KERNEL_SHA256 KERNEL_BYTES INITRD_URL INITRD_SHA256 INITRD_BYTES APPEND TRIAL SWITCH RATE READ_BACK POLL MIRROR \
STAGE_INDEX STAGE_FRAMES STAGE_DATA INSTALL_LAYOUT INSTALL_DISK INSTALL_WIPE TRUST ANNOUNCE \
FILES_URL FILES_SHA256 FILES_BYTES"

# manifest_fetch WAIT: asks; WAIT > 0 lets the server hold its answer for so many seconds while nothing changes.
#   0 a manifest is in M_*   1 no answer   2 unchanged   3 not to be trusted   4 refused, see HTTP_STATUS
# Where the server has moved, has another authority, or signs with a new key, its news of that are asked for: the next look is by those.
manifest_fetch() {
  local result status asked
  manifest_ask "$1"
  result=$? status=$HTTP_STATUS asked=${ASKED:-}
  case $result in
    0) if [ "${M_TRUST:-0}" -gt "${T_EDITION:-0}" ]; then trust_news; fi ;;
    3) trust_news ;;
    *) trust_lost ;;
  esac
  HTTP_STATUS=$status ASKED=$asked
  return "$result"
}

manifest_ask() {
  local url body
  body=$WB_RUN/manifest.new
  url=$SERVER/boot/hosts/$HOST/manifest
  if [ "$1" -gt 0 ]; then url="$url?wait=$1"; fi
  set -- $(($1 + ${ANSWER_SECONDS:-20})) "$body" -H 'Accept: text/plain'
  if [ -n "${ETAG:-}" ]; then set -- "$@" -H "If-None-Match: $ETAG"; fi
  request "$@" "$url" || return 1
  case $HTTP_STATUS in
    200) ;;
    304) return 2 ;;
    *) return 4 ;;
  esac
  answer_header warmboot-signature > "$WB_RUN/manifest.sig"
  if ! is_signed "$WB_RUN/manifest.sig" "$body"; then
    manifest_refused "its signature is not that of the server this host belongs to"
    return 3
  fi
  manifest_parse "$body" || { manifest_refused "it cannot be read"; return 3; }
  manifest_acceptable || return 3
  ETAG=$(answer_header etag)
  serial_seen "$M_SERIAL"
}

# Said once for each reason, not at every poll.
manifest_refused() {
  M_ACTION=''
  ETAG=''
  if [ "${REFUSAL:-}" != "$1" ]; then say "manifest refused: $1"; fi
  REFUSAL=$1
}

manifest_parse() {
  values_parse M "$MANIFEST_KEYS" "$1"
}

# values_parse PREFIX KEYS FILE: its lines KEY='value' become PREFIX_KEY; others than KEYS are passed over.
values_parse() {
  local line key
  for key in $2; do eval "$1_$key="; done
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      '') continue ;;
      *=\'*\') ;;
      *) return 1 ;;
    esac
    key=${line%%=*}
    case " $2 " in *" $key "*) ;; *) continue ;; esac
    line=${line#*=\'}
    unquote "${line%?}" || return 1
    eval "$1_$key=\$UNQUOTED"
  done < "$3"
}

# unquote TEXT: UNQUOTED is TEXT with every '\'' made ' again; 1 when a quote stands alone.
unquote() {
  local rest
  rest=$1 UNQUOTED=''
  while :; do
    case $rest in
      *"'\\''"*)
        case ${rest%%"'\\''"*} in *\'*) return 1 ;; esac
        UNQUOTED=$UNQUOTED${rest%%"'\\''"*}\'
        rest=${rest#*"'\\''"} ;;
      *\'*) return 1 ;;
      *) UNQUOTED=$UNQUOTED$rest; return 0 ;;
    esac
  done
}

# A signed manifest may still be old, for another host, or from a server that speaks a newer language.
manifest_acceptable() {
  local seen
  seen=0
  if [ "$M_VERSION" != 1 ]; then manifest_refused "it has version '$M_VERSION', this program knows 1"; return 1; fi
  case $M_SERIAL in '' | *[!0-9]*) manifest_refused "its serial is no number"; return 1 ;; esac
  # A machine may be two hosts to its server: the serials of one say nothing of the other's.
  if [ "${SERIAL_OF:-$M_HOST}" = "$M_HOST" ]; then seen=$(serial_last); fi
  if [ "$M_SERIAL" -lt "$seen" ]; then
    manifest_refused "its serial is $M_SERIAL, but $seen was seen before"; return 1
  fi
  # A card may be gone, and a board another one: the host is its first MAC all the same.
  # shellcheck disable=SC2086 # one word a MAC
  if ! is_this_host "$M_HOST" $M_MACS; then manifest_refused "it is for host '$M_HOST'"; return 1; fi
  # These words end up in file names, in GRUB's configuration and on a command line.
  case $M_SLOT in '' | [a-h]) ;; *) manifest_refused "slot '$M_SLOT'"; return 1 ;; esac
  case $M_IMAGE_DIGEST in
    '') ;;
    sha256:*[!0-9a-f]*) manifest_refused "digest '$M_IMAGE_DIGEST'"; return 1 ;;
    sha256:*) ;;
    *) manifest_refused "digest '$M_IMAGE_DIGEST'"; return 1 ;;
  esac
  case $M_APPEND$M_TRIAL in
    *[!A-Za-z0-9\ _.,:=/@+%-]*) manifest_refused "its command line has unsafe characters"; return 1 ;;
  esac
  case $M_ATTEMPT$M_IMAGE_NAME in
    *[!A-Za-z0-9_.:/@+-]*) manifest_refused "its names have unsafe characters"; return 1 ;;
  esac
  case $M_ACTION in
    none | hold) ;;
    install | stage | switch)
      if [ -z "$M_ATTEMPT" ] || [ -z "$M_IMAGE_DIGEST" ] || [ -z "$M_SLOT" ] || [ -z "$M_APPEND" ]; then
        manifest_refused "it orders '$M_ACTION' without attempt, image, slot or command line"
        return 1
      fi ;;
    *) manifest_refused "its action is '$M_ACTION'"; return 1 ;;
  esac
  # The sha256 names files on the state partition, and a host without its own files may have no network: half a word is refused.
  case $M_FILES_SHA256 in
    '') M_FILES_URL='' M_FILES_BYTES='' ;;
    *[!0-9a-f]*) manifest_refused "files '$M_FILES_SHA256'"; return 1 ;;
    *)
      if [ ${#M_FILES_SHA256} -ne 64 ]; then manifest_refused "files '$M_FILES_SHA256'"; return 1; fi
      case $M_FILES_URL in
        /boot/hosts/*/files/"$M_FILES_SHA256") ;;
        *) manifest_refused "files at '$M_FILES_URL'"; return 1 ;;
      esac
      case $M_FILES_BYTES in '' | *[!0-9]*) manifest_refused "files of '$M_FILES_BYTES' bytes"; return 1 ;; esac
      if [ ${#M_FILES_BYTES} -gt 7 ]; then manifest_refused "files of '$M_FILES_BYTES' bytes"; return 1; fi ;;
  esac
  case $M_KERNEL_BYTES$M_INITRD_BYTES in *[!0-9]*) manifest_refused "sizes that are no numbers"; return 1 ;; esac
  case $M_RATE in *[!0-9]*) M_RATE='' ;; esac
  # A mirror is a convenience: one that cannot be is none.
  case $M_MIRROR in '' | http://* | https://*) ;; *) M_MIRROR='' ;; esac
  case $M_POLL in '' | *[!0-9]*) M_POLL=15 ;; esac
  case $M_TRUST in *[!0-9]*) M_TRUST='' ;; esac
  REFUSAL=''
}

# The highest serial ever accepted: in memory, and on the state partition once there is one.
serial_last() {
  local kept
  kept=$(cat "$STATE/serial" 2> /dev/null)
  case $kept in '' | *[!0-9]*) kept=0 ;; esac
  if [ "${SERIAL_SEEN:-0}" -gt "$kept" ]; then echo "$SERIAL_SEEN"; else echo "$kept"; fi
}

serial_seen() {
  if [ "${SERIAL_OF:-$M_HOST}" != "$M_HOST" ]; then SERIAL_SEEN=0; fi
  SERIAL_OF=$M_HOST
  if [ "$1" -le "$(serial_last)" ]; then return 0; fi
  SERIAL_SEEN=$1
  # What cannot be kept is remembered until the next boot, and the manifest is no worse for it.
  if [ -d "$STATE/lost+found" ] || [ -e "$STATE/host" ]; then echo "$1" | put "$STATE/serial" || :; fi
}

# is_this_host MAC…: one of them is the address asked for, of one of this machine's ports, or the name kept on the state partition.
is_this_host() {
  local file
  case " $* " in *" ${HOST:-none} "*) return 0 ;; esac
  for file in "$WB_SYS"/class/net/*/address "$STATE/host"; do
    if [ -s "$file" ]; then case " $* " in *" $(tr '[:upper:]' '[:lower:]' < "$file") "*) return 0 ;; esac; fi
  done
  return 1
}
