#include "pace.h"

#include <stddef.h>
#include <time.h>

#define SECOND_NS 1000000000

void pace_wait(struct pace *pace, uint64_t bytes) {
  if (pace == NULL || pace->rate == 0) return;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t now_ns = (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
  /* What was not used before is lost: no burst follows a pause. */
  if (pace->next_ns < now_ns) pace->next_ns = now_ns;
  struct timespec until = {.tv_sec = pace->next_ns / SECOND_NS, .tv_nsec = pace->next_ns % SECOND_NS};
  pace->next_ns += (int64_t)((double)bytes / (double)pace->rate * SECOND_NS);
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}
