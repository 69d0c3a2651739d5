/*
 * GRUB's environment block: "# GRUB Environment Block\n", then KEY=VALUE lines and lines that begin with '#', filled
 * up with '#' to 1024 bytes; in values '\' stands before '\' and newline (GRUB: grub-core/lib/envblk.c).
 *
 * Here all variables lie within the first 512 bytes, and a change is one write of these onto the same sector: it
 * happens or does not. (grub-editenv cuts the file to nothing first, and a power cut then loses all.) GRUB knows the
 * file's place on the disk, so it is never replaced by another file either.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 1024, USED_BYTES = 512, MAX_VARIABLES = 256 };

static const char HEADER[] = "# GRUB Environment Block\n";
enum { HEADER_BYTES = sizeof HEADER - 1 };

struct variable {
  const char *key, *value;
};

struct environment {
  struct variable variables[MAX_VARIABLES];
  size_t count;
  char block[FILE_BYTES + 1]; /* as read */
  char text[FILE_BYTES + 1];  /* keys and values decoded from it, each ended by NUL */
};

static bool key_is_good(const char *key, size_t length) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return length > 0 && strspn(key, letters) >= length && (key[0] < '0' || key[0] > '9');
}

static struct variable *find(struct environment *environment, const char *key) {
  for (size_t i = 0; i < environment->count; i++)
    if (strcmp(environment->variables[i].key, key) == 0) return &environment->variables[i];
  return NULL;
}

/* False only when there is no room. */
static bool put(struct environment *environment, const char *key, const char *value) {
  struct variable *variable = find(environment, key);
  if (variable == NULL) {
    if (environment->count == MAX_VARIABLES) return false;
    variable = &environment->variables[environment->count++];
    variable->key = key;
  }
  variable->value = value;
  return true;
}

static void drop(struct environment *environment, const char *key) {
  struct variable *variable = find(environment, key);
  if (variable == NULL) return;
  struct variable *end = environment->variables + environment->count--;
  memmove(variable, variable + 1, (size_t)((char *)end - (char *)(variable + 1)));
}

/* Decodes environment->block; NULL, or what is wrong with it. */
static const char *parse(struct environment *environment) {
  const char *at = environment->block, *end = at + FILE_BYTES;
  char *text = environment->text;
  if (memcmp(at, HEADER, HEADER_BYTES) != 0) return "its first line is not GRUB's";
  for (at += HEADER_BYTES; at < end;) {
    if (*at == '#') { /* a remark, or the filling */
      while (at < end && *at != '\n') at++;
      at++;
      continue;
    }
    const char *key = text;
    while (at < end && *at != '=' && *at != '\n') *text++ = *at++;
    if (at >= end || *at != '=' || !key_is_good(key, (size_t)(text - key))) return "a line is no KEY=VALUE";
    *text++ = '\0';
    at++;
    const char *value = text;
    while (at < end && *at != '\n') {
      if (*at == '\\' && at + 1 < end) at++;
      if ((unsigned char)*at < 0x20 || *at == 0x7f) return "a value has control characters";
      *text++ = *at++;
    }
    if (at >= end) return "its last line does not end";
    at++;
    *text++ = '\0';
    if (!put(environment, key, value)) return "it has too many variables";
  }
  return NULL;
}

static bool damaged(const char *path, const char *what, struct failure *why) {
  return fail(why, DAMAGED, "%s is damaged (%s) and was not changed: make it anew with `grubenv FILE init`", path,
              what);
}

static bool read_block(int fd, const char *path, struct environment *environment, struct failure *why) {
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return damaged(path, "it is no file", why);
  if (status.st_size != FILE_BYTES) return damaged(path, "its size is not 1024 bytes", why);
  if (pread(fd, environment->block, FILE_BYTES, 0) != FILE_BYTES) return damaged(path, strerror(errno), why);
  const char *what = parse(environment);
  return what == NULL || damaged(path, what, why);
}

/* Lays the variables out in USED_BYTES bytes. */
static bool compose(const struct environment *environment, char *block, struct failure *why) {
  memset(block, '#', USED_BYTES);
  memcpy(block, HEADER, HEADER_BYTES);
  size_t at = HEADER_BYTES;
  for (size_t i = 0; i < environment->count; i++) {
    char line[2 * FILE_BYTES];
    size_t length = strlen(environment->variables[i].key);
    memcpy(line, environment->variables[i].key, length);
    line[length++] = '=';
    for (const char *from = environment->variables[i].value; *from != '\0'; from++) {
      if (*from == '\\') line[length++] = '\\';
      line[length++] = *from;
    }
    line[length++] = '\n';
    if (length > USED_BYTES - at)
      return fail(why, MALFORMED,
                  "the variables need more than 512 bytes, which cannot be written in one go: nothing was changed; "
                  "remove some");
    memcpy(block + at, line, length);
    at += length;
  }
  return true;
}

/* Applies K=V words; the words are cut at '='. */
static bool assign(struct environment *environment, char **words, struct failure *why) {
  for (; *words != NULL; words++) {
    char *equals = strchr(*words, '=');
    if (equals == NULL || !key_is_good(*words, (size_t)(equals - *words)))
      return fail(why, MALFORMED, "'%.100s' is no KEY=VALUE: nothing was changed", *words);
    for (const char *at = equals + 1; *at != '\0'; at++)
      if (*at < 0x20 || *at == 0x7f)
        return fail(why, MALFORMED, "the value of '%.100s' is not plain ASCII: nothing was changed", *words);
    if (strlen(*words) > USED_BYTES)
      return fail(why, MALFORMED, "'%.100s…' is longer than 512 bytes: nothing was changed", *words);
    *equals = '\0';
    if (equals[1] == '\0') drop(environment, *words);
    else if (!put(environment, *words, equals + 1))
      return fail(why, MALFORMED, "there are too many variables: nothing was changed");
  }
  return true;
}

static bool write_block(int fd, const char *path, const char *block, size_t bytes, struct failure *why) {
  ssize_t wrote = pwrite(fd, block, bytes, 0);
  if (wrote >= 0 && (size_t)wrote != bytes) errno = ENOSPC;
  if (wrote >= 0 && (size_t)wrote == bytes && fsync(fd) == 0) return true;
  return fail(why, DEVICE, "%s cannot be written (%s): look at the kernel's log and the disk", path, strerror(errno));
}

static bool set(int fd, const char *path, struct environment *environment, char **words, struct failure *why) {
  char block[USED_BYTES];
  if (!read_block(fd, path, environment, why)) return false;
  /* One write cannot mend what lies behind it. */
  for (size_t i = USED_BYTES; i < FILE_BYTES; i++)
    if (environment->block[i] != '#') return damaged(path, "something lies behind its first 512 bytes", why);
  if (!assign(environment, words, why) || !compose(environment, block, why)) return false;
  if (memcmp(block, environment->block, sizeof block) == 0) return true; /* spares the flash */
  return write_block(fd, path, block, sizeof block, why);
}

static bool init(int fd, const char *path, struct environment *environment, char **words, struct failure *why) {
  char block[FILE_BYTES];
  memset(block, '#', sizeof block);
  if (!assign(environment, words, why) || !compose(environment, block, why)) return false;
  if (!write_block(fd, path, block, sizeof block, why)) return false;
  struct stat status;
  if (fstat(fd, &status) != 0 || (status.st_size != FILE_BYTES && (ftruncate(fd, FILE_BYTES) != 0 || fsync(fd) != 0)))
    return fail(why, DEVICE, "%s cannot be cut to 1024 bytes (%s)", path, strerror(errno));

  char *copy = strdup(path); /* the name must survive a power cut too */
  int folder = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool good = folder >= 0 && fsync(folder) == 0;
  if (!good) fail(why, DEVICE, "the folder of %s cannot be synced (%s)", path, strerror(errno));
  if (folder >= 0) close(folder);
  free(copy);
  return good;
}

static bool show(int fd, const char *path, struct environment *environment, const char *key, struct failure *why) {
  if (!read_block(fd, path, environment, why)) return false;
  if (key == NULL)
    for (size_t i = 0; i < environment->count; i++)
      printf("%s=%s\n", environment->variables[i].key, environment->variables[i].value);
  else if (find(environment, key) != NULL) printf("%s\n", find(environment, key)->value);
  return true;
}

bool grubenv(const char *path, char **arguments, struct failure *why) {
  const char *command = arguments[0];
  char **words = arguments + 1;
  bool listing = strcmp(command, "list") == 0 && words[0] == NULL;
  bool getting = strcmp(command, "get") == 0 && words[0] != NULL && words[1] == NULL;
  bool setting = strcmp(command, "set") == 0 && words[0] != NULL;
  bool making = strcmp(command, "init") == 0;
  if (!listing && !getting && !setting && !making)
    return fail(why, MALFORMED, "grubenv FILE is followed by list, get KEY, set K=V… or init K=V…");

  struct environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL) return fail(why, LOCAL, "memory ended: the machine has too little of it");
  bool good;
  int flags = making ? O_RDWR | O_CREAT : setting ? O_RDWR : O_RDONLY;
  int fd = open(path, flags | O_CLOEXEC, 0644);
  if (fd < 0) {
    good = making ? fail(why, DEVICE, "%s cannot be made (%s)", path, strerror(errno))
                  : fail(why, DAMAGED, "%s is unreadable (%s) and was not changed", path, strerror(errno));
  } else {
    flock(fd, making || setting ? LOCK_EX : LOCK_SH); /* two writers must not undo each other's change */
    good = making    ? init(fd, path, environment, words, why)
           : setting ? set(fd, path, environment, words, why)
                     : show(fd, path, environment, words[0], why);
    close(fd);
  }
  free(environment);
  return good;
}
