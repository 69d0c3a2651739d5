/*
 * What is missing becomes runs of frames that lie one behind the other in `data`; small gaps between runs are read through.
 * Each stream takes some runs, has them fetched, decompresses and hashes; one writer puts what is right onto the device.
 * A stream takes less the less there is left, so that all end at about the same time.
 *
 * Stream 0 is there to the end. Others come when it has got its first frame, and may go: what they leave is fetched by who
 * is still there.
 */
#include "flash.h"

#include "fetcher.h"
#include "ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

enum {
  RING_BYTES = 8 << 20,
  LEAST_TAKEN = 4 << 20, /* bytes; below that a connection costs more than it brings */
  RUNS_TAKEN = 128,
  RANGE_LETTERS = 44, /* two numbers of 20 digits and what is between */
  READ_THROUGH = 32,  /* of what is missing, one part in so many may be fetched in vain */
  SKIP_BYTES = 1 << 16,
  FRUITLESS_MS = 100,
};

/* Frames from first to before end. */
struct run {
  uint32_t first, end;
};

struct fetch {
  struct flash *flash;
  char **words;
  unsigned streams;
  struct ring ring;
  uint64_t *starts; /* where each frame begins in `data`, and the end of the last */
  bool *missing;    /* of each frame */
  struct failure writing; /* the writer's own */

  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct run *todo; /* a stack: the next on top */
  uint32_t todo_count;
  uint64_t left;     /* bytes of todo */
  unsigned working;  /* streams that have taken something */
  uint64_t got;      /* frames that came by stream 0 */
  struct failure why; /* of the first stream that failed */
};

struct stream {
  struct fetch *fetch;
  unsigned number;
  pthread_t thread;
  struct run runs[RUNS_TAKEN]; /* what it has taken; the first may be done in part */
  uint32_t count;
  uint8_t *packed;
  ZSTD_DCtx *zstd;
  struct sha256 *hash;
};

static uint64_t run_bytes(const struct fetch *fetch, struct run run) {
  return fetch->starts[run.end] - fetch->starts[run.first];
}

/* ---- the plan ---- */

static int by_bytes(const void *left, const void *right, void *context) {
  const struct fetch *fetch = context;
  struct run a = *(const struct run *)left, b = *(const struct run *)right;
  uint64_t one = run_bytes(fetch, a), two = run_bytes(fetch, b);
  return one != two ? (one < two ? -1 : 1) : a.first < b.first ? -1 : 1;
}

/* Counts what is missing as to be fetched, and takes the smallest gaps for missing as long as they are cheap. */
static bool read_through(struct fetch *fetch, bool *wanted, struct failure *why) {
  const struct frames *frames = &fetch->flash->frames;
  uint32_t count = 0;
  uint64_t budget = fetch->flash->progress.to_fetch / READ_THROUGH;
  struct run *gaps = malloc((frames->count + 1) * sizeof *gaps);
  if (gaps == NULL) return fail(why, LOCAL, "memory ended: the machine has too little of it");
  uint32_t last = NO_CHUNK; /* the last missing frame so far */
  for (uint32_t f = 0; f < frames->count; f++) {
    if (!wanted[f]) continue;
    if (last != NO_CHUNK && f > last + 1) gaps[count++] = (struct run){last + 1, f};
    last = f;
  }
  qsort_r(gaps, count, sizeof *gaps, by_bytes, fetch);
  for (uint32_t i = 0; i < count && run_bytes(fetch, gaps[i]) <= budget; i++) {
    budget -= run_bytes(fetch, gaps[i]);
    for (uint32_t f = gaps[i].first; f < gaps[i].end; f++) wanted[f] = true;
  }
  free(gaps);
  return true;
}

static bool plan(struct fetch *fetch, struct failure *why) {
  struct flash *flash = fetch->flash;
  const struct frames *frames = &flash->frames;
  bool *wanted = calloc(frames->count + 1, sizeof *wanted);
  fetch->missing = calloc(frames->count + 1, sizeof *fetch->missing);
  fetch->starts = malloc((frames->count + 1) * sizeof *fetch->starts);
  fetch->todo = malloc((frames->count + 1) * sizeof *fetch->todo);
  bool good = wanted != NULL && fetch->missing != NULL && fetch->starts != NULL && fetch->todo != NULL;
  if (!good) fail(why, LOCAL, "memory ended: the machine has too little of it");
  uint64_t at = 0;
  for (uint32_t f = 0; good && f < frames->count; f++) {
    fetch->starts[f] = at;
    fetch->missing[f] = wanted[f] = !flash_has(flash, frames->frames[f].first);
    if (wanted[f]) flash->progress.to_fetch += frames->frames[f].bytes;
    at += frames->frames[f].bytes;
  }
  if (good) fetch->starts[frames->count] = at;
  good = good && read_through(fetch, wanted, why);
  /* From the last to the first, for the stack. */
  for (uint32_t end = good ? frames->count : 0; end > 0;) {
    if (!wanted[end - 1]) {
      end--;
      continue;
    }
    uint32_t first = end;
    while (first > 0 && wanted[first - 1]) first--;
    fetch->todo[fetch->todo_count++] = (struct run){first, end};
    fetch->left += fetch->starts[end] - fetch->starts[first];
    end = first;
  }
  free(wanted);
  return good;
}

/* ---- who does what ---- */

/* Moves runs from todo to the stream, as many bytes as are its share. */
static void take_some(struct fetch *fetch, struct stream *stream) {
  uint64_t share = fetch->streams == 1 ? UINT64_MAX : fetch->left / (2 * fetch->streams);
  if (share < LEAST_TAKEN) share = LEAST_TAKEN;
  while (fetch->todo_count > 0 && stream->count < RUNS_TAKEN && share > 0) {
    struct run *top = &fetch->todo[fetch->todo_count - 1], taken = *top;
    uint32_t end = taken.first;
    while (end < taken.end && fetch->starts[end] - fetch->starts[taken.first] < share) end++;
    /* A small rest goes with it. */
    if (fetch->starts[taken.end] - fetch->starts[end] < LEAST_TAKEN) end = taken.end;
    if (end == taken.end) fetch->todo_count--;
    else top->first = end;
    taken.end = end;
    uint64_t bytes = run_bytes(fetch, taken);
    stream->runs[stream->count++] = taken;
    fetch->left -= bytes;
    share = bytes < share ? share - bytes : 0;
  }
}

/* Waits for something to do; false when all is done, or nothing can be any more. */
static bool take(struct stream *stream) {
  struct fetch *fetch = stream->fetch;
  pthread_mutex_lock(&fetch->lock);
  while (fetch->why.code == DONE && !is_stopped() &&
         (fetch->todo_count == 0 ? fetch->working > 0 : stream->number > 0 && fetch->got == 0))
    pthread_cond_wait(&fetch->changed, &fetch->lock);
  bool good = fetch->todo_count > 0 && fetch->why.code == DONE && !is_stopped();
  if (good) {
    fetch->working++;
    take_some(fetch, stream);
  }
  pthread_mutex_unlock(&fetch->lock);
  return good;
}

/* What the stream has taken is done, or goes back. */
static void give_back(struct stream *stream) {
  struct fetch *fetch = stream->fetch;
  pthread_mutex_lock(&fetch->lock);
  while (stream->count > 0) {
    struct run run = stream->runs[--stream->count];
    fetch->todo[fetch->todo_count++] = run;
    fetch->left += run_bytes(fetch, run);
  }
  fetch->working--;
  pthread_cond_broadcast(&fetch->changed);
  pthread_mutex_unlock(&fetch->lock);
}

/* All streams end because of this one. */
static void end_all(struct fetch *fetch, const struct failure *cause) {
  pthread_mutex_lock(&fetch->lock);
  if (fetch->why.code == DONE) fetch->why = *cause;
  pthread_cond_broadcast(&fetch->changed);
  pthread_mutex_unlock(&fetch->lock);
  fetchers_stop();
}

/* ---- one stream ---- */

static size_t read_pipe(int fd, uint8_t *buffer, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    ssize_t got = read(fd, buffer + done, bytes - done);
    if (got > 0) done += (size_t)got;
    else if (got == 0 || errno != EINTR) break;
  }
  return done;
}

/* Decompresses and compares with the index. */
static bool open_frame(const struct stream *stream, uint32_t number, struct slot *slot, struct failure *why) {
  const struct flash *flash = stream->fetch->flash;
  const struct frame *frame = &flash->frames.frames[number];
  const struct chunk *chunk = &flash->index.chunks[frame->first];
  uint8_t digest[SHA256_BYTES];
  size_t bytes =
      ZSTD_decompressDCtx(stream->zstd, slot->data, flash->index.chunk_bytes_max, stream->packed, frame->bytes);
  const char *what = NULL;
  if (ZSTD_isError(bytes)) {
    what = ZSTD_getErrorName(bytes);
  } else if (bytes != chunk->bytes) {
    what = "its content is of another length";
  } else {
    sha256_add(stream->hash, slot->data, bytes);
    sha256_end(stream->hash, digest);
    if (memcmp(digest, chunk->sha256, sizeof digest) != 0) what = "its content has another sha256";
  }
  slot->bytes = chunk->bytes;
  slot->tag = number;
  return what == NULL || fail(why, CORRUPT, "frame %u at offset %llu of the data is corrupt (%s): fetch it again", number,
                              (unsigned long long)stream->fetch->starts[number], what);
}

/* Reads past a frame that is not missing. */
static bool skip_frame(struct stream *stream, int fd, uint32_t bytes) {
  while (bytes > 0) {
    size_t piece = bytes < SKIP_BYTES ? bytes : SKIP_BYTES;
    if (read_pipe(fd, stream->packed, piece) < piece) return false;
    bytes -= (uint32_t)piece;
  }
  return true;
}

/* Takes one frame from the pipe to the writer; false at the pipe's end, and with why when it is corrupt. */
static bool pass_frame(struct stream *stream, int fd, uint32_t number, struct failure *why) {
  struct fetch *fetch = stream->fetch;
  uint32_t bytes = fetch->flash->frames.frames[number].bytes;
  if (!fetch->missing[number]) return skip_frame(stream, fd, bytes);
  if (read_pipe(fd, stream->packed, bytes) < bytes) return false;
  struct slot *slot = ring_reserve(&fetch->ring);
  if (slot == NULL) return false;
  if (!open_frame(stream, number, slot, why)) {
    ring_return(&fetch->ring, slot);
    return false;
  }
  ring_publish(&fetch->ring, slot);
  return true;
}

/* Takes what comes as far as it is whole, and shortens the stream's runs by it. Returns the number of frames. */
static uint64_t pass_frames(struct stream *stream, int fd, struct failure *why) {
  struct fetch *fetch = stream->fetch;
  uint64_t passed = 0;
  uint32_t done = 0;
  for (; done < stream->count; done++) {
    struct run *run = &stream->runs[done];
    while (run->first < run->end && pass_frame(stream, fd, run->first, why)) {
      run->first++;
      passed++;
      if (passed == 1 && stream->number == 0) {
        pthread_mutex_lock(&fetch->lock);
        fetch->got++;
        pthread_cond_broadcast(&fetch->changed);
        pthread_mutex_unlock(&fetch->lock);
      }
    }
    if (run->first < run->end) break;
  }
  memmove(stream->runs, stream->runs + done, (stream->count - done) * sizeof *stream->runs);
  stream->count -= done;
  return passed;
}

static char *ranges_of(const struct stream *stream) {
  const uint64_t *starts = stream->fetch->starts;
  char *text = malloc((size_t)stream->count * RANGE_LETTERS + 1), *end = text;
  for (uint32_t i = 0; text != NULL && i < stream->count; i++)
    end += sprintf(end, "%s%llu-%llu", i == 0 ? "" : ",", (unsigned long long)starts[stream->runs[i].first],
                   (unsigned long long)starts[stream->runs[i].end] - 1);
  return text;
}

static void pause_a_little(void) {
  struct timespec pause = {.tv_nsec = FRUITLESS_MS * 1000000};
  nanosleep(&pause, NULL);
}

/* Another stream than 0 that got nothing goes on only after stream 0 has got something with a new fetcher. */
static void wait_for_first(struct stream *stream) {
  struct fetch *fetch = stream->fetch;
  pthread_mutex_lock(&fetch->lock);
  uint64_t before = fetch->got;
  while (fetch->got == before && fetch->why.code == DONE && !is_stopped() && (fetch->todo_count > 0 || fetch->working > 0))
    pthread_cond_wait(&fetch->changed, &fetch->lock);
  pthread_mutex_unlock(&fetch->lock);
}

/* Fetches what the stream has taken, once. False: this stream is over. */
static bool fetch_once(struct stream *stream, struct failure *why) {
  struct fetcher fetcher;
  char *ranges = ranges_of(stream);
  bool good = ranges != NULL ? fetcher_start(&fetcher, stream->fetch->words, stream->number, ranges, why)
                             : fail(why, LOCAL, "memory ended: the machine has too little of it");
  free(ranges);
  if (!good) return false;
  uint64_t passed = pass_frames(stream, fetcher.fd, why);
  int code = fetcher_end(&fetcher, why->code != DONE);
  if (why->code != DONE) return false;
  if (stream->count == 0) return true;
  if (is_stopped()) return fail(why, ENDED, "it was told to stop");
  if (code == FETCHER_PARK && stream->number > 0) return false;
  if (code != FETCHER_AGAIN) return fail(why, ENDED, "the fetcher gave up (exit code %d)", code);
  if (passed == 0 && stream->number == 0) pause_a_little();
  return true;
}

static uint64_t bytes_taken(const struct stream *stream) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < stream->count; i++) bytes += run_bytes(stream->fetch, stream->runs[i]);
  return bytes;
}

static void *stream_thread(void *context) {
  struct stream *stream = context;
  struct failure why = {0};
  bool good = true;
  while (good && take(stream)) {
    bool is_fruitless = false;
    while (good && !is_fruitless && stream->count > 0) {
      uint64_t before = bytes_taken(stream);
      good = fetch_once(stream, &why);
      is_fruitless = stream->number > 0 && bytes_taken(stream) == before;
    }
    give_back(stream);
    if (good && is_fruitless) wait_for_first(stream);
  }
  if (why.code != DONE) end_all(stream->fetch, &why);
  return NULL;
}

/* ---- the writer, and all of it ---- */

static void *writer(void *context) {
  struct fetch *fetch = context;
  struct flash *flash = fetch->flash;
  struct slot *slot;
  while ((slot = ring_take(&fetch->ring)) != NULL) {
    const struct frame *frame = &flash->frames.frames[slot->tag];
    flash->progress.fetched += frame->bytes;
    if (!flash_put(flash, frame->first, slot->data, &fetch->writing)) {
      ring_abandon(&fetch->ring);
      end_all(fetch, &fetch->writing);
      break;
    }
    ring_release(&fetch->ring, slot);
  }
  return NULL;
}

static bool open_stream(struct stream *stream, struct failure *why) {
  const struct frames *frames = &stream->fetch->flash->frames;
  size_t room = frames->frame_bytes_max > SKIP_BYTES ? frames->frame_bytes_max : SKIP_BYTES;
  stream->packed = malloc(room);
  stream->zstd = ZSTD_createDCtx();
  stream->hash = sha256_new();
  return (stream->packed != NULL && stream->zstd != NULL) ||
         fail(why, LOCAL, "memory ended: the machine has too little of it");
}

static void close_stream(struct stream *stream) {
  sha256_free(stream->hash);
  ZSTD_freeDCtx(stream->zstd);
  free(stream->packed);
}

/* Starts the threads, and waits until they have ended. */
static void run_streams(struct fetch *fetch, struct stream *streams, struct failure *why) {
  pthread_t writing;
  unsigned started = 0;
  int error = pthread_create(&writing, NULL, writer, fetch);
  bool has_writer = error == 0;
  while (error == 0 && started < fetch->streams) {
    error = pthread_create(&streams[started].thread, NULL, stream_thread, &streams[started]);
    if (error == 0) started++;
  }
  if (error != 0) {
    struct failure starting = {0};
    fail(&starting, LOCAL, "a thread cannot be started (%s)", strerror(error));
    end_all(fetch, &starting);
  }
  for (unsigned i = 0; i < started; i++) pthread_join(streams[i].thread, NULL);
  ring_close(&fetch->ring);
  if (has_writer) pthread_join(writing, NULL);
  /* What the writer met is the cause, whatever became of the streams meanwhile. */
  *why = fetch->writing.code != DONE ? fetch->writing : fetch->why;
  if (why->code == DONE && is_stopped()) fail(why, ENDED, "it was told to stop");
}

static bool run(struct fetch *fetch, struct failure *why) {
  struct stream streams[STREAMS_MAX] = {0};
  size_t chunk_bytes = fetch->flash->index.chunk_bytes_max;
  if (!plan(fetch, why)) return false;
  if (fetch->todo_count == 0) return true;
  if (!progress_write(&fetch->flash->progress, true, why)) return false;
  if (!ring_open(&fetch->ring, chunk_bytes, RING_BYTES, why)) return false;
  /* Each needs a buffer while another is written. */
  if (fetch->streams >= fetch->ring.count) fetch->streams = fetch->ring.count - 1;
  bool good = true;
  for (unsigned i = 0; i < fetch->streams; i++) {
    streams[i].fetch = fetch;
    streams[i].number = i;
    good = good && open_stream(&streams[i], why);
  }
  if (good) run_streams(fetch, streams, why);
  for (unsigned i = 0; i < fetch->streams; i++) close_stream(&streams[i]);
  ring_free(&fetch->ring);
  return why->code == DONE;
}

bool fetch_missing(struct flash *flash, unsigned streams, char **words, struct failure *why) {
  struct fetch fetch = {.flash = flash, .words = words, .streams = streams};
  pthread_mutex_init(&fetch.lock, NULL);
  pthread_cond_init(&fetch.changed, NULL);
  bool good = run(&fetch, why);
  pthread_cond_destroy(&fetch.changed);
  pthread_mutex_destroy(&fetch.lock);
  free(fetch.starts);
  free(fetch.missing);
  free(fetch.todo);
  return good;
}
