/* How every part of the helper says that something went wrong: one exit code and one sentence. */
#ifndef WARMBOOT_FAILURE_H
#define WARMBOOT_FAILURE_H

#include <stdbool.h>

/* Exit codes. Scripts rely on them; a code keeps its meaning for ever. */
enum outcome {
  DONE = 0,
  LOCAL = 1,     /* memory, the progress file or a file to be hashed: the machine's own trouble */
  MALFORMED = 2, /* usage, or an input file that is not what it should be: trying again changes nothing */
  ENDED = 3,     /* the stream ended early: resume */
  CORRUPT = 4,   /* a frame is damaged: fetch again from the offset in the progress file */
  DEVICE = 5,    /* the device fails or is too small */
  MISMATCH = 6,  /* the device does not hold what the index says */
  BAD_SIGNATURE = 7,
  DAMAGED = 8, /* the grubenv file is unreadable */
};

/* code is DONE until something fails; text is then one sentence: what, why, what to do. */
struct failure {
  enum outcome code;
  char text[600];
};

/* Records a failure, unless one stands already (the first is the cause), and returns false. */
bool fail(struct failure *why, enum outcome code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
