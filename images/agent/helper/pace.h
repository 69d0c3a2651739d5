/* Keeps reading and writing under a rate, so that those who work beside us are not held up. For one thread at a time. */
#ifndef WARMBOOT_PACE_H
#define WARMBOOT_PACE_H

#include <stdint.h>

struct pace {
  uint64_t rate;   /* bytes per second; 0: none */
  int64_t next_ns; /* when the next piece may begin, monotonic clock */
};

/* Sleeps until so many bytes may go. NULL: at once. A signal ends the sleep. */
void pace_wait(struct pace *pace, uint64_t bytes);

#endif
