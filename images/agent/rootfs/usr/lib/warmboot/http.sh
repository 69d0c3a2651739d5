# shellcheck shell=sh
# curl, with the options that CentOS 7's curl 7.29 already has.

# use_token TOKEN: from now on every request carries it. In a file, because a command line can be read by everybody.
use_token() {
  (umask 077; printf 'header = "Authorization: Bearer %s"\n' "$1" > "$WB_RUN/curl.conf")
}

forget_token() {
  : > "$WB_RUN/curl.conf"
}

# request SECONDS OUT curl-arguments…: HTTP_STATUS is the answer's status and 0 returned, or 1 when no answer came.
# The answer's headers lie in $WB_RUN/headers.
request() {
  local limit out
  limit=$1 out=$2
  shift 2
  [ -e "$WB_RUN/curl.conf" ] || forget_token
  HTTP_STATUS=$(curl -q -g -sS -K "$WB_RUN/curl.conf" --connect-timeout 5 --max-time "$limit" \
    -o "$out" -D "$WB_RUN/headers" -w '%{http_code}' "$@" 2> "$WB_RUN/curl.err") && return 0
  HTTP_STATUS=000
  return 1
}

# answer_header NAME (in lower case): that header of the last answer.
answer_header() {
  tr -d '\r' < "$WB_RUN/headers" | awk -v name="$1:" 'tolower($1) == name { sub(/^[^:]*:[ \t]*/, ""); print; exit }'
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
