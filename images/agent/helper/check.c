/* One thread reads the device from its start to the filesystem's end, this one hashes and compares. */
#include "commands.h"
#include "device.h"
#include "index.h"
#include "progress.h"
#include "ring.h"

#include <pthread.h>
#include <string.h>

enum { READ_BYTES = 1 << 20, RING_BYTES = 4 << 20 };

struct reader {
  struct device *device;
  uint64_t bytes;
  struct ring ring;
  struct failure why;
};

static void *reader(void *context) {
  struct reader *job = context;
  struct slot *slot;
  for (uint64_t at = 0; at < job->bytes && (slot = ring_reserve(&job->ring)) != NULL; at += slot->bytes) {
    slot->bytes = job->bytes - at < READ_BYTES ? job->bytes - at : READ_BYTES;
    slot->tag = at;
    if (!device_read(job->device, slot->data, slot->bytes, at, &job->why)) break;
    ring_publish(&job->ring);
  }
  ring_close(&job->ring);
  return NULL;
}

/* Where in the index the comparison stands. */
struct walk {
  const struct index *index;
  const char *path;
  struct sha256 *hash;
  uint32_t chunk; /* the next that is not compared to its end */
};

static bool chunk_ends(struct walk *walk, struct failure *why) {
  const struct chunk *chunk = &walk->index->chunks[walk->chunk];
  uint8_t digest[SHA256_BYTES];
  char wanted[SHA256_HEX], found[SHA256_HEX];
  sha256_end(walk->hash, digest);
  if (memcmp(digest, chunk->sha256, sizeof digest) == 0) {
    walk->chunk++;
    return true;
  }
  sha256_hex(chunk->sha256, wanted);
  sha256_hex(digest, found);
  return fail(why, MISMATCH,
              "chunk %u at offset %llu (%u bytes) of %s reads back with sha256 %s instead of %s: write the image "
              "again; if that does not help, the disk fails",
              walk->chunk, (unsigned long long)chunk->offset, chunk->bytes, walk->path, found, wanted);
}

static bool all_zero(struct walk *walk, const uint8_t *data, size_t bytes, uint64_t offset, struct failure *why) {
  if (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0) return true;
  while (*data == 0) data++, offset++;
  return fail(why, MISMATCH,
              "offset %llu of %s, which no chunk covers, does not read as zero: write the image again; if that does "
              "not help, the disk fails",
              (unsigned long long)offset, walk->path);
}

/* Compares what was read from `offset` on; it may begin and end inside a chunk or a gap. */
static bool compare(struct walk *walk, const uint8_t *data, size_t bytes, uint64_t offset, struct failure *why) {
  const struct index *index = walk->index;
  while (bytes > 0) {
    bool gap = walk->chunk == index->chunk_count || offset < index->chunks[walk->chunk].offset;
    uint64_t end = gap ? index_gap_end(index, walk->chunk) : index_gap_start(index, walk->chunk + 1);
    size_t piece = end - offset < bytes ? end - offset : bytes;
    if (gap) {
      if (!all_zero(walk, data, piece, offset, why)) return false;
    } else {
      sha256_add(walk->hash, data, piece);
      if (offset + piece == end && !chunk_ends(walk, why)) return false;
    }
    data += piece;
    offset += piece;
    bytes -= piece;
  }
  return true;
}

static bool run(const struct index *index, struct device *device, struct progress *progress, struct failure *why) {
  struct reader job = {.device = device, .bytes = index->bytes};
  struct walk walk = {.index = index, .path = device->path};
  struct slot *slot;
  pthread_t thread;
  if (!ring_open(&job.ring, READ_BYTES, RING_BYTES, why)) return false;
  int error = pthread_create(&thread, NULL, reader, &job);
  if (error != 0) {
    ring_free(&job.ring);
    return fail(why, LOCAL, "a thread cannot be started (%s)", strerror(error));
  }

  walk.hash = sha256_new();
  while ((slot = ring_take(&job.ring)) != NULL) {
    progress->bytes_done += slot->bytes;
    if (!compare(&walk, slot->data, slot->bytes, slot->tag, why) || !progress_write(progress, false, why)) break;
    ring_release(&job.ring);
  }
  ring_abandon(&job.ring);
  pthread_join(thread, NULL);
  sha256_free(walk.hash);
  ring_free(&job.ring);
  if (why->code == DONE) *why = job.why;
  return why->code == DONE && progress_write(progress, true, why);
}

bool check_image(const char *index_path, const char *device_path, const char *progress_path, struct failure *why) {
  struct index index = {0};
  struct device device = {.fd = -1};
  struct progress progress;
  bool good = index_read(&index, index_path, why) && progress_open(&progress, progress_path, index.bytes, why) &&
              device_open_reading(&device, device_path, index.bytes, why) &&
              progress_write(&progress, true, why) && run(&index, &device, &progress, why);
  device_close(&device);
  index_free(&index);
  return good;
}
