/*
 * Hardware watchdogs (kernel: Documentation/watchdog/watchdog-api.rst). `arm` leaves one running for a jump into another kernel:
 * what hangs there is reset. `guard` ends a trial that nobody confirms, and feeds the watchdogs of the machine while the
 * trial goes on, so that they end it should this process or the whole kernel stop.
 *
 * A watchdog that cannot be stopped again (nowayout), or of which nobody knows whether it can, is left alone; so is softdog, which
 * dies with its kernel. WB_DEV, WB_SYS, WB_SYSRQ and WB_KMSG are set by tests.
 */
#include "commands.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_WATCHDOGS = 8,
  TICK_SECONDS = 2,
  TRIAL_SECONDS = 60, /* without a word from `guard` until a watchdog resets the machine */
  STEP_SECONDS = 30,
  NAME_BYTES = 32,
  PATH_BYTES = 512,
};

struct watchdog {
  char name[NAME_BYTES];
  int fd; /* -1: not ours, and not asked for again */
};

static const char *setting(const char *name, const char *usual) {
  const char *value = getenv(name);
  return value != NULL && *value != '\0' ? value : usual;
}

enum { CRITICAL = 2, NOTICE = 5 }; /* as syslog(2) numbers them */

/* To the kernel's log, and so to the console: unlike the console itself it never makes a writer wait. */
static void tell(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(int level, const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  int bytes = snprintf(text, sizeof text, "<%d>warmboot: ", level);
  bytes += vsnprintf(text + bytes, sizeof text - (size_t)bytes, format, arguments);
  va_end(arguments);
  if ((size_t)bytes >= sizeof text) bytes = sizeof text - 1;
  int fd = open(setting("WB_KMSG", "/dev/kmsg"), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return;
  if (write(fd, text, (size_t)bytes) != bytes) errno = 0; /* there is nobody else to be told */
  close(fd);
}

/* The number in an attribute of the watchdog class; -1: this kernel does not tell. */
static long attribute(const char *name, const char *key) {
  char path[PATH_BYTES], text[32] = "";
  snprintf(path, sizeof path, "%s/class/watchdog/%s/%s", setting("WB_SYS", "/sys"), name, key);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  return bytes > 0 && *text >= '0' && *text <= '9' ? strtol(text, NULL, 10) : -1;
}

/* Stops it: the only way to close one without the machine being reset. */
static void release(int fd) {
  if (write(fd, "V", 1) != 1) errno = 0; /* it goes on then, and says so in the kernel's log */
  close(fd);
}

/* Opening starts it. -1: busy, or not to be touched; `why` says which. */
static int start(const char *name, struct failure *why) {
  char path[PATH_BYTES];
  struct watchdog_info info = {0};
  long nowayout = attribute(name, "nowayout");
  if (nowayout != 0) {
    fail(why, DEVICE, nowayout > 0 ? "%s cannot be stopped again (nowayout)" : "nobody knows whether %s can be stopped again", name);
    return -1;
  }
  snprintf(path, sizeof path, "%s/%s", setting("WB_DEV", "/dev"), name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    fail(why, DEVICE, errno == EBUSY ? "another program holds %s" : "%s cannot be opened (%s)", name, strerror(errno));
    return -1;
  }
  if (ioctl(fd, WDIOC_GETSUPPORT, &info) != 0 || !(info.options & WDIOF_MAGICCLOSE))
    fail(why, DEVICE, "%s stops when it is closed, or is no watchdog", name);
  else if (strncmp((const char *)info.identity, "Software Watchdog", sizeof info.identity) == 0)
    fail(why, DEVICE, "%s is a timer of the kernel that it should guard", name);
  if (why->code == DONE) return fd;
  release(fd);
  return -1;
}

/* How long the hardware itself waits now; 0: the driver may be feeding it in between, which ends with its kernel. */
static int hardware_seconds(int fd, const char *name) {
  int seconds = 0, left = 0;
  if (ioctl(fd, WDIOC_GETTIMEOUT, &seconds) != 0) return 0;
  if (attribute(name, "max_timeout") != 0) return seconds; /* also where an old kernel does not say */
  return ioctl(fd, WDIOC_GETTIMELEFT, &left) == 0 ? left : 0;
}

/* Starts it for as long as it can, at most `most` seconds, and leaves it running. */
static bool arm(const char *name, int most, int least, struct failure *why) {
  int fd = start(name, why);
  if (fd < 0) return false;
  int got = 0;
  for (int wish = most; wish >= least && got < least; wish -= STEP_SECONDS) {
    int seconds = wish;
    if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds) == 0 && ioctl(fd, WDIOC_KEEPALIVE, 0) == 0) got = hardware_seconds(fd, name);
  }
  if (got < least) {
    release(fd);
    return fail(why, DEVICE, "%s waits no longer than %d s, a jump may take %d s", name, got, least);
  }
  close(fd);
  printf("%d\n", got);
  return true;
}

static double since_boot(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Those that came up since the last look: a driver may be loaded late. One that somebody else holds is his. */
static void look(struct watchdog *watchdogs, size_t *count) {
  DIR *folder = opendir(setting("WB_DEV", "/dev"));
  if (folder == NULL) return;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL && *count < MAX_WATCHDOGS;) {
    const char *name = entry->d_name;
    size_t digits = strncmp(name, "watchdog", 8) == 0 ? strspn(name + 8, "0123456789") : 0;
    if (digits == 0 || name[8 + digits] != '\0' || strlen(name) >= NAME_BYTES) continue;
    bool known = false;
    for (size_t i = 0; i < *count; i++) known |= strcmp(watchdogs[i].name, name) == 0;
    if (known) continue;
    struct failure why = {0};
    struct watchdog *watchdog = &watchdogs[(*count)++];
    strcpy(watchdog->name, name);
    watchdog->fd = start(name, &why);
    int seconds = TRIAL_SECONDS;
    if (watchdog->fd < 0) tell(NOTICE, "this trial goes on without %s: %s", name, why.text);
    else if (ioctl(watchdog->fd, WDIOC_SETTIMEOUT, &seconds) != 0) errno = 0; /* its own time is fine too */
    if (watchdog->fd >= 0) tell(NOTICE, "%s is fed while the trial goes on", name);
  }
  closedir(folder);
}

/* Sync, read-only, reset: the way that needs no cooperation from whatever hangs. */
static void back_to_firmware(void) {
  const char *path = setting("WB_SYSRQ", "/proc/sysrq-trigger");
  for (const char *key = "sub"; *key != '\0'; key++) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd >= 0 && write(fd, key, 1) != 1) errno = 0;
    if (fd >= 0) close(fd);
    sleep(TICK_SECONDS);
  }
  if (getenv("WB_SYSRQ") == NULL) reboot(RB_AUTOBOOT);
}

static volatile sig_atomic_t stopped;
static void stop(int signal_number) {
  (void)signal_number;
  stopped = 1;
}

/* True: the trial was confirmed, or the system is shut down in order. False is never seen but where the reset failed. */
static bool guard(double deadline, const char *confirmed, bool feeds, struct failure *why) {
  struct watchdog watchdogs[MAX_WATCHDOGS];
  size_t count = 0;
  /* What is in memory still runs when the disk is gone, and this is not what the kernel shall take for want of memory. */
  mlockall(MCL_CURRENT | MCL_FUTURE);
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, "-1000", 5) != 5) errno = 0;
  if (fd >= 0) close(fd);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);

  while (!stopped && access(confirmed, F_OK) != 0) {
    double left = deadline - since_boot();
    if (left <= 0) {
      /* Whatever is fed stays armed: it resets the machine where the kernel does not. */
      tell(CRITICAL, "trial not confirmed in %.0f s, back to the former slot through the firmware", deadline);
      back_to_firmware();
      return fail(why, LOCAL, "the machine cannot be reset");
    }
    if (feeds) look(watchdogs, &count);
    for (size_t i = 0; i < count; i++)
      if (watchdogs[i].fd >= 0 && ioctl(watchdogs[i].fd, WDIOC_KEEPALIVE, 0) != 0) errno = 0;
    struct timespec pause = {.tv_sec = TICK_SECONDS};
    if (left < TICK_SECONDS) pause = (struct timespec){.tv_sec = (time_t)left, .tv_nsec = 50 * 1000 * 1000};
    nanosleep(&pause, NULL);
  }
  for (size_t i = 0; i < count; i++)
    if (watchdogs[i].fd >= 0) release(watchdogs[i].fd);
  return true;
}

static bool number(const char *text, long *value) {
  char *end;
  if (*text < '0' || *text > '9') return false;
  errno = 0;
  *value = strtol(text, &end, 10);
  return errno == 0 && *end == '\0' && *value < 1000000000;
}

bool watchdog(char **arguments, struct failure *why) {
  long first, second;
  const char *command = arguments[0];
  if (command != NULL && strcmp(command, "arm") == 0 && arguments[1] != NULL && strchr(arguments[1], '/') == NULL &&
      strlen(arguments[1]) < NAME_BYTES && arguments[2] != NULL && number(arguments[2], &first) && arguments[3] != NULL &&
      number(arguments[3], &second) && second > 0 && arguments[4] == NULL)
    return arm(arguments[1], (int)first, (int)second, why);
  if (command != NULL && strcmp(command, "guard") == 0 && arguments[1] != NULL && number(arguments[1], &first) &&
      arguments[2] != NULL && (arguments[3] == NULL || (strcmp(arguments[3], "unfed") == 0 && arguments[4] == NULL)))
    return guard((double)first, arguments[2], arguments[3] == NULL, why);
  return fail(why, MALFORMED, "watchdog is followed by `arm NAME MOST LEAST` or `guard SECONDS-SINCE-BOOT CONFIRMED [unfed]`");
}
