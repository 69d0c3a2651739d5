/*
 * An image onto a device, in passes: what lies right already, what lies elsewhere on the device, what other devices
 * hold, what has to be fetched, and the zeros between. Every byte that counts as right was read and hashed, or hashed and
 * written, in this run: so a run that broke off is taken up by the next without a note of how far it came.
 *
 * The zeros come last: a large gap on a slow disk would else hold up the streams until the sender loses patience.
 */
#include "flash.h"

#include "commands.h"
#include "fetcher.h"
#include "scan.h"

#include <stdlib.h>
#include <string.h>

bool flash_has(const struct flash *flash, uint32_t content) {
  for (uint32_t i = content; i != NO_CHUNK; i = flash->index.chunks[i].next)
    if (!flash->right[i]) return false;
  return true;
}

bool flash_put(struct flash *flash, uint32_t content, const uint8_t *data, struct failure *why) {
  const struct chunk *chunks = flash->index.chunks;
  for (uint32_t i = content; i != NO_CHUNK; i = chunks[i].next) {
    if (flash->right[i]) continue;
    if (!device_write(&flash->device, data, chunks[i].bytes, chunks[i].offset, why)) return false;
    flash->right[i] = true;
    flash->progress.bytes_done += chunks[i].bytes;
  }
  if (is_stopped()) return fail(why, ENDED, "it was told to stop");
  return progress_write(&flash->progress, false, why);
}

bool flash_read(struct flash *flash, uint32_t content, struct device *device, uint64_t offset) {
  const struct chunk *chunk = &flash->index.chunks[content];
  struct failure ignored = {0};
  uint8_t digest[SHA256_BYTES];
  if (offset + chunk->bytes > device->bytes || !device_read(device, flash->buffer, chunk->bytes, offset, &ignored))
    return false;
  sha256_add(flash->hash, flash->buffer, chunk->bytes);
  sha256_end(flash->hash, digest);
  return memcmp(digest, chunk->sha256, sizeof digest) == 0;
}

/* ---- what lies right already ---- */

struct look {
  struct flash *flash;
  struct failure *why;
};

static bool chunk_seen(void *context, uint32_t number, const uint8_t *found, bool is_right) {
  struct flash *flash = ((struct look *)context)->flash;
  (void)found;
  flash->right[number] = is_right;
  if (is_right) flash->progress.bytes_done += flash->index.chunks[number].bytes;
  return true;
}

static bool stain(struct flash *flash, uint64_t offset, uint64_t bytes, struct failure *why) {
  struct stain *last = flash->stain_count == 0 ? NULL : &flash->stains[flash->stain_count - 1];
  if (last != NULL && last->offset + last->bytes == offset) {
    last->bytes += bytes;
    return true;
  }
  if (flash->stain_count == flash->stain_room) {
    uint32_t room = flash->stain_room == 0 ? 1024 : flash->stain_room * 2;
    struct stain *moved = realloc(flash->stains, room * sizeof *moved);
    if (moved == NULL) return fail(why, LOCAL, "memory ended: the machine has too little of it");
    flash->stains = moved;
    flash->stain_room = room;
  }
  flash->stains[flash->stain_count++] = (struct stain){.offset = offset, .bytes = bytes};
  return true;
}

static bool gap_seen(void *context, uint64_t offset, uint64_t bytes, uint64_t first_byte, bool is_zero) {
  struct look *look = context;
  (void)first_byte;
  if (is_zero) look->flash->progress.bytes_done += bytes;
  return is_zero || stain(look->flash, offset, bytes, look->why);
}

static bool looked(void *context, uint64_t bytes) {
  struct look *look = context;
  (void)bytes;
  if (is_stopped()) return fail(look->why, ENDED, "it was told to stop");
  return progress_write(&look->flash->progress, false, look->why);
}

/* Of a device that is fresh nothing is read: all of it is still to be done. */
static bool look(struct flash *flash, bool is_fresh, struct failure *why) {
  struct look context = {flash, why};
  struct scan scan = {chunk_seen, gap_seen, looked, &context, .is_tolerant = true};
  if (!is_fresh) return scan_device(&scan, &flash->index, &flash->device, why);
  for (uint32_t i = 0; i <= flash->index.chunk_count; i++) {
    uint64_t start = index_gap_start(&flash->index, i), end = index_gap_end(&flash->index, i);
    if (end > start && !stain(flash, start, end - start, why)) return false;
  }
  return true;
}

/* ---- zeros ---- */

static bool zeroed(void *context, uint64_t bytes) {
  struct look *look = context;
  look->flash->progress.bytes_done += bytes;
  return looked(context, bytes);
}

static bool zero_stains(struct flash *flash, struct failure *why) {
  struct look context = {flash, why};
  /* Before Linux 4.9 BLKZEROOUT goes past the page cache: no page that reaches into a gap may still be dirty. */
  if (flash->stain_count > 0 && !device_sync(&flash->device, why)) return false;
  for (uint32_t i = 0; i < flash->stain_count; i++)
    if (!device_zero(&flash->device, flash->stains[i].offset, flash->stains[i].bytes, zeroed, &context, why)) return false;
  return true;
}

/* ---- all of it ---- */

static bool reuse(struct flash *flash, const struct flash_wish *wish, struct failure *why) {
  const char *former = NULL;
  for (unsigned i = 0; i < wish->source_count; i++)
    if (device_is_same(&flash->device, wish->sources[i].device)) former = wish->sources[i].index;
  if (!wish->is_fresh && !reuse_device(flash, former, why)) return false;
  for (unsigned i = 0; i < wish->source_count; i++)
    if (!device_is_same(&flash->device, wish->sources[i].device) &&
        !reuse_other(flash, wish->sources[i].index, wish->sources[i].device, why))
      return false;
  return true;
}

static bool run(struct flash *flash, const struct flash_wish *wish, struct failure *why) {
  size_t room = (flash->index.chunk_bytes_max + DEVICE_ALIGNMENT - 1) / DEVICE_ALIGNMENT * DEVICE_ALIGNMENT;
  flash->right = calloc(flash->index.chunk_count + 1, sizeof *flash->right);
  flash->buffer = aligned_alloc(DEVICE_ALIGNMENT, room);
  flash->hash = sha256_new();
  if (flash->right == NULL || flash->buffer == NULL)
    return fail(why, LOCAL, "memory ended: the machine has too little of it");
  if (!progress_write(&flash->progress, true, why)) return false;
  if (look(flash, wish->is_fresh, why) && reuse(flash, wish, why) &&
      fetch_missing(flash, wish->streams, wish->fetcher, why))
    zero_stains(flash, why);
  /* Also after a stream that broke: the next run shall find it on the disk. */
  struct failure syncing = {0}, ignored = {0};
  if (why->code != DEVICE && !is_stopped() && !device_sync(&flash->device, &syncing)) *why = syncing;
  return progress_write(&flash->progress, true, why->code == DONE ? why : &ignored) && why->code == DONE;
}

bool flash_image(const struct flash_wish *wish, struct failure *why) {
  struct flash flash = {.device.fd = -1, .pace.rate = wish->rate};
  fetchers_listen();
  bool good = index_read(&flash.index, wish->index, why) &&
              frames_read(&flash.frames, wish->frames, &flash.index, wish->index, why) &&
              progress_open(&flash.progress, wish->progress, flash.index.bytes, why) &&
              device_open_writing(&flash.device, wish->device, flash.index.bytes, why);
  flash.device.pace = &flash.pace;
  good = good && run(&flash, wish, why);
  device_close(&flash.device);
  sha256_free(flash.hash);
  free(flash.buffer);
  free(flash.right);
  free(flash.stains);
  frames_free(&flash.frames);
  index_free(&flash.index);
  return good;
}
