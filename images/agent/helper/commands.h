/* The commands of warmboot-helper; main.c says what each takes. False means: see why. */
#ifndef WARMBOOT_COMMANDS_H
#define WARMBOOT_COMMANDS_H

#include "failure.h"

#include <stdint.h>

enum { SOURCES_MAX = 16 };

/* What a flash is made of; main.c has the words. */
struct flash_wish {
  const char *index, *frames, *device, *progress;
  unsigned streams; /* 1 to STREAMS_MAX */
  bool is_fresh;    /* nothing on the device is worth a look */
  uint64_t rate;    /* of reading and writing devices, bytes per second; 0: none */
  struct {
    const char *index, *device; /* the device itself: what it held before */
  } sources[SOURCES_MAX];
  unsigned source_count;
  char **fetcher; /* ended by NULL */
};

/* Brings the image onto the device, with as little fetched as can be. */
bool flash_image(const struct flash_wish *wish, struct failure *why);
/* Reads the device back and compares all of it; progress_path may be NULL. */
bool check_image(const char *index_path, const char *device_path, const char *progress_path,
                 struct failure *why);
/* ECDSA P-256 with SHA-256 over the body's exact bytes; the signature file holds base64 of its DER form. */
bool verify_signature(const char *key_path, const char *signature_path, const char *body_path,
                      struct failure *why);
/* arguments: `list`, `get KEY`, `set K=V…` or `init K=V…`, ended by NULL. */
bool grubenv(const char *path, char **arguments, struct failure *why);
/* arguments: `arm NAME MOST LEAST` or `guard SECONDS CONFIRMED [unfed]`, ended by NULL. */
bool watchdog(char **arguments, struct failure *why);
bool print_digest(const char *path, struct failure *why);
/* How a dictionary is named to a server: the value of Available-Dictionary (RFC 9842, 2.2). */
bool print_dictionary(const char *path, struct failure *why);
/* A text that a server coded with that dictionary; what cannot be it is MALFORMED, and nothing is written. */
bool decode_text(const char *dictionary_path, const char *coded_path, const char *text_path, struct failure *why);
/* A scalar of any JSON file by its path: names, and numbers of array items, joined by dots. */
bool print_field(const char *json_path, const char *field_path, struct failure *why);
/* A file, or a device with the disk's own cache; what is mounted from it may stay so. */
bool sync_path(const char *path, struct failure *why);
/* A folder in which nothing can be made, not even by root: an empty mount point. */
bool make_immutable(const char *path, struct failure *why);
/* A mounted ext4, to the end of its device; one that fills it stays as it is, none is ever made smaller. */
bool grow_filesystem(const char *path, const char *device, struct failure *why);

/*
 * The file set on stdin (ustar) into the root of a system; says on stdout what is new, changed, removed or noteworthy. `instance` is
 * the id for cloud-init where a seed has no meta-data.
 */
bool apply_files(const char *root_path, const char *instance, struct failure *why);

#endif
