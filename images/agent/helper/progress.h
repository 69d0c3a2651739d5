/*
 * The progress file: one line `FETCHED TO_FETCH BYTES_DONE BYTES_TOTAL`, always whole (a new file takes the place of the
 * old one). BYTES count the partition, zeros included, as far as it is right; FETCHED is what came of `data`. Nobody
 * goes on from it: what lies on the device says what is left to do.
 */
#ifndef WARMBOOT_PROGRESS_H
#define WARMBOOT_PROGRESS_H

#include "failure.h"

#include <stdint.h>

struct progress {
  const char *path; /* NULL: nobody wants to know */
  char temporary[4096];
  uint64_t fetched, to_fetch;
  uint64_t bytes_done, bytes_total;
  int64_t written_ms; /* when the file was last written, monotonic clock */
};

bool progress_open(struct progress *progress, const char *path, uint64_t bytes_total, struct failure *why);
/* Writes the file, unless it was written within the last quarter of a second and `now` is false. */
bool progress_write(struct progress *progress, bool now, struct failure *why);

#endif
