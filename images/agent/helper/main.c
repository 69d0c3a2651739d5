/*
 * warmboot-helper: what the installer and the agent cannot do in shell. Every failure is one sentence on stderr and
 * an exit code of failure.h.
 */
#include "commands.h"
#include "fetcher.h"
#include "sha256.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "usage: warmboot-helper flash INDEX FRAMES DEVICE PROGRESS STREAMS [--fresh] [--rate BYTES] [--from INDEX DEVICE]… "
    "-- FETCHER… | check INDEX DEVICE [PROGRESS] | "
    "watchdog arm NAME MOST LEAST | watchdog guard SECONDS CONFIRMED [unfed] | "
    "verify KEY SIGNATURE BODY | grubenv FILE list|get KEY|set K=V…|init K=V… | digest FILE | field JSON PATH | "
    "dictionary FILE | decode DICTIONARY CODED FILE | "
    "apply-files ROOT INSTANCE < TAR | immutable FOLDER | grow FOLDER DEVICE | sync FILE";

bool print_digest(const char *path, struct failure *why) {
  uint8_t digest[SHA256_BYTES];
  char hex[SHA256_HEX];
  if (!sha256_file(path, digest, LOCAL, why)) return false;
  sha256_hex(digest, hex);
  puts(hex);
  return true;
}

/* A whole number from least to most; *good becomes false for anything else. */
static uint64_t number(const char *text, uint64_t least, uint64_t most, bool *good) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  *good = *good && errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && value >= least && value <= most;
  return value;
}

static bool flash(int count, char **words, struct failure *why) {
  struct flash_wish wish = {.index = words[0], .frames = words[1], .device = words[2], .progress = words[3]};
  bool good = true;
  int i = 5;
  wish.streams = (unsigned)number(words[4], 1, STREAMS_MAX, &good);
  for (; good && i < count && strcmp(words[i], "--") != 0; i++) {
    if (strcmp(words[i], "--fresh") == 0) {
      wish.is_fresh = true;
    } else if (strcmp(words[i], "--rate") == 0 && i + 1 < count) {
      wish.rate = number(words[++i], 1, UINT64_MAX >> 16, &good);
    } else if (strcmp(words[i], "--from") == 0 && i + 2 < count && wish.source_count < SOURCES_MAX) {
      wish.sources[wish.source_count].index = words[++i];
      wish.sources[wish.source_count++].device = words[++i];
    } else {
      good = false;
    }
  }
  if (!good || i + 1 >= count) return fail(why, MALFORMED, "%s", USAGE);
  wish.fetcher = words + i + 1;
  return flash_image(&wish, why);
}

static bool run(int count, char **words, struct failure *why) {
  const char *command = count > 0 ? words[0] : "";
  if (strcmp(command, "flash") == 0 && count >= 8) return flash(count - 1, words + 1, why);
  if (strcmp(command, "check") == 0 && (count == 3 || count == 4)) return check_image(words[1], words[2], words[3], why);
  if (strcmp(command, "verify") == 0 && count == 4) return verify_signature(words[1], words[2], words[3], why);
  if (strcmp(command, "grubenv") == 0 && count >= 3) return grubenv(words[1], words + 2, why);
  if (strcmp(command, "watchdog") == 0) return watchdog(words + 1, why);
  if (strcmp(command, "digest") == 0 && count == 2) return print_digest(words[1], why);
  if (strcmp(command, "dictionary") == 0 && count == 2) return print_dictionary(words[1], why);
  if (strcmp(command, "decode") == 0 && count == 4) return decode_text(words[1], words[2], words[3], why);
  if (strcmp(command, "field") == 0 && count == 3) return print_field(words[1], words[2], why);
  if (strcmp(command, "sync") == 0 && count == 2) return sync_path(words[1], why);
  if (strcmp(command, "apply-files") == 0 && count == 3) return apply_files(words[1], words[2], why);
  if (strcmp(command, "immutable") == 0 && count == 2) return make_immutable(words[1], why);
  if (strcmp(command, "grow") == 0 && count == 3) return grow_filesystem(words[1], words[2], why);
  return fail(why, MALFORMED, "%s", USAGE);
}

int main(int count, char **words) {
  struct failure why = {0};
  /* The host's openssl.cnf may be of another version, or ask for modules that a static program cannot load. */
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
  signal(SIGPIPE, SIG_IGN);
  run(count - 1, words + 1, &why);
  if (fflush(stdout) != 0) fail(&why, LOCAL, "stdout cannot be written");
  if (why.code != DONE) fprintf(stderr, "warmboot-helper: %s\n", why.text);
  return (int)why.code;
}
