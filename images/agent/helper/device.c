#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  ZEROOUT_STEP = 64 << 20, /* one uninterruptible call; short enough for progress on a slow disk */
  PUSH_BYTES = 16 << 20,
};

static bool broken(const struct device *device, const char *what, uint64_t offset, struct failure *why) {
  return fail(why, DEVICE, "%s at offset %llu of %s failed (%s): look at the kernel's log and the disk", what,
              (unsigned long long)offset, device->path, strerror(errno));
}

static bool open_as(struct device *device, const char *path, int flags, uint64_t needed, struct failure *why) {
  struct stat status;
  *device = (struct device){.fd = -1, .path = path, .low = UINT64_MAX};
  if (stat(path, &status) != 0)
    return fail(why, DEVICE, "%s cannot be used (%s): check the path", path, strerror(errno));
  device->block = S_ISBLK(status.st_mode);
  if (!device->block && !S_ISREG(status.st_mode))
    return fail(why, DEVICE, "%s is neither a block device nor a file: check the path", path);

  /* On a block device O_EXCL means: only if nobody has it mounted or claimed. */
  bool writing = (flags & O_ACCMODE) != O_RDONLY;
  device->fd = open(path, flags | O_CLOEXEC | (writing && device->block ? O_EXCL : 0));
  if (device->fd < 0 && errno == EBUSY)
    return fail(why, DEVICE, "%s is in use (mounted?): it is not written; choose the slot that does not run", path);
  if (device->fd < 0) return fail(why, DEVICE, "%s cannot be opened (%s)", path, strerror(errno));

  if (!device->block) device->bytes = (uint64_t)status.st_size;
  else if (ioctl(device->fd, BLKGETSIZE64, &device->bytes) != 0) return broken(device, "asking for the size", 0, why);
  if (device->bytes < needed)
    return fail(why, DEVICE, "%s is too small: it holds %llu bytes, the image needs %llu; use a layout with larger slots",
                path, (unsigned long long)device->bytes, (unsigned long long)needed);
  return true;
}

/*
 * Writes out and drops what the page cache holds: before Linux 4.9 BLKZEROOUT went past it, and old pages could be
 * read, or even be written, over the zeros.
 */
static void flush(struct device *device) {
  if (device->block) ioctl(device->fd, BLKFLSBUF, 0);
}

bool device_open_writing(struct device *device, const char *path, uint64_t needed, struct failure *why) {
  if (!open_as(device, path, O_RDWR, needed, why)) return false;
  flush(device);
  return true;
}

/* Where O_DIRECT is refused (tmpfs): the cache is written out and dropped instead. */
static void read_through_cache(struct device *device) {
  device->direct = false;
  fdatasync(device->fd);
  posix_fadvise(device->fd, 0, 0, POSIX_FADV_DONTNEED);
}

bool device_open_reading(struct device *device, const char *path, uint64_t needed, struct failure *why) {
  if (!open_as(device, path, O_RDONLY, needed, why)) return false;
  flush(device);
  device->direct = fcntl(device->fd, F_SETFL, O_DIRECT) == 0;
  if (!device->direct) read_through_cache(device);
  return true;
}

bool device_open_source(struct device *device, const char *path, struct failure *why) {
  if (!open_as(device, path, O_RDONLY, 0, why)) return false;
  device->shared = true;
  device->direct = fcntl(device->fd, F_SETFL, O_DIRECT) == 0;
  return true;
}

bool device_is_same(const struct device *device, const char *path) {
  struct stat one, two;
  if (fstat(device->fd, &one) != 0 || stat(path, &two) != 0) return false;
  return device->block ? S_ISBLK(two.st_mode) && one.st_rdev == two.st_rdev
                       : one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

void device_close(struct device *device) {
  if (device->fd >= 0) close(device->fd);
  device->fd = -1;
}

/* Not offered everywhere, and then it is left to fsync. What the disk refused is told once: here or by fsync (sync_file_range(2)). */
static bool write_out(struct device *device, off_t start, off_t bytes, unsigned flags, struct failure *why) {
  while (sync_file_range(device->fd, start, bytes, flags) != 0) {
    if (errno == EIO || errno == ENOSPC) return broken(device, "writing", (uint64_t)start, why);
    if (errno != EINTR) break;
  }
  return true;
}

/*
 * Begins writing out what is new and waits for what was begun the last time, so that at most two pushes of dirty
 * memory exist: the last fsync is short, and a host that works beside us keeps its cache.
 */
static bool push(struct device *device, struct failure *why) {
  if (!write_out(device, (off_t)device->low, (off_t)(device->high - device->low), SYNC_FILE_RANGE_WRITE, why)) return false;
  if (device->pushed_high > 0) {
    off_t start = (off_t)device->pushed_low, bytes = (off_t)(device->pushed_high - device->pushed_low);
    if (!write_out(device, start, bytes,
                   SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER, why))
      return false;
    posix_fadvise(device->fd, start, bytes, POSIX_FADV_DONTNEED);
  }
  device->pushed_low = device->low;
  device->pushed_high = device->high;
  device->low = UINT64_MAX;
  device->high = device->unpushed = 0;
  return true;
}

bool device_write(struct device *device, const void *data, size_t bytes, uint64_t offset, struct failure *why) {
  if (offset < device->low) device->low = offset;
  if (offset + bytes > device->high) device->high = offset + bytes;
  device->unpushed += bytes;
  pace_wait(device->pace, bytes);
  for (size_t done = 0; done < bytes;) {
    ssize_t wrote = pwrite(device->fd, (const char *)data + done, bytes - done, (off_t)(offset + done));
    if (wrote > 0) {
      done += (size_t)wrote;
    } else if (wrote == 0 || errno != EINTR) {
      if (wrote == 0) errno = ENOSPC;
      return broken(device, "writing", offset + done, why);
    }
  }
  return device->unpushed < PUSH_BYTES || push(device, why);
}

bool device_zero(struct device *device, uint64_t offset, uint64_t bytes, device_step *step, void *context,
                 struct failure *why) {
  static char zeros[1 << 20]; /* not const: then it takes no room in the program */
  while (bytes > 0) {
    uint64_t piece = 0;
    if (device->block && !device->no_zeroout) {
      piece = bytes < ZEROOUT_STEP ? bytes : ZEROOUT_STEP;
      uint64_t range[2] = {offset, piece};
      pace_wait(device->pace, piece);
      if (ioctl(device->fd, BLKZEROOUT, range) != 0) {
        if (errno == EIO || errno == ENOSPC || errno == EROFS) return broken(device, "zeroing", offset, why);
        device->no_zeroout = true; /* not offered here: write them */
        continue;
      }
    } else {
      piece = bytes < sizeof zeros ? bytes : sizeof zeros;
      if (!device_write(device, zeros, piece, offset, why)) return false;
    }
    offset += piece;
    bytes -= piece;
    if (!step(context, piece)) return false;
  }
  return true;
}

bool device_sync(struct device *device, struct failure *why) {
  while (fsync(device->fd) != 0)
    if (errno != EINTR) return broken(device, "syncing", 0, why);
  flush(device);
  if (!device->block) posix_fadvise(device->fd, 0, 0, POSIX_FADV_DONTNEED);
  return true;
}

bool device_read(struct device *device, void *data, size_t bytes, uint64_t offset, struct failure *why) {
  pace_wait(device->pace, bytes);
  for (size_t done = 0; done < bytes;) {
    ssize_t got = pread(device->fd, (char *)data + done, bytes - done, (off_t)(offset + done));
    if (got > 0) {
      done += (size_t)got;
    } else if (got < 0 && errno == EINVAL && device->direct) {
      fcntl(device->fd, F_SETFL, 0);
      device->direct = false;
      if (!device->shared) read_through_cache(device);
    } else if (got == 0 || errno != EINTR) {
      if (got == 0) errno = ENODATA;
      return broken(device, "reading", offset + done, why);
    }
  }
  if (!device->direct && !device->shared) posix_fadvise(device->fd, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);
  return true;
}
