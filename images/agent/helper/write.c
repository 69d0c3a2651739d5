/*
 * Two threads: this one reads, decompresses and hashes; the writer puts verified chunks onto the device. Frames are
 * written in the order of `data`, so the number of finished ones says what lies there, and a write that broke off
 * goes on from it. The zeros come after the last frame: a large gap on a slow disk would else hold up the stream
 * until the sender loses patience.
 */
#include "commands.h"
#include "device.h"
#include "index.h"
#include "progress.h"
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { RING_BYTES = 8 << 20 };

struct job {
  struct index index;
  struct frames frames;
  struct device device;
  struct progress progress;
  struct ring ring;
  struct failure writing; /* the writer's own */
};

/* Puts one verified chunk to every place where the index has it. */
static bool write_frame(struct job *job, const struct frame *frame, const uint8_t *data) {
  const struct chunk *chunks = job->index.chunks;
  for (uint32_t i = frame->first; i != NO_CHUNK; i = chunks[i].next) {
    if (!device_write(&job->device, data, chunks[i].bytes, chunks[i].offset, &job->writing)) return false;
    job->progress.bytes_done += chunks[i].bytes;
  }
  job->progress.frames_done++;
  job->progress.data_offset += frame->bytes;
  return progress_write(&job->progress, false, &job->writing);
}

static void *writer(void *context) {
  struct job *job = context;
  struct slot *slot;
  while ((slot = ring_take(&job->ring)) != NULL) {
    if (!write_frame(job, &job->frames.frames[slot->tag], slot->data)) {
      ring_abandon(&job->ring);
      break;
    }
    ring_release(&job->ring);
  }
  return NULL;
}

/* Fills the buffer from stdin; returns the bytes got, fewer only at the end of the stream. */
static size_t read_stream(uint8_t *buffer, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    ssize_t got = read(STDIN_FILENO, buffer + done, bytes - done);
    if (got > 0) done += (size_t)got;
    else if (got == 0 || errno != EINTR) break;
  }
  return done;
}

/* Decompresses into the slot and compares with the index. */
static bool open_frame(const struct job *job, uint64_t number, uint64_t offset, ZSTD_DCtx *zstd, struct sha256 *hash,
                       const uint8_t *packed, struct slot *slot, struct failure *why) {
  const struct frame *frame = &job->frames.frames[number];
  const struct chunk *chunk = &job->index.chunks[frame->first];
  uint8_t digest[SHA256_BYTES];
  size_t bytes = ZSTD_decompressDCtx(zstd, slot->data, job->index.chunk_bytes_max, packed, frame->bytes);
  const char *what = NULL;
  if (ZSTD_isError(bytes)) {
    what = ZSTD_getErrorName(bytes);
  } else if (bytes != chunk->bytes) {
    what = "its content is of another length";
  } else {
    sha256_add(hash, slot->data, bytes);
    sha256_end(hash, digest);
    if (memcmp(digest, chunk->sha256, sizeof digest) != 0) what = "its content has another sha256";
  }
  slot->bytes = chunk->bytes;
  slot->tag = number;
  return what == NULL ||
         fail(why, CORRUPT, "frame %llu at offset %llu of the data is corrupt (%s): fetch the data again from there",
              (unsigned long long)number, (unsigned long long)offset, what);
}

/* Feeds the ring from stdin until the last frame, the end of the stream, a corrupt frame or a writer's failure. */
static void feed(struct job *job, struct failure *why) {
  uint64_t offset = job->progress.data_offset, first = job->progress.frames_done;
  uint8_t *packed = malloc(job->frames.frame_bytes_max + 1);
  ZSTD_DCtx *zstd = ZSTD_createDCtx();
  struct sha256 *hash = sha256_new();
  if (packed == NULL || zstd == NULL) fail(why, LOCAL, "memory ended: the machine has too little of it");

  for (uint64_t i = first; why->code == DONE && i < job->frames.count; i++) {
    size_t wanted = job->frames.frames[i].bytes, got = read_stream(packed, wanted);
    if (got < wanted) {
      fail(why, ENDED, "the stream ended at byte %llu of %llu of the data: send it again from byte %llu",
           (unsigned long long)(offset + got), (unsigned long long)job->frames.bytes, (unsigned long long)offset);
      break;
    }
    struct slot *slot = ring_reserve(&job->ring);
    if (slot == NULL || !open_frame(job, i, offset, zstd, hash, packed, slot, why)) break;
    ring_publish(&job->ring);
    offset += wanted;
  }
  sha256_free(hash);
  ZSTD_freeDCtx(zstd);
  free(packed);
}

/* Takes up the work of an earlier run: works out from its finished frames what the device holds already. */
static bool resume(struct job *job, struct failure *why) {
  struct progress *progress = &job->progress;
  bool found;
  if (!progress_read(progress, &found, why)) return false;
  if (!found) return true;

  const struct chunk *chunks = job->index.chunks;
  uint64_t offset = 0, bytes = 0;
  bool fits = progress->bytes_total == job->index.bytes && progress->frames_done <= job->frames.count;
  for (uint64_t f = 0; fits && f < progress->frames_done; f++) {
    const struct frame *frame = &job->frames.frames[f];
    offset += frame->bytes;
    for (uint32_t i = frame->first; i != NO_CHUNK; i = chunks[i].next) bytes += chunks[i].bytes;
  }
  if (!fits || progress->data_offset != offset || progress->bytes_done < bytes ||
      progress->bytes_done > progress->bytes_total)
    return fail(why, MALFORMED, "%s does not belong to this image: remove it and send the data from its start",
                progress->path);
  progress->bytes_done = bytes; /* zeros that were begun are begun again */
  return true;
}

/* Runs both threads; afterwards the frames that progress tells of are on the device. */
static void stream(struct job *job, struct failure *why) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, writer, job);
  if (error != 0) {
    fail(why, LOCAL, "a thread cannot be started (%s)", strerror(error));
    return;
  }
  feed(job, why);
  ring_close(&job->ring);
  pthread_join(thread, NULL);
  /* What the writer met is the cause, whatever became of the stream meanwhile. */
  if (job->writing.code != DONE) *why = job->writing;
}

struct zeroing {
  struct progress *progress;
  struct failure *why;
};

static bool zeroed(void *context, uint64_t bytes) {
  struct zeroing *zeroing = context;
  zeroing->progress->bytes_done += bytes;
  return progress_write(zeroing->progress, false, zeroing->why);
}

/* Writes zeros wherever no chunk lies. */
static bool zero_gaps(struct job *job, struct failure *why) {
  struct zeroing zeroing = {&job->progress, why};
  /* Before Linux 4.9 BLKZEROOUT goes past the page cache: no page that reaches into a gap may still be dirty. */
  if (!device_sync(&job->device, why)) return false;
  for (uint32_t i = 0; i <= job->index.chunk_count; i++) {
    uint64_t start = index_gap_start(&job->index, i), bytes = index_gap_end(&job->index, i) - start;
    if (!device_zero(&job->device, start, bytes, zeroed, &zeroing, why)) return false;
  }
  return true;
}

static bool run(struct job *job, struct failure *why) {
  /* A larger pipe lets the sender go on while a frame is worked on; without it all is the same but slower. */
  fcntl(STDIN_FILENO, F_SETPIPE_SZ, 1 << 20);
  if (!progress_write(&job->progress, true, why)) return false;
  if (!ring_open(&job->ring, job->index.chunk_bytes_max, RING_BYTES, why)) return false;
  stream(job, why);
  ring_free(&job->ring);

  if (why->code == DONE) zero_gaps(job, why);
  /* Also after a stream that broke: what the progress file tells of shall be there. */
  struct failure syncing = {0}, ignored = {0};
  if (why->code != DEVICE && !device_sync(&job->device, &syncing)) *why = syncing;
  return progress_write(&job->progress, true, why->code == DONE ? why : &ignored) && why->code == DONE;
}

bool write_image(const char *index_path, const char *frames_path, const char *device_path, const char *progress_path,
                 struct failure *why) {
  struct job job = {.device.fd = -1};
  bool good = index_read(&job.index, index_path, why) &&
              frames_read(&job.frames, frames_path, &job.index, index_path, why) &&
              progress_open(&job.progress, progress_path, job.index.bytes, why) && resume(&job, why) &&
              device_open_writing(&job.device, device_path, job.index.bytes, why) && run(&job, why);
  device_close(&job.device);
  frames_free(&job.frames);
  index_free(&job.index);
  return good;
}
