/*
 * account PROGRAM…: runs it until SIGTERM, then ends it and all that it started, and prints what they used, those that ended
 * before and were waited for included: {"cpuMs":…,"voluntary":…,"involuntary":…,"processes":…}. To be process 1 of a namespace
 * of its own: whatever is orphaned becomes its child, and kill(-1) reaches nobody else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void ask(int signal_number) {
  (void)signal_number;
  asked = 1;
}

static long milliseconds(struct timeval time) {
  return time.tv_sec * 1000 + time.tv_usec / 1000;
}

int main(int count, char **words) {
  if (count < 2 || getpid() != 1) {
    fprintf(stderr, "account: process 1 of a namespace, with a program to run\n");
    return 2;
  }
  struct sigaction action = {.sa_handler = ask};
  sigaction(SIGTERM, &action, NULL);
  pid_t child = fork();
  if (child == 0) {
    /* A session of its own, as systemd gives each service: with it comes a group of its own in the scheduler. */
    setsid();
    execv(words[1], words + 1);
    perror(words[1]);
    _exit(127);
  }
  while (!asked) {
    pid_t gone = wait(NULL);
    if (gone == child || (gone < 0 && errno == ECHILD)) break;
  }
  kill(-1, SIGTERM);
  kill(-1, SIGKILL);
  while (wait(NULL) > 0 || errno == EINTR) {
  }
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  /* Process numbers rise by one in a namespace of one's own; this one is the next. */
  pid_t next = fork();
  if (next == 0) _exit(0);
  printf("{\"cpuMs\":%ld,\"voluntary\":%ld,\"involuntary\":%ld,\"processes\":%ld}\n",
         milliseconds(used.ru_utime) + milliseconds(used.ru_stime), used.ru_nvcsw, used.ru_nivcsw, (long)next - 2);
  return asked ? 0 : 1;
}
