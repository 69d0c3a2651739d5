# shellcheck shell=sh
# Whether an install may have the disk that its rule means: what is on it must be nobody else's.

# install_allowed: chooses the disk (CHOSEN) and refuses what would destroy other people's data; 2 when all of this is to be thought over:
# this host's own disk came in the meantime, or the server has to be asked once more.
install_allowed() {
  local tries
  tries=0
  while :; do
    find_disk
    case $? in
      0) break ;;
      2) unanswered; return ;;
    esac
    # The disks had time to show up; one that is missed gets some more.
    if [ "$tries" -ge 15 ] || ! read_rule "$M_INSTALL_DISK"; then return 1; fi
    sleep 1
    plug_in
    tries=$((tries + 1))
  done
  if own_disk_came; then return 2; fi
  if [ "$M_INSTALL_WIPE" = true ] || is_own "$CHOSEN"; then return 0; fi
  case $(disk_content "$CHOSEN") in
    empty) ;;
    unreadable)
      REASON="disk $(disk_text "$CHOSEN") cannot be read, so nobody knows what it holds; the order would have to say wipe, or name another: $(disks_text)"
      return 1 ;;
    *)
      is_half_made
      case $? in
        0) return 0 ;;
        2) unanswered; return ;;
      esac
      REASON="disk $(disk_text "$CHOSEN") is not empty and not this host's; the order would have to say wipe, or name another: $(disks_text)"
      return 1 ;;
  esac
}

# find_disk: CHOSEN by the order's rule, 1 with REASON when none fits. Of disks that are as good for it, the one that this very install has
# begun to write: it is not empty any more, and the next one would be begun for nothing. Where no empty one is left, also one that an earlier
# install has begun, if the rule is for empty ones. 2: that only the server knows, which does not answer.
find_disk() {
  local chosen result name size
  choose_disk "$M_INSTALL_DISK"
  result=$? chosen=$CHOSEN
  case $result/$M_INSTALL_WIPE/${M_INSTALL_DISK%%,*} in
    0/*/smallest | 0/*/first-empty) if is_own "$CHOSEN"; then return 0; fi ;;
    1/*/first-empty) read_rule "$M_INSTALL_DISK" || return 1 ;;
    *) return "$result" ;;
  esac
  for name in $(candidates); do
    size=$(disk_bytes "$name")
    if ! within_limits "$size"; then continue; fi
    case $M_INSTALL_DISK in smallest*) if [ "$size" != "$(disk_bytes "$chosen")" ]; then continue; fi ;; esac
    CHOSEN=$name
    if [ "$result" = 0 ]; then is_begun; else is_half_made; fi
    case $? in 0) return 0 ;; 2) return 2 ;; esac
  done
  CHOSEN=$chosen
  return "$result"
}

# is_own DISK: its state partition names the host that the order is for. This machine may be two hosts to the server, one for each card; and
# a host may have had two disks.
is_own() {
  if [ "$1" = "$OWN_DISK" ]; then [ "$OWN_HOST" = "$M_HOST" ]
  else is_warmboot_disk "$1" && read_owner "$1" && [ "$OWNER" = "$M_HOST" ]
  fi
}

# is_begun: CHOSEN has the table of this very install. 2: only the server knows how that is called, and does not answer.
is_begun() {
  local table
  table=$(table_on "$CHOSEN")
  if [ -z "$table" ]; then return 1; fi
  if [ ! -s "$WB_RUN/layout" ]; then
    if ! fetch_layout; then
      rm -f "$WB_RUN/layout"
      case $HTTP_STATUS in 000 | 429 | 5*) return 2 ;; esac
      ASKED_SINCE=''
      return 1
    fi
    ASKED_SINCE=''
  fi
  is_named_now "$table"
}

# is_half_made: CHOSEN has that table, or one of an earlier install of this host that came to nothing. 2: as for is_begun.
is_half_made() {
  is_begun
  case $? in 0) return 0 ;; 2) return 2 ;; esac
  is_named_before "$(table_on "$CHOSEN")" && is_untouched "$CHOSEN"
}

# is_named_now, is_named_before IDENTITY: what the layout that came last says of the table of that name.
is_named_now() {
  [ -n "$1" ] && table_identity < "$WB_RUN/layout" | grep -qixF "$1"
}

is_named_before() {
  [ -n "$1" ] && sed -n 's/^# earlier: //p' "$WB_RUN/layout" 2> /dev/null | grep -qixF "$1"
}

# is_untouched DISK: since that earlier install nobody took it for something else: the kernel sees our partitions, there is no signature but
# the table's, and no slot holds a system, which would have come after the state partition that says whose it is.
is_untouched() {
  local slot
  partition_on "$1" warmboot-boot > /dev/null && partition_on "$1" warmboot-state > /dev/null && has_only_a_table "$1" || return 1
  for slot in $(slots_on "$1"); do
    if [ -n "$(probe "$(partition_on "$1" "warmboot-$slot")" TYPE)" ]; then return 1; fi
  done
}

has_only_a_table() {
  local others
  others=$(wipefs -n -t nogpt,noPMBR,nodos "$(device "$1")" 2> /dev/null) && [ -z "$others" ]
}

# table_on DISK: the identity of its table; nothing where it has none. A GPT that the power went away from before it was whole has it too:
# its backup comes first. Below what somebody made of the whole disk since, that backup may be left too, and says nothing.
table_on() {
  local table
  table=$(sfdisk -d "$(device "$1")" 2> /dev/null | table_identity)
  if [ -n "$table" ]; then echo "$table"; elif has_only_a_table "$1"; then backup_gpt_identity "$1"; fi
}

# backup_gpt_identity DISK: the header in the last sector (UEFI specification 5.3.2) has the disk's GUID at byte 56.
backup_gpt_identity() {
  local sector header
  sector=$(disk_sector "$1") header=$WB_RUN/gpt-header
  dd if="$(device "$1")" of="$header" bs="$sector" skip=$(($(disk_bytes "$1") / sector - 1)) count=1 2> /dev/null
  if [ "$(head -c 8 "$header" 2> /dev/null)" = 'EFI PART' ]; then guid_at 56 "$header"; fi
  rm -f "$header"
}

# unanswered: 2 after a moment in which the server may hear that this machine is still there; 1 with REASON when that has lasted too long.
unanswered() {
  ASKED_SINCE=${ASKED_SINCE:-$(uptime_seconds)}
  REASON="whether disk $(disk_text "$CHOSEN") holds an earlier try of this install only the server knows, which does not answer"
  if [ $(($(uptime_seconds) - ASKED_SINCE)) -gt "$PATIENCE_SECONDS" ]; then return 1; fi
  say "$REASON: it is asked again"
  report progress phase=partition || :
  sleep 5
  return 2
}
