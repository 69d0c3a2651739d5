# shellcheck shell=sh
# Addresses by DHCP. The port that the firmware booted from is named on the command line (warmboot.mac=); if it gets
# no address, or none is named, every port with a cable is tried.

start_network() {
  local wanted port
  wanted=$(cmdline_value warmboot.mac | tr 'A-Z-' 'a-z:') || wanted=''
  ip link set lo up
  port=$(port_of "$wanted")
  if [ -n "$port" ]; then
    lease "$port"
    # The others show only then whether they have a cable.
    for port in $(ports); do ip link set "$port" up; done
    wait_for_address 20 && return
    say "no address on $port yet, trying the other ports too"
  fi
  for port in $(ports); do lease "$port"; done
  wait_for_address 15 || say "no address yet: the cable, or the DHCP server?"
}

# ports: network cards, not loopback or other things without hardware behind them.
ports() {
  local path
  for path in "$WB_SYS"/class/net/*/device; do
    if [ -e "$path" ]; then
      path=${path%/device}
      echo "${path##*/}"
    fi
  done
}

port_of() {
  local port
  for port in $(ports); do
    if [ -n "$1" ] && [ "$(cat "$WB_SYS/class/net/$port/address")" = "$1" ]; then echo "$port"; fi
  done
}

# lease PORT: a client that goes on asking for as long as the installer runs; once a port.
lease() {
  if [ -e "$WB_RUN/dhcp-$1.pid" ]; then return; fi
  ip link set "$1" up
  udhcpc -f -i "$1" -t 3 -T 2 -A 3 -p "$WB_RUN/dhcp-$1.pid" -s "$WB_LIB/on-lease" > /dev/null 2>&1 &
  true > "$WB_RUN/dhcp-$1.pid"
}

wait_for_address() {
  local tries
  tries=$(($1 * 5))
  while [ "$tries" -gt 0 ]; do
    if [ -e "$WB_RUN/port" ]; then return 0; fi
    sleep 0.2
    tries=$((tries - 1))
  done
  return 1
}

# host_address: the MAC that the server knows this machine by: the one it was booted with, else of the port with the lease.
host_address() {
  local mac
  mac=$(cmdline_value warmboot.mac) || mac=''
  if [ -z "$mac" ] && [ -e "$WB_RUN/port" ]; then mac=$(cat "$WB_SYS/class/net/$(cat "$WB_RUN/port")/address"); fi
  echo "$mac" | tr 'A-Z-' 'a-z:'
}
