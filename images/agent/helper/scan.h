/*
 * Reads a device from its start to the filesystem's end, one thread reading and the caller's hashing, and says of each
 * chunk and of each piece between chunks whether it is what the index says.
 */
#ifndef WARMBOOT_SCAN_H
#define WARMBOOT_SCAN_H

#include "device.h"
#include "index.h"

struct scan {
  /* Every false return stops the scan; the callbacks record why. All may be called many times a millisecond. */
  bool (*chunk)(void *context, uint32_t number, const uint8_t *found, bool is_right);
  /* A piece of a gap, or all of it. `first_byte`: where the first byte that is not zero lies, if is_zero is false. */
  bool (*gap)(void *context, uint64_t offset, uint64_t bytes, uint64_t first_byte, bool is_zero);
  /* After each piece, however much of it was right. */
  bool (*step)(void *context, uint64_t bytes);
  void *context;
  /* What cannot be read counts as wrong, and the scan goes on. */
  bool is_tolerant;
};

bool scan_device(const struct scan *scan, const struct index *index, struct device *device, struct failure *why);

#endif
