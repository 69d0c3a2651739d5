/*
 * warmboot-helper: what the installer and the agent cannot do in shell. Every failure is one sentence on stderr and
 * an exit code of failure.h.
 */
#include "commands.h"
#include "sha256.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "usage: warmboot-helper write INDEX FRAMES DEVICE PROGRESS < DATA | check INDEX DEVICE [PROGRESS] | "
    "verify KEY SIGNATURE BODY | grubenv FILE list|get KEY|set K=V…|init K=V… | digest FILE | field JSON PATH | "
    "apply-files ROOT INSTANCE < TAR | immutable FOLDER | grow FOLDER DEVICE | sync FILE";

bool print_digest(const char *path, struct failure *why) {
  uint8_t digest[SHA256_BYTES];
  char hex[SHA256_HEX];
  if (!sha256_file(path, digest, LOCAL, why)) return false;
  sha256_hex(digest, hex);
  puts(hex);
  return true;
}

static bool run(int count, char **words, struct failure *why) {
  const char *command = count > 0 ? words[0] : "";
  if (strcmp(command, "write") == 0 && count == 5) return write_image(words[1], words[2], words[3], words[4], why);
  if (strcmp(command, "check") == 0 && (count == 3 || count == 4)) return check_image(words[1], words[2], words[3], why);
  if (strcmp(command, "verify") == 0 && count == 4) return verify_signature(words[1], words[2], words[3], why);
  if (strcmp(command, "grubenv") == 0 && count >= 3) return grubenv(words[1], words + 2, why);
  if (strcmp(command, "digest") == 0 && count == 2) return print_digest(words[1], why);
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
