/*
 * The progress file: one line `FRAMES_DONE DATA_OFFSET BYTES_DONE BYTES_TOTAL`, always whole (a new file takes the
 * place of the old one). BYTES count the partition, zeros included. It says what was handed to the kernel, so it
 * must not outlive the kernel: keep it on a tmpfs.
 */
#ifndef WARMBOOT_PROGRESS_H
#define WARMBOOT_PROGRESS_H

#include "failure.h"

#include <stdint.h>

struct progress {
  const char *path; /* NULL: nobody wants to know */
  char temporary[4096];
  uint64_t frames_done;
  uint64_t data_offset; /* where the data of the next frame begins */
  uint64_t bytes_done, bytes_total;
  int64_t written_ms; /* when the file was last written, monotonic clock */
};

bool progress_open(struct progress *progress, const char *path, uint64_t bytes_total, struct failure *why);
/* Reads the file into the numbers; *found is false when there is none. A damaged file is MALFORMED. */
bool progress_read(struct progress *progress, bool *found, struct failure *why);
/* Writes the file, unless it was written within the last quarter of a second and `now` is false. */
bool progress_write(struct progress *progress, bool now, struct failure *why);

#endif
