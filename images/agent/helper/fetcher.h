/*
 * The program that fetches: `WORDS… STREAM A-B[,C-D…]` prints bytes A to B (inclusive) of `data`, then C to D, and so on. It may end
 * early; what it then says by its exit code:
 *   0   ask again for the rest. It has waited as long as is good.
 *   75  (EX_TEMPFAIL) this stream is not wanted now: go on with the others. Not from stream 0.
 *   else  give up.
 * Each runs in a process group of its own, which is gone when the fetcher is.
 */
#ifndef WARMBOOT_FETCHER_H
#define WARMBOOT_FETCHER_H

#include "failure.h"

#include <sys/types.h>

enum { STREAMS_MAX = 16, FETCHER_AGAIN = 0, FETCHER_PARK = 75 };

struct fetcher {
  unsigned stream; /* below STREAMS_MAX; one fetcher of a stream at a time */
  pid_t pid;
  int fd; /* its stdout */
};

/* SIGTERM, SIGINT and SIGHUP from now on end all fetchers, and is_stopped() tells that they came. */
void fetchers_listen(void);
bool is_stopped(void);
/* Ends those that run and those that will be started. From any thread. */
void fetchers_stop(void);

bool fetcher_start(struct fetcher *fetcher, char **words, unsigned stream, char *ranges, struct failure *why);
/* Closes the pipe and waits for the end, or brings it about at once; returns the exit code, 256 after a signal. */
int fetcher_end(struct fetcher *fetcher, bool at_once);

#endif
