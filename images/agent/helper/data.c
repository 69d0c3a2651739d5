/*
 * For /data, what every OS can do and not every OS has a program for: the two ioctls work from Linux 3.3 on, while an image
 * need not have e2fsprogs.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Of the kernel's fs/ext4/ext4.h and linux/magic.h, which the C library does not give away. */
#define EXT4_RESIZE_FS _IOW('f', 16, uint64_t)
enum { EXT4_MAGIC = 0xef53 };

static int open_folder(const char *path, struct failure *why) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) fail(why, LOCAL, "%s cannot be opened as a folder (%s)", path, strerror(errno));
  return fd;
}

bool make_immutable(const char *path, struct failure *why) {
  int fd = open_folder(path, why), flags = 0;
  if (fd < 0) return false;
  bool good = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;
  if (good && (flags & FS_IMMUTABLE_FL) == 0) {
    flags |= FS_IMMUTABLE_FL;
    good = ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
  }
  if (!good) fail(why, LOCAL, "%s cannot be made immutable (%s)", path, strerror(errno));
  close(fd);
  return good;
}

/* How many of the filesystem's blocks the device holds; 0 where that cannot be known. */
static uint64_t blocks_of(const char *device, uint64_t block_bytes, struct failure *why) {
  uint64_t bytes = 0;
  int fd = open(device, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) != 0)
    fail(why, DEVICE, "%s does not say its size (%s)", device, strerror(errno));
  if (fd >= 0) close(fd);
  return bytes / block_bytes;
}

bool grow_filesystem(const char *path, const char *device, struct failure *why) {
  struct statfs about;
  int fd = open_folder(path, why);
  if (fd < 0) return false;
  bool good = fstatfs(fd, &about) == 0 && about.f_type == EXT4_MAGIC && about.f_bsize > 0;
  if (!good) fail(why, MALFORMED, "%s is no mounted ext4: only that is grown", path);
  uint64_t blocks = good ? blocks_of(device, (uint64_t)about.f_bsize, why) : 0;
  good = blocks > 0;
  /* The kernel takes the size that it has for done, and refuses a smaller one. */
  if (good && ioctl(fd, EXT4_RESIZE_FS, &blocks) != 0)
    good = fail(why, DEVICE, "%s cannot be grown to %llu blocks (%s): look at the kernel's log", path,
                (unsigned long long)blocks, strerror(errno));
  close(fd);
  return good;
}
