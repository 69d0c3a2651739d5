#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { INTERVAL_MS = 250 };

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool progress_open(struct progress *progress, const char *path, uint64_t bytes_total, struct failure *why) {
  *progress = (struct progress){.path = path, .bytes_total = bytes_total};
  if (path == NULL) return true;
  int length = snprintf(progress->temporary, sizeof progress->temporary, "%s.tmp", path);
  return (length > 0 && (size_t)length < sizeof progress->temporary) ||
         fail(why, MALFORMED, "the path of the progress file is too long: choose a shorter one");
}

bool progress_write(struct progress *progress, bool now, struct failure *why) {
  if (progress->path == NULL) return true;
  int64_t ms = now_ms();
  if (!now && ms - progress->written_ms < INTERVAL_MS) return true;
  progress->written_ms = ms;

  FILE *file = fopen(progress->temporary, "we");
  bool good = file != NULL && fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                                      progress->fetched, progress->to_fetch, progress->bytes_done,
                                      progress->bytes_total) > 0;
  if (file != NULL) good = fclose(file) == 0 && good;
  if (good) good = rename(progress->temporary, progress->path) == 0;
  return good || fail(why, LOCAL, "the progress file %s cannot be written (%s): make room or choose another path",
                      progress->path, strerror(errno));
}
