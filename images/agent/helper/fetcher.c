#include "fetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 64, PIPE_BYTES = 1 << 20 };

/* By stream; 0: none. Written before it is looked whether all shall stop, so that none slips through. */
static _Atomic pid_t running[STREAMS_MAX];
static atomic_bool closing, signalled;

/* Whoever is asked to end has nothing to put in order, so it is not asked. */
static void stop_group(pid_t pid) {
  if (pid > 0) kill(-pid, SIGKILL);
}

void fetchers_stop(void) {
  atomic_store(&closing, true);
  for (unsigned i = 0; i < STREAMS_MAX; i++) stop_group(atomic_load(&running[i]));
}

static void on_signal(int number) {
  int kept = errno;
  (void)number;
  atomic_store(&signalled, true);
  fetchers_stop();
  errno = kept;
}

void fetchers_listen(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
}

bool is_stopped(void) { return atomic_load(&signalled); }

static int spawn(pid_t *pid, char **arguments, int out) {
  extern char **environ;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  int error = posix_spawnp(pid, arguments[0], &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

bool fetcher_start(struct fetcher *fetcher, char **words, unsigned stream, char *ranges, struct failure *why) {
  char *arguments[WORDS_MAX + 3], number[16];
  int ends[2], count = 0;
  *fetcher = (struct fetcher){.stream = stream, .fd = -1};
  while (words[count] != NULL && count < WORDS_MAX) arguments[count] = words[count], count++;
  snprintf(number, sizeof number, "%u", stream);
  arguments[count++] = number;
  arguments[count++] = ranges;
  arguments[count] = NULL;
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(why, LOCAL, "no pipe can be made (%s)", strerror(errno));
  /* A larger pipe lets the fetcher go on while a frame is worked on; without it all is the same but slower. */
  fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
  int error = spawn(&fetcher->pid, arguments, ends[1]);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return fail(why, LOCAL, "the fetcher %s cannot be started (%s)", arguments[0], strerror(error));
  }
  fetcher->fd = ends[0];
  atomic_store(&running[stream], fetcher->pid);
  if (atomic_load(&closing)) stop_group(fetcher->pid);
  return true;
}

int fetcher_end(struct fetcher *fetcher, bool at_once) {
  siginfo_t ended;
  int status = 0;
  close(fetcher->fd);
  if (at_once) stop_group(fetcher->pid);
  /* Reaped only when nobody can mean it any more: then its number may be another's. */
  while (waitid(P_PID, (id_t)fetcher->pid, &ended, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
  stop_group(fetcher->pid);
  atomic_store(&running[fetcher->stream], 0);
  while (waitpid(fetcher->pid, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}
