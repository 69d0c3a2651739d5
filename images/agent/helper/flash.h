/* One flash: what its passes share. Each pass brings more of the image onto the device and notes what lies there. */
#ifndef WARMBOOT_FLASH_H
#define WARMBOOT_FLASH_H

#include "device.h"
#include "index.h"
#include "progress.h"

/* A piece between chunks that does not read as zeros, or was never read. */
struct stain {
  uint64_t offset, bytes;
};

struct flash {
  struct index index;
  struct frames frames;
  struct device device;
  struct progress progress;
  struct pace pace;
  bool *right; /* of each chunk: it lies where it shall */
  struct stain *stains;
  uint32_t stain_count, stain_room;
  uint8_t *buffer; /* for one chunk, aligned for reading */
  struct sha256 *hash;
};

/* Contents are named by their first chunk. Whether it lies at all of its places. */
bool flash_has(const struct flash *flash, uint32_t content);
/* Puts bytes that were found right to every place of the content that lacks them. */
bool flash_put(struct flash *flash, uint32_t content, const uint8_t *data, struct failure *why);
/* Reads a place that may hold the content into flash->buffer; false when it does not, or cannot be read. */
bool flash_read(struct flash *flash, uint32_t content, struct device *device, uint64_t offset);

/* What lies elsewhere on the device itself: by the index of what it held before (NULL: not known), and of repeated content. */
bool reuse_device(struct flash *flash, const char *former_path, struct failure *why);
/* What another device still holds of the image with that index. An index or a device that is no good is passed over. */
bool reuse_other(struct flash *flash, const char *index_path, const char *device_path, struct failure *why);
/* The rest, from as many fetchers at once; words: the command of one, ended by NULL (fetcher.h). */
bool fetch_missing(struct flash *flash, unsigned streams, char **words, struct failure *why);

#endif
