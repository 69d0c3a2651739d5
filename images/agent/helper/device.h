/* The partition (or, for disk images and tests, the plain file) that an image is written to. */
#ifndef WARMBOOT_DEVICE_H
#define WARMBOOT_DEVICE_H

#include "failure.h"
#include "pace.h"

#include <stddef.h>
#include <stdint.h>

/* Buffers for device_read begin at such an address; its offsets and lengths are multiples of 4096. */
enum { DEVICE_ALIGNMENT = 4096 };

struct device {
  int fd;
  const char *path;
  uint64_t bytes;
  bool block;  /* a block device, no plain file */
  bool direct; /* reading past the page cache works */
  bool shared; /* others work on it: their page cache is left alone */
  bool no_zeroout;
  struct pace *pace; /* how fast it may be read and written; NULL: as fast as it can */
  /* What was written since the last push to the disk, and the range whose writing was begun then. */
  uint64_t unpushed, low, high, pushed_low, pushed_high;
};

/* Called between the pieces of a long operation with the bytes done since the last call; false stops it. */
typedef bool device_step(void *context, uint64_t bytes);

/*
 * All failures are DEVICE and name the device. A block device that is in use (mounted, part of a RAID) is not
 * opened for writing. `needed`: bytes it must hold at least.
 */
bool device_open_writing(struct device *device, const char *path, uint64_t needed, struct failure *why);
bool device_open_reading(struct device *device, const char *path, uint64_t needed, struct failure *why);
/* As for reading, of a device that others work on: nothing of what the page cache holds of it is dropped. */
bool device_open_source(struct device *device, const char *path, struct failure *why);
void device_close(struct device *device);
/* Whether two paths name one device or file. */
bool device_is_same(const struct device *device, const char *path);

bool device_write(struct device *device, const void *data, size_t bytes, uint64_t offset, struct failure *why);
/* Makes a range read as zeros: BLKZEROOUT where there is one, else plain writes. Never a discard. */
bool device_zero(struct device *device, uint64_t offset, uint64_t bytes, device_step *step, void *context,
                 struct failure *why);
/* Returns when all that was written is on the disk, and forgets what the page cache holds of it. */
bool device_sync(struct device *device, struct failure *why);

/* Reads from the disk itself, not from the page cache, unless the device is open for writing. */
bool device_read(struct device *device, void *data, size_t bytes, uint64_t offset, struct failure *why);

#endif
