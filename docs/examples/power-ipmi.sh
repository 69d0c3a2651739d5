#!/bin/sh
# A power hook for BMCs that speak IPMI 2.0, with ipmitool: `warmboot serve --power-hook …/power-ipmi.sh`. See docs/hardware.md.
#
# The BMC is the host's label `bmc`, an address or a name, as an operator wrote it. What a machine says of its own BMC
# (WARMBOOT_BMC_SAID) is not used: one that lies would have another machine's power cut.
# The password is in a file that only root reads (mode 0600), the user in the variable below.
set -eu

USER_NAME=${WARMBOOT_IPMI_USER:-warmboot}
PASSWORD_FILE=${WARMBOOT_IPMI_PASSWORD:-/etc/warmboot/ipmi.password}

bmc=${WARMBOOT_LABEL_BMC:-}
if [ "$1" != cycle ] || [ -z "$bmc" ]; then
  echo "host ${2:-} has no label bmc, so nobody knows whose power to cycle" >&2
  exit 2
fi
case $bmc in -* | *[!A-Za-z0-9.:_-]*) echo "the label bmc of host $2 is no address" >&2; exit 2 ;; esac

power() {
  ipmitool -I lanplus -H "$bmc" -U "$USER_NAME" -f "$PASSWORD_FILE" -N 5 -R 3 chassis power "$1"
}

# IPMI does not cycle a machine that is off.
case $(power status) in
  *' is off') power on ;;
  *) power cycle ;;
esac
