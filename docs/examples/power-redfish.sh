#!/bin/sh
# A power hook for BMCs that speak Redfish (DSP0266): `warmboot serve --power-hook …/power-redfish.sh`. See docs/hardware.md.
#
# The BMC is the host's label `bmc`, as an operator wrote it: https://10.0.9.17, or an address alone. What a machine says of its own
# BMC (WARMBOOT_BMC_SAID) is not used: one that lies would have another machine's power cut.
# User and password are in a file that only root reads (mode 0600), in curl's form: user = "warmboot:PASSWORD". A line
# `cacert = "…"` names the authority of the BMCs' certificates; `insecure` there does without.
set -eu

CURL_CONF=${WARMBOOT_REDFISH_CONF:-/etc/warmboot/redfish.curl}

bmc=${WARMBOOT_LABEL_BMC:-}
if [ "$1" != cycle ] || [ -z "$bmc" ]; then
  echo "host ${2:-} has no label bmc, so nobody knows whose power to cycle" >&2
  exit 2
fi
case $bmc in http://* | https://*) ;; *) bmc=https://$bmc ;; esac
if [ ! -r "$CURL_CONF" ]; then echo "$CURL_CONF cannot be read" >&2; exit 2; fi

# ask PATH [curl-arguments…]
ask() {
  path=$1
  shift
  curl -q -sS --fail --connect-timeout 10 --max-time 40 -K "$CURL_CONF" -H 'Accept: application/json' "$@" "$bmc$path"
}

# value NAME: that member's text, from JSON on stdin.
value() {
  tr -d '\n' | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"
}

# The machine: a BMC of one has one system.
systems=$(ask /redfish/v1/Systems)
system=$(printf '%s' "$systems" | sed 's/.*"Members"//' | value '@odata.id')
case $system in /redfish/v1/Systems/*) ;; *) echo "$bmc names no system" >&2; exit 1 ;; esac
if [ "$(printf '%s' "$systems" | tr -d '\n' | sed 's/.*"Members"//' | grep -o '"@odata.id"[^,}]*/Systems/' | wc -l)" -ne 1 ]; then
  echo "$bmc has more than one system: name the one in this script" >&2
  exit 1
fi

state=$(ask "$system" | value PowerState)
# PowerCycle is off and on again; not every BMC has it, and none for a machine that is off.
if [ "$state" = Off ]; then types=On; else types='PowerCycle ForceRestart'; fi
for type in $types; do
  if ask "$system/Actions/ComputerSystem.Reset" -H 'Content-Type: application/json' -d "{\"ResetType\":\"$type\"}" > /dev/null; then
    echo "$bmc was $state: $type"
    exit 0
  fi
done
echo "$bmc refuses to reset $system" >&2
exit 1
