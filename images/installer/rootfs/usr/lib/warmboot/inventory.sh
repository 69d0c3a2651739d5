# shellcheck shell=sh
# What this machine is, for the operator who decides what it shall run. Texts come from firmware and may hold anything:
# each becomes a JSON string here, and null where nothing is known.

# inventory_json: the body of POST /boot/hosts/MAC/inventory.
inventory_json() {
  local dmi name first
  dmi=$WB_SYS/class/dmi/id
  printf '{"architecture":'; json_text "$(uname -m)"
  printf ',"firmware":'; firmware_json
  printf ',"system":{'; maker_json "$dmi/sys_vendor" "$dmi/product_name" "$dmi/product_serial"
  printf ',"uuid":'; json_line "$dmi/product_uuid"
  printf '},"board":{'; maker_json "$dmi/board_vendor" "$dmi/board_name" "$dmi/board_serial"
  printf '},"cpu":{"model":'; json_text "$(sed -n 's/^model name[[:space:]]*: //p' "$WB_PROC/cpuinfo" | head -n 1)"
  printf ',"count":%s' "$(grep -c '^processor' "$WB_PROC/cpuinfo")"
  printf '},"memoryBytes":%s' "$(awk '/^MemTotal/ { printf "%.0f", $2 * 1024 }' "$WB_PROC/meminfo")"
  printf ',"disks":['
  first=''
  for name in $(candidates | head -n 128); do
    printf '%s' "$first"; first=,
    disk_json "$name"
  done
  printf '],"nics":['
  first=''
  for name in $(ports | head -n 64); do
    printf '%s' "$first"; first=,
    nic_json "$name"
  done
  printf '],"bmc":'; bmc_json
  printf ',"watchdog":%s}\n' "$(if [ -n "$(watchdogs)" ]; then echo true; else echo false; fi)"
}

# maker_json VENDOR PRODUCT SERIAL: by the files that hold them.
maker_json() {
  printf '"vendor":'; json_line "$1"
  printf ',"product":'; json_line "$2"
  printf ',"serial":'; json_line "$3"
}

disk_json() {
  local path
  path=$WB_SYS/class/block/$1
  printf '{"name":'; json_text "$1"
  printf ',"model":'; json_line "$path/device/model"
  printf ',"serial":'; json_text "$(disk_serial "$1")"
  printf ',"wwn":'; json_text "$(disk_wwn "$1")"
  printf ',"bytes":%s,"sectorBytes":%s' "$(disk_bytes "$1")" "$(disk_sector "$1")"
  printf ',"transport":'; json_text "$(disk_transport "$1")"
  printf ',"rotational":'; json_flag "$path/queue/rotational"
  printf ',"content":'; json_text "$(known_content "$1")"
  printf '}'
}

# disk_transport NAME: how the disk is attached, as far as its place in sysfs says it.
disk_transport() {
  case $(readlink -f "$WB_SYS/class/block/$1") in
    */nvme*) echo nvme ;;
    */usb[0-9]*) echo usb ;;
    */virtio[0-9]*/host[0-9]*) echo scsi ;;
    */virtio[0-9]*) echo virtio ;;
    */ata[0-9]*) echo sata ;;
    */end_device-*) echo sas ;;
    */mmc_host/*) echo mmc ;;
    */host[0-9]*) echo scsi ;;
  esac
}

# known_content NAME: looked at once a boot: it reads the disk, and nobody but us writes it. Nothing where it cannot be read.
known_content() {
  if [ ! -e "$WB_RUN/content-$1" ]; then disk_content "$1" | sed '/^unreadable$/d' > "$WB_RUN/content-$1"; fi
  cat "$WB_RUN/content-$1"
}

nic_json() {
  local path
  path=$WB_SYS/class/net/$1
  printf '{"name":'; json_text "$1"
  first_line "$path/address"
  printf ',"mac":"%s"' "$(printf %s "$FOUND" | tr -cd '0-9A-Fa-f:' | head -c 64)"
  printf ',"driver":'; json_text "$(link_name "$path/device/driver")"
  printf ',"bus":'; json_text "$(link_name "$path/device/subsystem")"
  printf ',"link":'; json_flag "$path/carrier"
  first_line "$path/speed"
  case $FOUND in
    '' | *[!0-9]*) printf ',"speedMbps":null}' ;;
    *) printf ',"speedMbps":%s}' "$FOUND" ;;
  esac
}

link_name() {
  local target
  if target=$(readlink -f "$1") && [ -e "$target" ]; then echo "${target##*/}"; fi
}

firmware_json() {
  local bits secure
  if [ ! -d "$WB_SYS/firmware/efi" ]; then printf '{"kind":"bios","bits":null,"secureBoot":null}'; return; fi
  first_line "$WB_SYS/firmware/efi/fw_platform_size"
  case $FOUND in 32 | 64) bits=$FOUND ;; *) bits=null ;; esac
  # Four bytes of attributes, then the value (UEFI 2.10, 3.3).
  secure=$(od -An -v -tu1 "$WB_SYS"/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c 2> /dev/null | awk '{ last = $NF } END { print last }')
  case $secure in 0) secure=false ;; 1) secure=true ;; *) secure=null ;; esac
  printf '{"kind":"uefi","bits":%s,"secureBoot":%s}' "$bits" "$secure"
}

# bmc_json: asked where it answers; else the board's own word that there is one (SMBIOS type 38, DSP0134 7.39).
bmc_json() {
  local address
  if [ -e "${WB_DEV:-/dev}/ipmi0" ] && command -v ipmitool > /dev/null; then
    address=$(timeout 5 ipmitool lan print 2> /dev/null | sed -n 's/^IP Address  *: *//p' | head -n 1)
    if [ "$address" = 0.0.0.0 ]; then address=''; fi
    printf '{"source":"ipmi","address":'; json_text "$address"; printf '}'
  elif smbios_types | grep -qx 38; then
    printf '{"source":"smbios","address":null}'
  else
    printf '{"source":"unknown","address":null}'
  fi
}

# smbios_types: the types of all structures: a header with type and length, then texts that end with two zero bytes.
smbios_types() {
  od -An -v -tu1 "$WB_SYS/firmware/dmi/tables/DMI" 2> /dev/null | awk '
    BEGIN { count = 0; at = 0 }
    { for (i = 1; i <= NF; i++) byte[count++] = $i + 0 }
    END {
      while (at + 4 <= count && byte[at + 1] >= 4) {
        print byte[at]
        at += byte[at + 1]
        while (at + 1 < count && byte[at] + byte[at + 1] > 0) at++
        at += 2
      }
    }'
}

# first_line FILE: FOUND is its first line; empty when it cannot be read. No process is started for it.
first_line() {
  FOUND=''
  { IFS= read -r FOUND < "$1"; } 2> /dev/null || :
}

json_line() {
  first_line "$1"
  json_text "$FOUND"
}

json_flag() {
  first_line "$1"
  case $FOUND in 0) printf false ;; 1) printf true ;; *) printf null ;; esac
}

# json_text TEXT: as a JSON string in ASCII; null when it is empty. What is no UTF-8 becomes U+FFFD.
json_text() {
  case $1 in
    '') printf null ;;
    *[!A-Za-z0-9\ ._:/,+@\(\)=-]*) printf %s "$1" | head -c 512 | json_bytes ;;
    *) printf '"%.512s"' "$1" ;;
  esac
}

json_bytes() {
  od -An -v -tu1 | awk '
    function lost() { printf "\\ufffd"; more = 0 }
    function put(code) {
      if (code == 34 || code == 92) printf "\\%c", code
      else if (code >= 32 && code < 127) printf "%c", code
      else if (code < 65536) printf "\\u%04x", code
      else printf "\\u%04x\\u%04x", 55296 + int((code - 65536) / 1024), 56320 + code % 1024
    }
    function take(byte) {
      if (more > 0 && byte >= 128 && byte < 192) {
        value = value * 64 + byte - 128
        if (--more > 0) return
        if (value < least || value > 1114111 || (value >= 55296 && value < 57344)) lost()
        else put(value)
        return
      }
      if (more > 0) lost()
      if (byte < 128) put(byte)
      else if (byte >= 194 && byte < 224) { more = 1; value = byte - 192; least = 128 }
      else if (byte >= 224 && byte < 240) { more = 2; value = byte - 224; least = 2048 }
      else if (byte >= 240 && byte < 245) { more = 3; value = byte - 240; least = 65536 }
      else lost()
    }
    BEGIN { printf "\"" }
    { for (i = 1; i <= NF; i++) take($i + 0) }
    END { if (more > 0) lost(); printf "\"" }'
}

# Sent anew so often, so that a machine which still waits is not forgotten.
INVENTORY_SECONDS=21600

# send_inventory: when it is news: at first, when something about the machine changed, when the server's word changed. STANDING
# is what the server takes this machine for; 1 when it does not have the inventory.
send_inventory() {
  local news now
  now=$(uptime_seconds)
  inventory_json > "$WB_RUN/inventory.json"
  news="$("$HELPER" digest "$WB_RUN/inventory.json") ${M_SERIAL:-}"
  if [ "$news" = "$INVENTORY_SENT" ] && [ $((now - INVENTORY_AT)) -lt "$INVENTORY_SECONDS" ]; then return 0; fi
  request 10 "$WB_RUN/answer" -H 'Content-Type: application/json' --data-binary "@$WB_RUN/inventory.json" \
    "$SERVER/boot/hosts/$HOST/inventory" || return 1
  if [ "$HTTP_STATUS" != 200 ]; then
    note "inventory answered with $HTTP_STATUS: $(answer_reason "$WB_RUN/answer")"
    return 1
  fi
  STANDING=$("$HELPER" field "$WB_RUN/answer" state 2> /dev/null) || STANDING=''
  INVENTORY_SENT=$news INVENTORY_AT=$now
}

# A server that has no room, or is asked by too many at once, is asked again.
INTRODUCE_SECONDS=60

# introduce: nobody knows this machine, so it says what it is, and asks again; 1 when it was not taken, or a moment ago.
introduce() {
  local now
  now=$(uptime_seconds)
  if [ -n "$INTRODUCED" ] && [ $((now - INTRODUCED)) -lt "$INTRODUCE_SECONDS" ]; then return 1; fi
  INTRODUCED=$now INVENTORY_SENT=''
  say 'the server does not know this machine: telling it what it is'
  send_inventory
}

# report_inventory: the first word of each boot; through the outbox, so that nothing overtakes it. A machine that nobody has
# approved has nothing to report yet.
report_inventory() {
  case $STANDING in discovered | ignored) return ;; esac
  if [ -n "$INVENTORY" ]; then return; fi
  INVENTORY=yes
  ATTEMPT=''
  report_keep inventory disk="$OWN_GUID"
}
