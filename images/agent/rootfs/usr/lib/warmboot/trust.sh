# shellcheck shell=sh
# What this host trusts of its server: the keys that sign manifests, and the address and authority for TLS. All of it is one
# signed document, `trust`, beside server.pem: with the agent on the state partition, with the installer in memory. A newer
# one is taken only under a key that the host holds already.

TRUST_KEYS="TRUST EDITION URL BOOT_URL CA KEY KEY_NEXT"
# A server that cannot be understood is asked for news of itself no more often than this.
TRUST_SECONDS=30

# trust_settle: what follows from the document, at each start, for the power may have gone right after it was stored. Without
# one, SERVER and SERVER_PEM stay as they are.
trust_settle() {
  T_TRUST='' T_EDITION=0 T_URL='' T_BOOT_URL='' T_CA='' T_KEY='' T_KEY_NEXT=''
  rm -f "$WB_RUN/next.pem"
  if values_parse T "$TRUST_KEYS" "${SERVER_PEM%/*}/trust" 2> /dev/null && trust_acceptable T; then
    pem 'PUBLIC KEY' "$T_KEY" > "$WB_RUN/key.pem"
    # An older agent in another slot knows only this file.
    cmp -s "$WB_RUN/key.pem" "$SERVER_PEM" || put "$SERVER_PEM" < "$WB_RUN/key.pem"
    if [ -n "$T_KEY_NEXT" ]; then pem 'PUBLIC KEY' "$T_KEY_NEXT" > "$WB_RUN/next.pem"; fi
    if [ -n "$T_CA" ]; then pem CERTIFICATE "$T_CA" > "$WB_RUN/ca.pem"; fi
    SERVER=$T_URL
  else
    T_EDITION=0
  fi
  HELD_KEYS=$(key_id "$SERVER_PEM")
  if [ -n "$T_KEY_NEXT" ]; then HELD_KEYS=$HELD_KEYS,$(key_id "$WB_RUN/next.pem"); fi
  curl_conf
}

# trust_acceptable PREFIX: whether these values can be trusted in: a key, an edition, an address, and its authority.
trust_acceptable() {
  local version edition url boot ca keys
  eval "version=\$$1_TRUST edition=\$$1_EDITION url=\$$1_URL boot=\$$1_BOOT_URL ca=\$$1_CA keys=\$$1_KEY/\$$1_KEY_NEXT"
  [ "$version" = 1 ] || return 1
  case $edition in '' | *[!0-9]*) return 1 ;; esac
  case $url in http://?* | https://?*) ;; *) return 1 ;; esac
  case $boot in http://?* | https://?*) ;; *) return 1 ;; esac
  case $url$boot in *[!]A-Za-z0-9_.:/%~@[-]*) return 1 ;; esac
  case $url in https://*) [ -n "$ca" ] || return 1 ;; esac
  case $keys in /*) return 1 ;; esac
  case $ca$keys in *[!A-Za-z0-9+/=]*) return 1 ;; esac
}

# trust_news: asks for the document of now; 0 when it is newer and signed under a key that is held, and so in force. First where
# the host asks for everything, then at the boot plane: what is there is public, and its signature says whose it is.
trust_news() {
  local body from now
  now=$(uptime_seconds)
  if [ -n "${TRUST_ASKED:-}" ] && [ $((now - TRUST_ASKED)) -lt "$TRUST_SECONDS" ]; then return 1; fi
  TRUST_ASKED=$now
  body=$WB_RUN/trust.new
  for from in "$SERVER" "${T_BOOT_URL:-}"; do
    if [ -z "$from" ] || ! request 10 "$body" "$from/boot/trust?keys=${HELD_KEYS:-}" || [ "$HTTP_STATUS" != 200 ]; then continue; fi
    answer_header warmboot-signature > "$WB_RUN/trust.sig"
    if ! is_signed "$WB_RUN/trust.sig" "$body"; then
      trust_refused "no key that this host holds has signed it"
    elif ! { values_parse N "$TRUST_KEYS" "$body" && trust_acceptable N; }; then
      trust_refused "it cannot be read"
    elif [ "$N_EDITION" -lt "${T_EDITION:-0}" ]; then
      trust_refused "it is of edition $N_EDITION, and this host has $T_EDITION"
    elif [ "$N_EDITION" -gt "${T_EDITION:-0}" ] && trust_take "$body"; then
      return 0
    fi
  done
  return 1
}

# trust_lost: what to do when the server did not answer by TLS, or says that it answers by nothing else (426). It may have another
# authority or address than this host knows.
trust_lost() {
  case $HTTP_STATUS/$SERVER in
    426/* | 000/https://*) trust_news ;;
  esac
}

# trust_take FILE: in force from its rename on.
trust_take() {
  put "${SERVER_PEM%/*}/trust" < "$1" || { say "what the server says of itself cannot be stored"; return 1; }
  trust_settle
  TRUST_REFUSAL='' ETAG=''
  say "trusts edition $T_EDITION of its server: $SERVER, key $HELD_KEYS"
}

# Said once for each reason.
trust_refused() {
  if [ "${TRUST_REFUSAL:-}" != "$1" ]; then say "what the server says of itself is refused: $1"; fi
  TRUST_REFUSAL=$1
}

# is_signed SIGNATURE BODY: by a key that this host holds.
is_signed() {
  "$HELPER" verify "$SERVER_PEM" "$1" "$2" 2> "$WB_RUN/verify.err" && return 0
  [ -s "$WB_RUN/next.pem" ] && "$HELPER" verify "$WB_RUN/next.pem" "$1" "$2" 2> "$WB_RUN/verify.err"
}

# key_id FILE: by which the server names that key: the beginning of the sha256 of its PEM.
key_id() {
  if [ -s "$1" ]; then "$HELPER" digest "$1" | sed 's/^sha256://' | cut -c 1-16; fi
}

# pem KIND BASE64
pem() {
  printf -- '-----BEGIN %s-----\n' "$1"
  printf '%s\n' "$2" | fold -w 64
  printf -- '-----END %s-----\n' "$1"
}
