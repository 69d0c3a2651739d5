# shellcheck shell=sh
# What makes a host the same host on every slot and after every install. The state partition keeps it: `early` gives it to the
# system before PID 1 starts (give_…, from $AT), and the agent keeps there what a healthy system has made for itself (keep_…).
# WB_ROOT is set by tests to a root of their own.

WB_ROOT=${WB_ROOT:-}

# --- before PID 1 ----------------------------------------------------------------------------------------------

# give_machine_id: that of the state partition; else the system's own; else one that follows from the host's token, so that all slots
# get the same. On a composed disk, which has no token, systemd makes one and the agent keeps it.
give_machine_id() {
  local id
  id=$(machine_id_in "$AT/machine-id") || {
    if machine_id_in "$WB_ROOT/etc/machine-id" > /dev/null; then return 0; fi
    [ -s "$AT/token" ] || return 0
    id=$(printf 'warmboot machine-id %s' "$(cat "$AT/token")" | sha256sum | cut -c 1-32)
  }
  if [ "$(cat "$WB_ROOT/etc/machine-id" 2> /dev/null)" = "$id" ]; then return 0; fi
  echo "$id" | overwrite /etc/machine-id 644 || say 'the machine-id cannot be written'
}

# machine_id_in FILE: what it holds, if that is one.
machine_id_in() {
  local id
  id=$(head -c 64 "$1" 2> /dev/null) || return 1
  case $id in *[!0-9a-f]* | 00000000000000000000000000000000) return 1 ;; esac
  [ ${#id} -eq 32 ] && echo "$id"
}

# give_hostname: unless somebody named this very system since a name was given to it: the agent then keeps that.
give_hostname() {
  local name there given
  name=$(hostname_in "$AT/hostname") || return 0
  there=$(cat "$WB_ROOT/etc/hostname" 2> /dev/null)
  given=$(cat "$WB_ROOT/var/lib/warmboot/hostname" 2> /dev/null)
  if [ "$there" != "$name" ]; then
    if [ -n "$given" ] && [ "$there" != "$given" ] && hostname_in "$WB_ROOT/etc/hostname" > /dev/null; then return 0; fi
    echo "$name" | overwrite /etc/hostname 644 || { say 'the hostname cannot be written'; return 0; }
  fi
  note_hostname "$name" || say 'the hostname cannot be noted'
}

note_hostname() {
  if [ "$(cat "$WB_ROOT/var/lib/warmboot/hostname" 2> /dev/null)" = "$1" ]; then return 0; fi
  mkdir -p "$WB_ROOT/var/lib/warmboot" && echo "$1" > "$WB_ROOT/var/lib/warmboot/hostname"
}

# hostname_in FILE: what it holds, if that is a name of one host.
hostname_in() {
  local name
  name=$(head -c 256 "$1" 2> /dev/null) || return 1
  case $name in '' | localhost* | [.-]* | *[!A-Za-z0-9.-]*) return 1 ;; esac
  [ ${#name} -le 64 ] && echo "$name"
}

# give_host_keys: also to a system without sshd, which may get one.
give_host_keys() {
  local key name
  for key in "$AT"/ssh/ssh_host_*_key "$AT"/ssh/ssh_host_*_key.pub; do
    [ -s "$key" ] || continue
    name=/etc/ssh/${key##*/}
    set -- 600
    case $name in *.pub) set -- 644 ;; esac
    if [ "$(cat "$WB_ROOT$name" 2> /dev/null)" = "$(cat "$key")" ]; then continue; fi
    overwrite "$name" "$1" < "$key" || say "$name cannot be written"
  done
}

# give_cloud_settings: what cloud-init may not undo. The slots lie side by side, so no partition can be grown.
give_cloud_settings() {
  local text name
  [ -d "$WB_ROOT/etc/cloud" ] || return 0
  name=/etc/cloud/cloud.cfg.d/99-warmboot.cfg
  text='# By Warmboot, at each boot: the host keeps its identity, and its partitions are not the image'\''s.
ssh_deletekeys: false
growpart: { mode: "off" }
resize_rootfs: false'
  if hostname_in "$WB_ROOT/etc/hostname" > /dev/null; then
    text="$text
preserve_hostname: true"
  fi
  if grep -q '^var/lib/cloud/seed/nocloud/' "$WB_ROOT/var/lib/warmboot/applied" 2> /dev/null; then
    text="$text
datasource_list: [ NoCloud, None ]"
  fi
  if [ "$(cat "$WB_ROOT$name" 2> /dev/null)" = "$text" ]; then return 0; fi
  echo "$text" | overwrite "$name" 644 || say "$name cannot be written"
}

# overwrite PATH MODE: stdin into that file of the root. In place, so that its SELinux label stays; a new one is noted down to get one.
overwrite() {
  local folder
  folder=${1%/*}
  if [ ! -d "$WB_ROOT$folder" ]; then
    (umask 022 && mkdir -p "$WB_ROOT$folder") && echo "$folder" >> "$WB_RUN/labels" || return 1
  fi
  if [ ! -e "$WB_ROOT$1" ]; then echo "$1" >> "$WB_RUN/labels"; fi
  # Closed to others before what they must not read is in it.
  if [ -e "$WB_ROOT$1" ] && [ "$2" = 600 ]; then
    chmod 600 "$WB_ROOT$1" && chown 0:0 "$WB_ROOT$1" || return 1
  fi
  cat > "$WB_ROOT$1" && chmod "$2" "$WB_ROOT$1"
}

# --- in a system that proved itself ----------------------------------------------------------------------------

# keep_identity: what this system has and the state partition has not. Nothing that is kept is ever replaced, but by a name that
# somebody gave this host: a system that did not get its identity must not become the host's.
keep_identity() {
  local id key
  if ! machine_id_in "$STATE/machine-id" > /dev/null && id=$(machine_id_in "$WB_ROOT/etc/machine-id"); then
    echo "$id" | put "$STATE/machine-id"
  fi
  for key in "$WB_ROOT"/etc/ssh/ssh_host_*_key; do
    if [ ! -s "$STATE/ssh/${key##*/}" ] && is_host_key "$key"; then
      mkdir -p "$STATE/ssh"
      # The public half first: a key that is kept is kept whole.
      put "$STATE/ssh/${key##*/}.pub" < "$key.pub" && put "$STATE/ssh/${key##*/}" < "$key" && say "keeps ${key##*/} for all slots"
    fi
  done
  keep_hostname
}

is_host_key() {
  [ -s "$1.pub" ] && grep -q 'PRIVATE KEY-----$' "$1"
} 2> /dev/null

# keep_hostname: seen at every look of the agent, so nothing is started unless something changed. A name that comes with the
# host's files is kept there.
keep_hostname() {
  local there kept given
  there='' kept='' given=''
  { read -r there < "$WB_ROOT/etc/hostname"; } 2> /dev/null || :
  { read -r kept < "$STATE/hostname"; } 2> /dev/null || :
  if [ "$there" = "$kept" ] || [ "$there" = "${HOSTNAME_SEEN:-}" ]; then return 0; fi
  HOSTNAME_SEEN=$there
  hostname_in "$WB_ROOT/etc/hostname" > /dev/null || return 0
  { read -r given < "$WB_ROOT/var/lib/warmboot/hostname"; } 2> /dev/null || :
  if [ -n "$kept" ] && [ -z "$given" ]; then return 0; fi
  if grep -qx etc/hostname "$WB_ROOT/var/lib/warmboot/applied" 2> /dev/null; then return 0; fi
  echo "$there" | put "$STATE/hostname" && note_hostname "$there" && say "keeps the hostname $there for all slots"
}
