#include "flash.h"

#include "fetcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * ---- on the device itself ----
 *
 * Each content that shall move is read at one place and written to others, where what still has to be read of another
 * may lie. So it waits until all of those were read. Where they wait for each other in a circle, one is read ahead and
 * held in memory. A power cut in between costs what was held and what was half written: the next run finds the rest.
 */

enum { HELD_BYTES = 8 << 20 };

struct move {
  uint32_t source;  /* the chunk of the former index, NO_CHUNK: another place of the same content */
  uint32_t blocked; /* how many sources of others lie where it shall go */
  uint32_t walk;    /* the last search for a circle that came by */
  bool is_pending, is_queued;
  uint8_t *held;
};

struct moves {
  struct flash *flash;
  struct index former;
  struct move *all;   /* by content */
  uint32_t *owner;    /* of each former chunk: the content that is read from it, or NO_CHUNK */
  uint32_t *queue;    /* contents that nothing blocks */
  uint32_t head, tail, walks;
  size_t held_bytes;
};

/* The first chunk that ends behind the offset. */
static uint32_t first_behind(const struct index *index, uint64_t offset) {
  uint32_t low = 0, high = index->chunk_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (index->chunks[middle].offset + index->chunks[middle].bytes > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

static bool overlaps(const struct index *index, uint32_t number, const struct chunk *other) {
  return number < index->chunk_count && index->chunks[number].offset < other->offset + other->bytes;
}

static void find_moves(struct moves *moves) {
  struct flash *flash = moves->flash;
  const struct index *index = &flash->index;
  for (uint32_t i = 0; i < index->chunk_count; i++) {
    uint32_t content = index->first[i];
    if (flash->right[i] && !flash_has(flash, content))
      moves->all[content] = (struct move){.source = NO_CHUNK, .is_pending = true};
  }
  for (uint32_t j = 0; j < moves->former.chunk_count; j++) {
    const struct chunk *chunk = &moves->former.chunks[j];
    uint32_t content = index_find(index, chunk->sha256);
    moves->owner[j] = NO_CHUNK;
    if (content == NO_CHUNK || index->chunks[content].bytes != chunk->bytes || moves->all[content].is_pending ||
        flash_has(flash, content))
      continue;
    moves->all[content] = (struct move){.source = j, .is_pending = true};
    moves->owner[j] = content;
  }
}

/* Calls `each` for every source of another content that lies where this one shall go, until one returns true. */
static bool each_blocker(struct moves *moves, uint32_t content, bool each(struct moves *, uint32_t, uint32_t)) {
  const struct chunk *chunks = moves->flash->index.chunks;
  for (uint32_t i = content; i != NO_CHUNK; i = chunks[i].next) {
    if (moves->flash->right[i]) continue;
    for (uint32_t j = first_behind(&moves->former, chunks[i].offset); overlaps(&moves->former, j, &chunks[i]); j++)
      if (moves->owner[j] != NO_CHUNK && moves->owner[j] != content && each(moves, content, moves->owner[j])) return true;
  }
  return false;
}

static bool count_blocker(struct moves *moves, uint32_t content, uint32_t blocker) {
  (void)blocker;
  moves->all[content].blocked++;
  return false;
}

static void enqueue(struct moves *moves, uint32_t content) {
  struct move *move = &moves->all[content];
  if (!move->is_pending || move->is_queued || move->blocked > 0) return;
  move->is_queued = true;
  moves->queue[moves->tail++] = content;
}

/* Its source was read, or is given up: whoever waited for that may go on. */
static void release(struct moves *moves, uint32_t content) {
  const struct index *index = &moves->flash->index;
  uint32_t source = moves->all[content].source;
  if (source == NO_CHUNK || moves->owner[source] != content) return;
  const struct chunk *chunk = &moves->former.chunks[source];
  moves->owner[source] = NO_CHUNK;
  for (uint32_t i = first_behind(index, chunk->offset); overlaps(index, i, chunk); i++) {
    uint32_t other = index->first[i];
    if (other == content || moves->flash->right[i] || !moves->all[other].is_pending) continue;
    moves->all[other].blocked--;
    enqueue(moves, other);
  }
}

/* Reads the content into flash->buffer from where it is, if it still is there. */
static bool read_source(struct moves *moves, uint32_t content) {
  struct flash *flash = moves->flash;
  const struct move *move = &moves->all[content];
  if (move->source != NO_CHUNK)
    return flash_read(flash, content, &flash->device, moves->former.chunks[move->source].offset);
  for (uint32_t i = content; i != NO_CHUNK; i = flash->index.chunks[i].next)
    if (flash->right[i]) return flash_read(flash, content, &flash->device, flash->index.chunks[i].offset);
  return false;
}

static void drop(struct moves *moves, uint32_t content) {
  moves->all[content].is_pending = false;
  release(moves, content);
}

static bool make_move(struct moves *moves, uint32_t content, struct failure *why) {
  struct move *move = &moves->all[content];
  const uint8_t *data = move->held;
  if (data == NULL) {
    if (!read_source(moves, content)) {
      drop(moves, content);
      return true;
    }
    data = moves->flash->buffer;
    release(moves, content);
  }
  move->is_pending = false;
  bool good = flash_put(moves->flash, content, data, why);
  if (move->held != NULL) {
    moves->held_bytes -= moves->flash->index.chunks[content].bytes;
    free(move->held);
    move->held = NULL;
  }
  return good;
}

static bool take_blocker(struct moves *moves, uint32_t content, uint32_t blocker) {
  (void)content;
  moves->queue[moves->tail] = blocker; /* as a scratch place: nothing is queued now */
  return true;
}

/* From one that is blocked to the one that blocks it, and so on: the first that is met again is part of a circle. */
static uint32_t find_circle(struct moves *moves, uint32_t content) {
  uint32_t walk = ++moves->walks;
  while (moves->all[content].walk != walk) {
    moves->all[content].walk = walk;
    if (!each_blocker(moves, content, take_blocker)) break;
    content = moves->queue[moves->tail];
  }
  return content;
}

/* Nothing can move before something else does: one is read ahead, or given up where too much is held already. */
static void break_circle(struct moves *moves, uint32_t blocked) {
  uint32_t content = find_circle(moves, blocked);
  struct move *move = &moves->all[content];
  uint32_t bytes = moves->flash->index.chunks[content].bytes;
  if (moves->held_bytes + bytes <= HELD_BYTES && read_source(moves, content)) move->held = malloc(bytes);
  if (move->held == NULL) {
    drop(moves, content);
    return;
  }
  memcpy(move->held, moves->flash->buffer, bytes);
  moves->held_bytes += bytes;
  release(moves, content);
}

static bool make_moves(struct moves *moves, struct failure *why) {
  const struct index *index = &moves->flash->index;
  find_moves(moves);
  for (uint32_t i = 0; i < index->chunk_count; i++)
    if (index->first[i] == i && moves->all[i].is_pending) each_blocker(moves, i, count_blocker);
  for (uint32_t i = 0; i < index->chunk_count; i++)
    if (index->first[i] == i) enqueue(moves, i);
  for (uint32_t next = 0; next < index->chunk_count;) {
    if (moves->head < moves->tail) {
      if (!make_move(moves, moves->queue[moves->head++], why)) return false;
    } else if (moves->all[next].is_pending && index->first[next] == next) {
      break_circle(moves, next);
    } else {
      next++;
    }
  }
  return true;
}

/* Says why an index is not used; that is no failure. */
static bool read_hint(struct index *index, const char *path) {
  struct failure why = {0};
  if (index_read(index, path, &why)) return true;
  fprintf(stderr, "warmboot-helper: nothing is reused by %s: %s\n", path, why.text);
  index_free(index);
  return false;
}

bool reuse_device(struct flash *flash, const char *former_path, struct failure *why) {
  struct moves moves = {.flash = flash};
  if (former_path != NULL) read_hint(&moves.former, former_path);
  moves.all = calloc(flash->index.chunk_count + 1, sizeof *moves.all);
  moves.queue = calloc(flash->index.chunk_count + 1, sizeof *moves.queue);
  moves.owner = malloc((moves.former.chunk_count + 1) * sizeof *moves.owner);
  bool good = moves.all != NULL && moves.queue != NULL && moves.owner != NULL
                  ? make_moves(&moves, why)
                  : fail(why, LOCAL, "memory ended: the machine has too little of it");
  for (uint32_t i = 0; moves.all != NULL && i < flash->index.chunk_count; i++) free(moves.all[i].held);
  free(moves.all);
  free(moves.queue);
  free(moves.owner);
  index_free(&moves.former);
  return good;
}

/* ---- on other devices ---- */

static bool copy_chunks(struct flash *flash, const struct index *source, struct device *device, struct failure *why) {
  for (uint32_t j = 0; j < source->chunk_count; j++) {
    const struct chunk *chunk = &source->chunks[j];
    uint32_t content = index_find(&flash->index, chunk->sha256);
    if (content == NO_CHUNK || flash->index.chunks[content].bytes != chunk->bytes || flash_has(flash, content)) continue;
    if (flash_read(flash, content, device, chunk->offset) && !flash_put(flash, content, flash->buffer, why)) return false;
    if (is_stopped()) return fail(why, ENDED, "it was told to stop");
  }
  return true;
}

bool reuse_other(struct flash *flash, const char *index_path, const char *device_path, struct failure *why) {
  struct index source = {0};
  struct device device = {.fd = -1};
  struct failure opening = {0};
  bool good = true;
  if (read_hint(&source, index_path)) {
    if (device_open_source(&device, device_path, &opening)) {
      device.pace = &flash->pace;
      good = copy_chunks(flash, &source, &device, why);
    } else {
      fprintf(stderr, "warmboot-helper: nothing is reused of %s: %s\n", device_path, opening.text);
    }
  }
  device_close(&device);
  index_free(&source);
  return good;
}
