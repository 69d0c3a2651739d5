# shellcheck shell=sh
# curl, with the options that CentOS 7's curl 7.29 already has.

# use_token TOKEN: from now on every request to this host's server carries it. In a file, because a command line can be read by everybody.
use_token() {
  TOKEN=$1
  curl_conf
}

forget_token() {
  use_token ''
}

# curl_conf: what the server is asked with; anybody else is told none of it.
curl_conf() {
  (
    umask 077
    {
      if [ -n "${TOKEN:-}" ]; then printf 'header = "Authorization: Bearer %s"\n' "$TOKEN"; fi
      if [ -n "${HELD_KEYS:-}" ]; then printf 'header = "Warmboot-Key: %s"\n' "$HELD_KEYS"; fi
      # The authority that was pinned, and no other that this system may know.
      case ${SERVER:-} in https://*) printf 'cacert = "%s"\n' "$WB_RUN/ca.pem" ;; esac
    } > "$WB_RUN/curl.conf.new" && mv -f "$WB_RUN/curl.conf.new" "$WB_RUN/curl.conf"
  )
  true > "$WB_RUN/curl-others.conf"
}

# conf_for URL: the file of curl's settings for it.
conf_for() {
  choose_conf "$1"
  echo "$CONF"
}

# choose_conf URL: the same into CONF.
choose_conf() {
  local rest
  [ -e "$WB_RUN/curl.conf" ] || curl_conf
  rest=${SERVER#*://}
  case $1 in
    "${SERVER%%://*}://${rest%%/*}/"*) CONF=$WB_RUN/curl.conf ;;
    *) CONF=$WB_RUN/curl-others.conf ;;
  esac
}

# Whoever answers may be a stranger, or a cache gone mad: an answer that does not end must not fill a host's memory. Index and frames of an
# image of some 80 GB; and all else, which is small.
MOST_TEXT_BYTES=134217728
MOST_ANSWER_BYTES=2097152

# files_end_at BYTES: from here on no file that this shell writes grows beyond that (rounded up to 512): the write that would fails, as
# on a full disk (setrlimit(2), RLIMIT_FSIZE). It cannot be undone, so only in a subshell. No bound where none is known.
files_end_at() {
  if [ -z "$1" ]; then return; fi
  trap '' XFSZ
  # A lower limit that the agent was started with stays.
  ulimit -f $((($1 + 511) / 512)) 2> /dev/null || :
}

# request SECONDS OUT curl-arguments… URL: HTTP_STATUS is the answer's status and 0 returned, or 1 when no answer came.
# The answer's headers lie in $WB_RUN/headers. ASKED is set when somebody was there to be asked, whether he answered or not.
request() {
  local limit out url said result
  limit=$1 out=$2
  shift 2
  for url in "$@"; do :; done
  choose_conf "$url"
  said=$(
    files_end_at "$MOST_ANSWER_BYTES"
    exec curl -q -g -sS -K "$CONF" --connect-timeout 5 --max-time "$limit" \
      -o "$out" -D "$WB_RUN/headers" -w '%{http_code} %{time_pretransfer}' "$@" 2> "$WB_RUN/curl.err"
  )
  result=$? HTTP_STATUS=${said%% *} ASKED=''
  case ${said#* } in *[1-9]*) ASKED=yes ;; esac
  case $result in
    0) TLS_REFUSAL=''; return 0 ;;
    35 | 51 | 60 | 77 | 90)
      # Before anything was sent: who is there cannot show a certificate of the authority that this host holds.
      if [ "${TLS_REFUSAL:-}" != "${url%%/boot/*}" ]; then
        say "refused: ${url%%/boot/*} is not the server that this host belongs to: $(head -n 1 "$WB_RUN/curl.err")"
      fi
      TLS_REFUSAL=${url%%/boot/*} ;;
  esac
  HTTP_STATUS=000
  return 1
}

# answer_header NAME [HEADERS]: that header (its name in lower case) of the last answer; of several in one the first. Of the last request
# where no file of headers is named.
answer_header() {
  awk -v name="$1:" '
    { sub(/\r$/, "") }
    /^HTTP\// { value = "" }
    tolower($1) == name && value == "" { value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
    END { if (value != "") print value }' "${2:-$WB_RUN/headers}"
}

# answer_reason FILE: why the server refused, from a problem+json body, else its first characters.
answer_reason() {
  "$HELPER" field "$1" detail 2> /dev/null || head -c 300 "$1" 2> /dev/null | tr '\n' ' '
}

# resolve URL: absolute, as the manifest's URLs are meant: against the address the manifest came from.
resolve() {
  local rest
  case $1 in
    http://* | https://*) echo "$1" ;;
    /*) rest=${SERVER#*://}; echo "${SERVER%%://*}://${rest%%/*}$1" ;;
    *) echo "$SERVER/$1" ;;
  esac
}
