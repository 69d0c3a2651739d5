# shellcheck shell=sh
# Which disk the order means, and what is on it. Rules: smallest | first-empty | serial=… | wwn=… | path=/dev/…

# candidates: disks a system can be installed on, by name. Never what can be pulled out, nor what is made of others.
candidates() {
  local path name
  for path in "$WB_SYS"/class/block/*; do
    name=${path##*/}
    case $name in loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd* | mtd* | zd* | mmcblk*boot* | mmcblk*rpmb | '*') continue ;; esac
    if [ -e "$path/partition" ] || [ ! -e "$path/device" ]; then continue; fi
    if [ "$(cat "$path/removable" 2> /dev/null)" = 1 ] || [ "$(cat "$path/ro" 2> /dev/null)" = 1 ]; then continue; fi
    case $(readlink -f "$path") in */usb[0-9]*) continue ;; esac
    if [ "$(cat "$path/hidden" 2> /dev/null)" = 1 ] || [ "$(cat "$path/size")" = 0 ]; then continue; fi
    echo "$name"
  done
}

disk_bytes() {
  # sysfs counts in 512 bytes whatever the disk's sectors are.
  echo $(($(cat "$WB_SYS/class/block/$1/size") * 512))
}

disk_sector() {
  cat "$WB_SYS/class/block/$1/queue/logical_block_size"
}

disk_serial() {
  local path
  path=$WB_SYS/class/block/$1
  # virtio and NVMe have it as text; SCSI and SATA in page 0x80, behind four bytes of header.
  { cat "$path/serial" 2> /dev/null || cat "$path/device/serial" 2> /dev/null || tail -c +5 "$path/device/vpd_pg80" 2> /dev/null; } \
    | tr -cd '!-~'
}

# disk_wwn: without the prefixes that differ from place to place (naa., eui., 0x).
disk_wwn() {
  local path
  path=$WB_SYS/class/block/$1
  { cat "$path/wwid" 2> /dev/null || cat "$path/device/wwid" 2> /dev/null; } | bare_wwn
}

bare_wwn() {
  tr '[:upper:]' '[:lower:]' | sed 's/^naa\.//; s/^eui\.//; s/^0x//' | tr -cd '!-~'
}

# choose_disk RULE: CHOSEN is the disk's name; 1 with REASON when none fits.
choose_disk() {
  local name best size value
  CHOSEN='' REASON='' value=${1#*=} best=''
  for name in $(candidates); do
    case $1 in
      smallest)
        size=$(disk_bytes "$name")
        if [ -z "$best" ] || [ "$size" -lt "$best" ]; then best=$size CHOSEN=$name; fi ;;
      first-empty) if [ -z "$CHOSEN" ] && [ "$(disk_content "$name")" = empty ]; then CHOSEN=$name; fi ;;
      serial=*) if [ "$(disk_serial "$name")" = "$(echo "$value" | tr -cd '!-~')" ]; then CHOSEN=$name; fi ;;
      wwn=*) if [ "$(disk_wwn "$name")" = "$(echo "$value" | bare_wwn)" ]; then CHOSEN=$name; fi ;;
      path=*) if [ "$(device "$name")" = "$value" ]; then CHOSEN=$name; fi ;;
      *) REASON="this installer does not know the disk rule '$1'"; return 1 ;;
    esac
  done
  if [ -n "$CHOSEN" ]; then return 0; fi
  REASON="no disk fits the rule '$1'; there are: $(candidates | tr '\n' ' ')"
  return 1
}

# disk_content NAME: empty | warmboot | foreign | unreadable. Empty means that the whole first MiB came, that it is zeros, and that
# nothing can be recognised: data without any signature is data too, and a disk that does not answer is not an empty one.
disk_content() {
  local node first signatures
  node=$(device "$1") first=$WB_RUN/first-mib
  if is_warmboot_disk "$1"; then echo warmboot; return; fi
  head -c 1048576 "$node" > "$first" 2> /dev/null
  if [ "$(wc -c < "$first")" -ne 1048576 ] || ! signatures=$(wipefs -n "$node" 2> /dev/null); then echo unreadable
  elif [ -z "$signatures" ] && [ "$(tr -d '\0' < "$first" | wc -c)" -eq 0 ]; then echo empty
  else echo foreign
  fi
  rm -f "$first"
}
