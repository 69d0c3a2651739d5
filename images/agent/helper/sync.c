/* `sync` of coreutils before 8.24 takes no names, and that of all filesystems would hold up production. */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool sync_path(const char *path, struct failure *why) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(why, DEVICE, "%s cannot be opened (%s)", path, strerror(errno));
  int result;
  do result = fsync(fd);
  while (result != 0 && errno == EINTR);
  bool good = result == 0 || fail(why, DEVICE, "%s cannot be synced (%s): look at the kernel's log and the disk", path,
                                  strerror(errno));
  close(fd);
  return good;
}
