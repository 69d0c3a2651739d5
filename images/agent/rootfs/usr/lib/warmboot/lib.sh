# shellcheck shell=sh
# What the installer and the agent have in common. Sourced; runs in dash, bash and busybox sh, with the userland
# of CentOS 7 and later. WB_SYS, WB_PROC and WB_RUN are set by tests to directories of their own.
# Every function answers by its exit status; text answers go to stdout; M_* holds the manifest that is in force.

LC_ALL=C
export LC_ALL
WB_LIB=${WB_LIB:-/usr/lib/warmboot}
WB_RUN=${WB_RUN:-/run/warmboot}
WB_SYS=${WB_SYS:-/sys}
WB_PROC=${WB_PROC:-/proc}
WB_ETC=${WB_ETC:-/etc/warmboot}
WB_CONSOLE=${WB_CONSOLE:-/dev/console}
HELPER=${HELPER:-$WB_LIB/warmboot-helper}
BOOT=${BOOT:-$WB_RUN/boot}
STATE=${STATE:-$WB_RUN/state}
OUTBOX=${OUTBOX:-$WB_RUN/outbox}

. "$WB_LIB/say.sh"
. "$WB_LIB/http.sh"
. "$WB_LIB/trust.sh"
. "$WB_LIB/manifest.sh"
. "$WB_LIB/report.sh"
. "$WB_LIB/disk.sh"
. "$WB_LIB/slots.sh"
. "$WB_LIB/turns.sh"
. "$WB_LIB/fetch.sh"
. "$WB_LIB/flash.sh"
. "$WB_LIB/work.sh"
. "$WB_LIB/jump.sh"
. "$WB_LIB/watchdog.sh"
. "$WB_LIB/files.sh"
. "$WB_LIB/identity.sh"
