/*
 * A host's own files, put into the root of its system before PID 1 starts (usr/lib/warmboot/early). They come as one ustar
 * archive. What is in it is believed to be the operator's, and may still not leave the root, nor touch what the boot or the
 * host's identity rests on: the whole archive is judged before the first byte of it is written.
 *
 * A file that is there as one regular file with one name is overwritten in place, so that its SELinux label stays; any other
 * is made beside and renamed. Every folder on the way is opened without following links. var/lib/warmboot/applied names what was
 * put here: what an earlier set had and this one has not is removed.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  BLOCK = 512,
  MOST_FILES = 64,
  MOST_BYTES = 256 * 1024,
  /* Headers, filling, the end of the archive, filled up to tar's records of 10 KiB. */
  MOST_ARCHIVE = MOST_BYTES + (MOST_FILES * 2 + 2) * BLOCK + 20 * BLOCK,
  MOST_PATH = 300,
  MOST_PATHS = 3 * MOST_FILES,
  MOST_LIST = MOST_PATHS * MOST_PATH,
  MOST_ACCOUNTS = 1024 * 1024,
};

/* Where a NoCloud seed lies for cloud-init; in the archive it is called seed/. */
static const char SEED[] = "seed/";
static const char SEED_FOLDER[] = "var/lib/cloud/seed/nocloud/";
static const char LIST_FOLDER[] = "var/lib/warmboot/";
static const char LIST_NAME[] = "applied";
static const char NEW_NAME[] = ".warmboot.new";

/* POSIX.1-1988, ustar. */
struct header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2], owner[32],
      group[32], major[8], minor[8], prefix[155], filling[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header of ustar is one block");

struct file {
  char path[MOST_PATH]; /* below the root */
  char owner[33], group[33];
  mode_t mode;
  size_t bytes;
  const uint8_t *content;
};

struct set {
  struct file files[MOST_FILES + 2]; /* and what a seed lacks */
  size_t count;
};

/* Paths, one a line, each ended by NUL here. */
struct list {
  char paths[MOST_PATHS][MOST_PATH];
  size_t count;
};

struct root {
  int fd;
  bool changed;
  size_t failed;
  char *users, *groups; /* etc/passwd and etc/group of this root; NULL: none */
};

/* ---- judging ---- */

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

static bool is_below(const char *path, const char *folder) {
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* The same rules as the server's (server/core/host-file-path.ts): what is not an operator's, and nothing below it. */
static const char *const CLOSED[] = {
    "proc", "sys", "dev", "run", "var/run", "var/lock", "boot", "data", "bin", "sbin", "lib", "lib32", "lib64", "libx32",
    "usr/lib/warmboot", "var/lib/warmboot", "usr/sbin/init", "usr/lib/systemd/systemd", "etc/machine-id",
};
static const char *const SEED_FILES[] = {"user-data", "meta-data", "vendor-data", "network-config"};

/* Each means itself in a list of lines, to a shell, and in an address. */
static bool part_is_good(const char *part, size_t length) {
  static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+:,=~-";
  for (size_t i = 0; i < length; i++)
    if (memchr(good, part[i], sizeof good - 1) == NULL) return false;
  return true;
}

/* Why nothing can be put there, NULL where it can. Of a path below the root. */
static const char *path_refusal(const char *path) {
  if (path[0] == '\0') return "it has no name";
  for (const char *part = path;;) {
    size_t length = strcspn(part, "/");
    if (length == 0) return "it begins or ends with a slash, or has two together";
    if (part[0] == '.' && (length == 1 || (length == 2 && part[1] == '.'))) return "a part of its name is . or ..";
    if (!part_is_good(part, length)) return "its name has other characters than letters, digits and ._@+:,=~-";
    if (part[length] == '\0') break;
    part += length + 1;
  }
  for (size_t i = 0; i < sizeof CLOSED / sizeof *CLOSED; i++)
    if (is_below(path, CLOSED[i])) return "what lies there is not an operator's";
  if (starts_with(path, "etc/ssh/ssh_host_")) return "the host's keys are kept by the host itself";
  return NULL;
}

static bool is_seed_file(const char *name) {
  for (size_t i = 0; i < sizeof SEED_FILES / sizeof *SEED_FILES; i++)
    if (strcmp(name, SEED_FILES[i]) == 0) return true;
  return false;
}

/* A text that fills its field has no NUL. False: something stands behind the NUL. */
static bool take_text(const char *field, size_t size, char *text) {
  size_t length = strnlen(field, size);
  memcpy(text, field, length);
  text[length] = '\0';
  for (size_t i = length; i < size; i++)
    if (field[i] != '\0') return false;
  return true;
}

/* Octal digits, then NUL or space to the end of the field. */
static bool take_number(const char *field, size_t size, uint64_t *number) {
  size_t at = 0;
  *number = 0;
  while (at < size && field[at] >= '0' && field[at] <= '7') *number = *number << 3 | (uint64_t)(field[at++] - '0');
  if (at == 0) return false;
  for (; at < size; at++)
    if (field[at] != '\0' && field[at] != ' ') return false;
  return true;
}

static bool checksum_is_right(const struct header *header) {
  const uint8_t *bytes = (const uint8_t *)header;
  uint64_t sum = 0, stated;
  for (size_t i = 0; i < BLOCK; i++)
    sum += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type) ? ' ' : bytes[i];
  return take_number(header->checksum, sizeof header->checksum, &stated) && stated == sum;
}

static bool is_account_name(const char *name) {
  static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-";
  return strchr(first, name[0]) != NULL && name[0] != '\0' && name[strspn(name, more)] == '\0';
}

static bool take_account(const char *field, char *name) {
  if (!take_text(field, 32, name)) return false;
  if (name[0] == '\0') strcpy(name, "root");
  return is_account_name(name);
}

/* What the header calls the file; false when it would need the header's prefix. */
static bool take_path(const struct header *header, char *path) {
  char prefix[sizeof header->prefix + 1];
  return take_text(header->prefix, sizeof header->prefix, prefix) && prefix[0] == '\0' &&
         take_text(header->name, sizeof header->name, path);
}

/* seed/NAME lies elsewhere. */
static const char *place(char *path) {
  char name[MOST_PATH];
  if (!is_below(path, "seed")) return path_refusal(path);
  if (!starts_with(path, SEED) || !is_seed_file(path + strlen(SEED))) return "cloud-init has no such file in its seed";
  snprintf(name, sizeof name, "%s", path + strlen(SEED));
  snprintf(path, MOST_PATH, "%s%.100s", SEED_FOLDER, name);
  return NULL;
}

static bool is_zero(const uint8_t *block) {
  for (size_t i = 0; i < BLOCK; i++)
    if (block[i] != 0) return false;
  return true;
}

static bool refuse(struct failure *why, const char *path, const char *what) {
  return fail(why, MALFORMED, "the file set is refused, and nothing of it was put: '%.200s': %s", path, what);
}

static bool read_header(const struct header *header, struct file *file, struct failure *why) {
  uint64_t mode, bytes;
  if (memcmp(header->magic, "ustar\0", 6) != 0 || memcmp(header->version, "00", 2) != 0)
    return refuse(why, "a header", "it is not ustar's");
  if (!checksum_is_right(header)) return refuse(why, "a header", "its checksum is wrong");
  if (!take_path(header, file->path)) return refuse(why, "a name", "it is longer than 100 bytes, or has a NUL in it");
  const char *refusal = place(file->path);
  if (refusal != NULL) return refuse(why, file->path, refusal);
  if (header->type != '0' && header->type != '\0') return refuse(why, file->path, "it is not a regular file");
  if (header->link[0] != '\0') return refuse(why, file->path, "it is a link");
  if (!take_number(header->mode, sizeof header->mode, &mode) || !take_number(header->size, sizeof header->size, &bytes))
    return refuse(why, file->path, "its mode or size is no number");
  if ((mode & ~(uint64_t)0777) != 0) return refuse(why, file->path, "its mode is more than 0777");
  if (bytes > MOST_BYTES) return refuse(why, file->path, "it is larger than 256 KiB");
  if (!take_account(header->owner, file->owner) || !take_account(header->group, file->group))
    return refuse(why, file->path, "its owner or group is no name");
  file->mode = (mode_t)mode;
  file->bytes = (size_t)bytes;
  return true;
}

/* Neither twice the same, nor one that is a folder of another. */
static bool is_new(const struct set *set, const struct file *file) {
  for (size_t i = 0; i < set->count; i++)
    if (is_below(set->files[i].path, file->path) || is_below(file->path, set->files[i].path)) return false;
  return true;
}

static bool read_set(const uint8_t *archive, size_t length, struct set *set, struct failure *why) {
  size_t at = 0, all = 0;
  while (at + BLOCK <= length && !is_zero(archive + at)) {
    if (set->count == MOST_FILES) return refuse(why, "the archive", "it has more than 64 files");
    struct file *file = &set->files[set->count];
    if (!read_header((const struct header *)(const void *)(archive + at), file, why)) return false;
    at += BLOCK;
    if (!is_new(set, file)) return refuse(why, file->path, "it is in there twice, or is a folder of another");
    all += file->bytes;
    if (all > MOST_BYTES) return refuse(why, file->path, "with it the files are larger than 256 KiB");
    size_t room = (file->bytes + BLOCK - 1) / BLOCK * BLOCK;
    if (length - at < room) return refuse(why, file->path, "the archive ends within it");
    file->content = archive + at;
    at += room;
    set->count++;
  }
  if (length - at < 2 * BLOCK) return refuse(why, "the archive", "its end is missing");
  for (; at + BLOCK <= length; at += BLOCK)
    if (!is_zero(archive + at)) return refuse(why, "the archive", "something stands behind its end");
  return at == length || refuse(why, "the archive", "it is not whole blocks");
}

/* cloud-init takes a seed only with both of its files; an id that stays makes it one instance from slot to slot. */
static void complete_seed(struct set *set, const char *instance) {
  static char content[2][MOST_PATH];
  static const char *const names[] = {"meta-data", "user-data"};
  snprintf(content[0], sizeof content[0], "instance-id: %.200s\n", instance);
  snprintf(content[1], sizeof content[1], "#cloud-config\n");
  bool seeded = false;
  for (size_t i = 0; i < set->count; i++) seeded = seeded || starts_with(set->files[i].path, SEED_FOLDER);
  for (size_t i = 0; seeded && i < 2; i++) {
    struct file *file = &set->files[set->count];
    *file = (struct file){.owner = "root", .group = "root", .mode = 0600, .bytes = strlen(content[i])};
    file->content = (const uint8_t *)content[i];
    snprintf(file->path, sizeof file->path, "%s%s", SEED_FOLDER, names[i]);
    if (is_new(set, file)) set->count++;
  }
}

/* ---- reading ---- */

/* All of fd, at most `most` bytes; -1 when it has more or cannot be read. */
static ssize_t read_all(int fd, void *buffer, size_t most) {
  size_t have = 0;
  for (;;) {
    uint8_t beyond;
    ssize_t got = have < most ? read(fd, (uint8_t *)buffer + have, most - have) : read(fd, &beyond, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) return (ssize_t)have;
    if (have == most) {
      errno = EFBIG;
      return -1;
    }
    have += (size_t)got;
  }
}

/*
 * The folder that `path` lies in, opened part by part; *name is its last part. -1 with errno. With `make` what is missing is made,
 * and told: it has no SELinux label yet.
 */
static int open_folder(struct root *root, const char *path, bool make, const char **name) {
  int folder = dup(root->fd);
  const char *part = path;
  for (const char *slash; folder >= 0 && (slash = strchr(part, '/')) != NULL; part = slash + 1) {
    char folder_name[MOST_PATH];
    snprintf(folder_name, sizeof folder_name, "%.*s", (int)(slash - part), part);
    int next = openat(folder, folder_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && errno == ENOENT && make && mkdirat(folder, folder_name, 0755) == 0) {
      root->changed = true;
      printf("new %.*s\n", (int)(slash - path), path);
      next = openat(folder, folder_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      /* Whatever the umask is. */
      if (next >= 0) fchmod(next, 0755);
    }
    int error = errno;
    close(folder);
    errno = error;
    folder = next;
  }
  *name = part;
  return folder;
}

/* A regular file below the root; -1 with errno. O_NONBLOCK: a pipe must not hold the boot. */
static int open_file(int folder, const char *name, int flags, struct stat *status) {
  int fd = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0 && (fstat(fd, status) != 0 || !S_ISREG(status->st_mode))) {
    close(fd);
    errno = EINVAL;
    return -1;
  }
  return fd;
}

/* A text file below the root, to be freed; NULL when it cannot be read. */
static char *read_text(struct root *root, const char *path, size_t most) {
  struct stat status;
  const char *name;
  int folder = open_folder(root, path, false, &name);
  if (folder < 0) return NULL;
  int fd = open_file(folder, name, O_RDONLY, &status);
  close(folder);
  if (fd < 0) return NULL;
  char *text = malloc(most + 1);
  ssize_t length = text == NULL ? -1 : read_all(fd, text, most);
  close(fd);
  if (length < 0) {
    free(text);
    return NULL;
  }
  text[length] = '\0';
  return text;
}

/* The number of an account in etc/passwd or etc/group: the third field of its line. */
static bool number_of(const char *accounts, const char *name, uint32_t *number) {
  size_t length = strlen(name);
  *number = 0;
  if (strcmp(name, "root") == 0) return true;
  for (const char *line = accounts; line != NULL && *line != '\0';) {
    const char *next = strchr(line, '\n');
    if (strncmp(line, name, length) == 0 && line[length] == ':') {
      const char *field = strchr(line + length + 1, ':');
      char *end;
      if (field == NULL || (next != NULL && field > next) || field[1] < '0' || field[1] > '9') return false;
      errno = 0;
      unsigned long long found = strtoull(field + 1, &end, 10);
      if (errno != 0 || found >= UINT32_MAX || *end != ':') return false;
      *number = (uint32_t)found;
      return true;
    }
    line = next == NULL ? NULL : next + 1;
  }
  return false;
}

/* ---- writing ---- */

static bool holds(const struct list *list, const char *path) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->paths[i], path) == 0) return true;
  return false;
}

static void add(struct list *list, const char *path) {
  if (list->count < MOST_PATHS && !holds(list, path))
    snprintf(list->paths[list->count++], MOST_PATH, "%s", path);
}

/* Lines that this program would not have written are passed over: nothing is removed on their word. */
static void read_list(struct root *root, struct list *list) {
  char path[sizeof LIST_FOLDER + sizeof LIST_NAME];
  snprintf(path, sizeof path, "%s%s", LIST_FOLDER, LIST_NAME);
  char *text = read_text(root, path, MOST_LIST), *at = text;
  for (char *line; at != NULL && (line = strsep(&at, "\n")) != NULL;)
    if (strlen(line) < MOST_PATH && path_refusal(line) == NULL) add(list, line);
  free(text);
}

static bool write_all(int fd, const void *data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t wrote = pwrite(fd, (const uint8_t *)data + done, bytes - done, (off_t)done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    done += (size_t)wrote;
  }
  return ftruncate(fd, (off_t)bytes) == 0;
}

/* A whole file beside the old one, then under its name. */
static bool write_new(int folder, const char *name, const void *data, size_t bytes, const struct stat *wanted) {
  unlinkat(folder, NEW_NAME, 0);
  int fd = openat(folder, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool good = write_all(fd, data, bytes) && fchown(fd, wanted->st_uid, wanted->st_gid) == 0 && fchmod(fd, wanted->st_mode) == 0 &&
              fsync(fd) == 0;
  int error = errno;
  close(fd);
  errno = error;
  if (good && renameat(folder, NEW_NAME, folder, name) == 0) return true;
  error = errno;
  unlinkat(folder, NEW_NAME, 0);
  errno = error;
  return false;
}

static bool write_list(struct root *root, const struct list *list) {
  char text[MOST_LIST];
  size_t length = 0;
  for (size_t i = 0; i < list->count; i++)
    length += (size_t)snprintf(text + length, sizeof text - length, "%s\n", list->paths[i]);
  const char *name;
  int folder = open_folder(root, LIST_FOLDER, true, &name);
  if (folder < 0) return false;
  const struct stat wanted = {.st_mode = 0600};
  bool good = write_new(folder, LIST_NAME, text, length, &wanted);
  int error = errno;
  close(folder);
  errno = error;
  return good;
}

static bool same_content(int fd, const struct file *file) {
  static uint8_t there[MOST_BYTES];
  ssize_t length = read_all(fd, there, file->bytes);
  return length >= 0 && (size_t)length == file->bytes && memcmp(there, file->content, file->bytes) == 0;
}

/* Into the file that is there. It is closed to others before what they must not read is in it. */
static bool write_in_place(int folder, const char *name, const struct file *file, const struct stat *wanted) {
  struct stat status;
  int fd = open_file(folder, name, O_WRONLY, &status);
  if (fd < 0) return false;
  /* A disk without room leaves the old content whole. A filesystem that cannot say so is written as it is. */
  bool room = file->bytes == 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)file->bytes) == 0 || errno != ENOSPC;
  bool good = room && fchmod(fd, 0600) == 0 && fchown(fd, wanted->st_uid, wanted->st_gid) == 0 &&
              write_all(fd, file->content, file->bytes) && fchmod(fd, wanted->st_mode) == 0 && fsync(fd) == 0;
  int error = errno;
  close(fd);
  errno = error;
  return good;
}

/* 0 when it is as wanted, else what went wrong. */
static int put_file(struct root *root, const struct file *file) {
  const char *name;
  struct stat wanted = {.st_mode = file->mode}, there;
  if (!number_of(root->users, file->owner, &wanted.st_uid))
    printf("note %s: no user '%s' here, root owns it\n", file->path, file->owner);
  if (!number_of(root->groups, file->group, &wanted.st_gid))
    printf("note %s: no group '%s' here, root's has it\n", file->path, file->group);

  int folder = open_folder(root, file->path, true, &name);
  if (folder < 0) return errno;
  int fd = open_file(folder, name, O_RDONLY, &there);
  bool in_place = fd >= 0 && there.st_nlink == 1;
  bool same = in_place && there.st_size == (off_t)file->bytes && same_content(fd, file);
  bool good = true;
  if (same && (there.st_uid != wanted.st_uid || there.st_gid != wanted.st_gid || (there.st_mode & 07777) != wanted.st_mode)) {
    good = fchmod(fd, 0600) == 0 && fchown(fd, wanted.st_uid, wanted.st_gid) == 0 && fchmod(fd, wanted.st_mode) == 0;
    same = false;
  } else if (!same && in_place) {
    good = write_in_place(folder, name, file, &wanted);
  } else if (!same) {
    good = write_new(folder, name, file->content, file->bytes, &wanted);
  }
  int error = good ? 0 : errno;
  if (!same && good) {
    root->changed = true;
    printf("%s %s\n", in_place ? "changed" : "new", file->path);
  }
  if (fd >= 0) close(fd);
  close(folder);
  return error;
}

/* Only what is still a regular file; a folder that became a link leads nowhere. */
static bool remove_file(struct root *root, const char *path) {
  const char *name;
  struct stat status;
  int folder = open_folder(root, path, false, &name);
  if (folder < 0) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
  bool gone = fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode);
  if (!gone && unlinkat(folder, name, 0) == 0) {
    gone = root->changed = true;
    printf("removed %s\n", path);
  }
  int error = errno;
  close(folder);
  errno = error;
  return gone;
}

/* What this image has no place for is left out and said: it is so in each of its boots. Anything else is a failure. */
static void note_failure(struct root *root, const char *path, int error, struct failure *why) {
  switch (error) {
  case ELOOP:
  case ENOTDIR: printf("note %s: left out, for a folder on its way is a link or a file here\n", path); return;
  case EISDIR: printf("note %s: left out, for it is a folder here\n", path); return;
  default:
    root->failed++;
    fail(why, LOCAL, "'%.200s' cannot be put into this system: %s", path, strerror(error));
  }
}

static void apply(struct root *root, const struct set *set, struct failure *why) {
  static struct list former, both, now;
  read_list(root, &former);
  both = former;
  for (size_t i = 0; i < set->count; i++) add(&both, set->files[i].path);
  /* First the word of what may be here, so that a power cut leaves nothing that no later set would remove. */
  if (both.count != former.count && !write_list(root, &both)) {
    note_failure(root, "var/lib/warmboot/applied", errno, why);
    return;
  }
  for (size_t i = 0; i < set->count; i++) {
    int error = put_file(root, &set->files[i]);
    if (error != 0) note_failure(root, set->files[i].path, error, why);
    add(&now, set->files[i].path);
  }
  for (size_t i = 0; i < former.count; i++)
    if (!holds(&now, former.paths[i]) && !remove_file(root, former.paths[i])) {
      note_failure(root, former.paths[i], errno, why);
      add(&now, former.paths[i]);
    }
  if (now.count != both.count && !write_list(root, &now)) note_failure(root, "var/lib/warmboot/applied", errno, why);
}

bool apply_files(const char *root_path, const char *instance, struct failure *why) {
  static uint8_t archive[MOST_ARCHIVE];
  static struct set set;
  ssize_t length = read_all(STDIN_FILENO, archive, sizeof archive);
  if (length < 0 && errno == EFBIG) return refuse(why, "the archive", "it is larger than a file set can be");
  if (length < 0) return fail(why, LOCAL, "the file set cannot be read (%s)", strerror(errno));
  if (!read_set(archive, (size_t)length, &set, why)) return false;

  complete_seed(&set, instance);
  struct root root = {.fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (root.fd < 0) return fail(why, LOCAL, "%s cannot be opened (%s)", root_path, strerror(errno));
  root.users = read_text(&root, "etc/passwd", MOST_ACCOUNTS);
  root.groups = read_text(&root, "etc/group", MOST_ACCOUNTS);
  apply(&root, &set, why);
  if (root.changed) syncfs(root.fd);
  free(root.users);
  free(root.groups);
  close(root.fd);
  return root.failed == 0;
}
