#include "scan.h"

#include "ring.h"

#include <pthread.h>
#include <string.h>

enum { READ_BYTES = 1 << 20, RING_BYTES = 4 << 20 };

struct reader {
  struct device *device;
  uint64_t bytes;
  bool is_tolerant;
  struct ring ring;
  struct failure why;
};

static void *reader(void *context) {
  struct reader *job = context;
  struct slot *slot;
  for (uint64_t at = 0; at < job->bytes && (slot = ring_reserve(&job->ring)) != NULL; at += slot->bytes) {
    struct failure reading = {0};
    slot->bytes = job->bytes - at < READ_BYTES ? job->bytes - at : READ_BYTES;
    slot->tag = at;
    slot->unreadable = !device_read(job->device, slot->data, slot->bytes, at, &reading);
    if (slot->unreadable && (!job->is_tolerant || reading.code != DEVICE)) {
      job->why = reading;
      break;
    }
    ring_publish(&job->ring, slot);
  }
  ring_close(&job->ring);
  return NULL;
}

/* Where in the index the comparison stands. */
struct walk {
  const struct scan *scan;
  const struct index *index;
  struct sha256 *hash;
  uint32_t chunk;  /* the next that is not compared to its end */
  bool is_damaged; /* a part of it could not be read */
};

static bool chunk_ends(struct walk *walk) {
  uint8_t digest[SHA256_BYTES];
  uint32_t number = walk->chunk++;
  sha256_end(walk->hash, digest);
  bool is_right = !walk->is_damaged && memcmp(digest, walk->index->chunks[number].sha256, sizeof digest) == 0;
  walk->is_damaged = false;
  return walk->scan->chunk(walk->scan->context, number, digest, is_right);
}

static bool compare_gap(const struct walk *walk, const uint8_t *data, size_t bytes, uint64_t offset, bool unreadable) {
  bool is_zero = !unreadable && data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0;
  uint64_t first = offset;
  if (!is_zero && !unreadable)
    while (*data == 0) data++, first++;
  return walk->scan->gap(walk->scan->context, offset, bytes, first, is_zero);
}

/* Compares what was read from slot->tag on; it may begin and end inside a chunk or a gap. */
static bool compare(struct walk *walk, const struct slot *slot) {
  const struct index *index = walk->index;
  const uint8_t *data = slot->data;
  uint64_t offset = slot->tag;
  size_t bytes = slot->bytes;
  while (bytes > 0) {
    bool gap = walk->chunk == index->chunk_count || offset < index->chunks[walk->chunk].offset;
    uint64_t end = gap ? index_gap_end(index, walk->chunk) : index_gap_start(index, walk->chunk + 1);
    size_t piece = end - offset < bytes ? end - offset : bytes;
    if (gap) {
      if (!compare_gap(walk, data, piece, offset, slot->unreadable)) return false;
    } else {
      walk->is_damaged |= slot->unreadable;
      sha256_add(walk->hash, data, piece);
      if (offset + piece == end && !chunk_ends(walk)) return false;
    }
    data += piece;
    offset += piece;
    bytes -= piece;
  }
  return walk->scan->step(walk->scan->context, slot->bytes);
}

bool scan_device(const struct scan *scan, const struct index *index, struct device *device, struct failure *why) {
  struct reader job = {.device = device, .bytes = index->bytes, .is_tolerant = scan->is_tolerant};
  struct walk walk = {.scan = scan, .index = index};
  struct slot *slot;
  pthread_t thread;
  if (!ring_open(&job.ring, READ_BYTES, RING_BYTES, why)) return false;
  int error = pthread_create(&thread, NULL, reader, &job);
  if (error != 0) {
    ring_free(&job.ring);
    return fail(why, LOCAL, "a thread cannot be started (%s)", strerror(error));
  }

  walk.hash = sha256_new();
  while ((slot = ring_take(&job.ring)) != NULL && compare(&walk, slot)) ring_release(&job.ring, slot);
  ring_abandon(&job.ring);
  pthread_join(thread, NULL);
  sha256_free(walk.hash);
  ring_free(&job.ring);
  if (why->code == DONE) *why = job.why;
  return why->code == DONE;
}
