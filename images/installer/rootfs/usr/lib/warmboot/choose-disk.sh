# shellcheck shell=sh
# Which disk the order means, and what is on it. A rule is smallest | first-empty | serial=… | wwn=… | path=/dev/…, and behind
# it, with commas, limits: min=200GB, max=2TB (also MB, MiB, GiB, TiB).

# all_disks: whatever a system could be installed on, by name.
all_disks() {
  local name
  for name in $(readable_disks); do
    if ! is_write_protected "$name"; then echo "$name"; fi
  done
}

is_write_protected() {
  [ "$(cat "$WB_SYS/class/block/$1/ro" 2> /dev/null)" = 1 ]
}

# readable_disks: these, and those that cannot be written. Never what is made of other disks.
readable_disks() {
  local path name
  for path in "$WB_SYS"/class/block/*; do
    name=${path##*/}
    case $name in loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd* | mtd* | zd* | mmcblk*boot* | mmcblk*rpmb | '*') continue ;; esac
    if [ -e "$path/partition" ] || [ ! -e "$path/device" ]; then continue; fi
    if [ "$(cat "$path/hidden" 2> /dev/null)" = 1 ]; then continue; fi
    if [ "$(cat "$path/size")" = 0 ]; then continue; fi
    echo "$name"
  done
}

# candidates: those of them that nobody has to name. What can be pulled out is somebody's stick until the order names it.
candidates() {
  local name
  for name in $(all_disks); do
    if ! is_loose "$name"; then echo "$name"; fi
  done
}

# is_loose NAME: behind USB, or a medium that can be changed. Of an SD card the kernel does not say that.
is_loose() {
  if [ "$(cat "$WB_SYS/class/block/$1/removable" 2> /dev/null)" = 1 ]; then return 0; fi
  if [ "$(cat "$WB_SYS/class/block/$1/device/type" 2> /dev/null)" = SD ]; then return 0; fi
  case $(readlink -f "$WB_SYS/class/block/$1") in */usb[0-9]*) return 0 ;; esac
  return 1
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

# choose_disk RULE: CHOSEN is the disk's name; 1 with REASON when none fits. Of two that are as good, this host's own.
choose_disk() {
  local choice name best size
  CHOSEN='' REASON='' best='' choice=${1%%,*}
  read_rule "$1" || return 1
  for name in $(disks_of "$choice"); do
    size=$(disk_bytes "$name")
    if ! within_limits "$size"; then continue; fi
    case $choice in
      smallest) if [ -z "$best" ] || [ "$size" -lt "$best" ]; then best=$size CHOSEN=$name; fi ;;
      first-empty) if [ -z "$CHOSEN" ] && [ "$(disk_content "$name")" = empty ]; then CHOSEN=$name; fi ;;
      *)
        if ! is_named "$choice" "$name"; then continue; fi
        # Two ways to one disk have one WWN.
        if [ -n "$CHOSEN" ] && { [ -z "$(disk_wwn "$name")" ] || [ "$(disk_wwn "$name")" != "$(disk_wwn "$CHOSEN")" ]; }; then
          CHOSEN=''
          REASON="more than one disk fits the rule '$1'; there are: $(disks_text)"
          return 1
        fi
        if [ -z "$CHOSEN" ]; then CHOSEN=$name; fi ;;
    esac
  done
  prefer_own "$choice"
  if [ -n "$CHOSEN" ]; then return 0; fi
  REASON="no disk fits the rule '$1'; there are: $(disks_text)"
  return 1
}

# read_rule RULE: LEAST and MOST are its limits in bytes, empty where it has none; 1 with REASON when this program does not know
# what the rule says. A server may be newer than the installer that it has.
read_rule() {
  local word rest
  LEAST='' MOST='' word=${1%%,*} rest=${1#"$word"}
  case $word in
    smallest | first-empty | serial=?* | wwn=?* | path=/?*) ;;
    *) rest=,$1 ;;
  esac
  while [ -n "$rest" ]; do
    rest=${rest#,} word=${rest%%,*} rest=${rest#"${rest%%,*}"}
    case $word in
      min=*) LEAST=$(size_bytes "${word#*=}") && [ "$word" != "${1%%,*}" ] && continue ;;
      max=*) MOST=$(size_bytes "${word#*=}") && [ "$word" != "${1%%,*}" ] && continue ;;
    esac
    REASON="this installer does not know '$word' in the disk rule '$1'; build it anew (warmboot build installer) if the server is newer"
    return 1
  done
}

# size_bytes TEXT: 200GB in bytes.
size_bytes() {
  local unit
  case ${1#"${1%%[!0-9]*}"} in
    MB) unit=1000000 ;; GB) unit=1000000000 ;; TB) unit=1000000000000 ;;
    MiB) unit=1048576 ;; GiB) unit=1073741824 ;; TiB) unit=1099511627776 ;;
    *) return 1 ;;
  esac
  case ${1%%[!0-9]*} in '' | 0* | ???????*) return 1 ;; esac
  echo $((${1%%[!0-9]*} * unit))
}

within_limits() {
  { [ -z "$LEAST" ] || [ "$1" -ge "$LEAST" ]; } && { [ -z "$MOST" ] || [ "$1" -le "$MOST" ]; }
}

# disks_of CHOICE: which disks are looked at.
disks_of() {
  case $1 in smallest | first-empty) candidates ;; *) all_disks ;; esac
}

is_named() {
  case $1 in
    serial=*) [ "$(disk_serial "$2")" = "$(echo "${1#*=}" | tr -cd '!-~')" ] ;;
    wwn=*) [ "$(disk_wwn "$2")" = "$(echo "${1#*=}" | bare_wwn)" ] ;;
    path=*) [ "$(device "$2")" = "${1#*=}" ] ;;
  esac
}

# prefer_own CHOICE: a host that is installed stays on its disk as long as that is within the limits. Else a reinstall would move to
# a twin because the kernel found it first, or to the next empty disk because its own is not empty any more.
prefer_own() {
  case $1 in smallest | first-empty) ;; *) return ;; esac
  if [ -z "${OWN_DISK:-}" ] || [ "$OWN_HOST" != "$M_HOST" ] || is_write_protected "$OWN_DISK"; then return; fi
  if ! is_loose "$OWN_DISK" && within_limits "$(disk_bytes "$OWN_DISK")"; then CHOSEN=$OWN_DISK; fi
}

# disks_text: for who wonders why none was taken. A report's reason has an end, so does this.
disks_text() {
  local name count
  count=0
  for name in $(all_disks); do
    count=$((count + 1))
    if [ "$count" -gt 1 ]; then printf '; '; fi
    if [ "$count" -gt 8 ]; then printf 'and more, %s in all' "$(all_disks | wc -l)"; break; fi
    disk_text "$name"
  done
  if [ "$count" = 0 ]; then printf 'none that this kernel has a driver for'; fi
}

# disk_text NAME: sda (480 GB, MODEL, serial S1, foreign).
disk_text() {
  local model serial loose
  model=$(head -n 1 "$WB_SYS/class/block/$1/device/model" 2> /dev/null | tr -cd ' -~' | sed 's/  */ /g; s/^ //; s/ $//')
  serial=$(disk_serial "$1")
  loose=''
  if is_loose "$1"; then loose=', can be pulled out: only by name'; fi
  printf '%s (%s%.40s%.60s, %s%s)' "$1" "$(disk_size_text "$1")" "${model:+, $model}" "${serial:+, serial $serial}" "$(content_text "$1")" "$loose"
}

# content_text NAME: as disk_content, and of foreign data what can be recognised of it.
content_text() {
  local content types
  content=$(disk_content "$1")
  if [ "$content" = foreign ]; then
    types=$(wipefs -n -O TYPE --noheadings "$(device "$1")" 2> /dev/null | tr -d ' ' | sort -u | tr '\n' ' ')
    content="foreign${types:+: ${types% }}"
    set -- "$WB_SYS/class/block/$1"/*/partition
    if [ -e "$1" ]; then content="$content, $# partitions"; fi
  fi
  printf '%.80s' "$content"
}

# disk_size_text NAME: as disks are sold.
disk_size_text() {
  disk_bytes "$1" | awk '{ if ($1 >= 1e12) printf "%.1f TB", $1 / 1e12; else if ($1 >= 1e9) printf "%.0f GB", $1 / 1e9; else printf "%.0f MB", $1 / 1e6 }'
}

# may_be_ours DISK: by its partitions as the kernel has read them, without asking it again: named so, or without names as on msdos.
may_be_ours() {
  local path
  for path in "$WB_SYS/class/block/$1"/*/partition; do
    [ -e "$path" ] || continue
    path=${path%/partition}
    read_gpt_name "${path##*/}"
    case $GPT_NAME in '' | warmboot-state) return 0 ;; esac
  done
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

# read_owner DISK: OWNER is the host that its state partition names, or nothing; 1 when that cannot be read.
read_owner() {
  OWNER=''
  read_state "$1" 2> /dev/null || return 1
  OWNER=$(cat "$STATE/host" 2> /dev/null)
  unmount_disk
  return 0
}
