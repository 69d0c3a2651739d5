/* The commands of warmboot-helper; main.c says what each takes. False means: see why. */
#ifndef WARMBOOT_COMMANDS_H
#define WARMBOOT_COMMANDS_H

#include "failure.h"

/* Brings stdin (bytes of `data` from the offset that the progress file tells) onto the device. */
bool write_image(const char *index_path, const char *frames_path, const char *device_path,
                 const char *progress_path, struct failure *why);
/* Reads the device back and compares all of it; progress_path may be NULL. */
bool check_image(const char *index_path, const char *device_path, const char *progress_path,
                 struct failure *why);
/* ECDSA P-256 with SHA-256 over the body's exact bytes; the signature file holds base64 of its DER form. */
bool verify_signature(const char *key_path, const char *signature_path, const char *body_path,
                      struct failure *why);
/* arguments: `list`, `get KEY`, `set K=V…` or `init K=V…`, ended by NULL. */
bool grubenv(const char *path, char **arguments, struct failure *why);
bool print_digest(const char *path, struct failure *why);
/* A scalar of any JSON file by its path: names, and numbers of array items, joined by dots. */
bool print_field(const char *json_path, const char *field_path, struct failure *why);
/* A file, or a device with the disk's own cache; what is mounted from it may stay so. */
bool sync_path(const char *path, struct failure *why);

#endif
