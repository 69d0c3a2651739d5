#include "ring.h"

#include <stdlib.h>

enum { ALIGNMENT = 4096 };

bool ring_open(struct ring *ring, size_t slot_bytes, size_t memory_bytes, struct failure *why) {
  size_t stride = (slot_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t count = memory_bytes / stride;
  if (count < 2) count = 2;
  *ring = (struct ring){.count = (uint32_t)count};
  ring->slots = calloc(count, sizeof *ring->slots);
  ring->memory = aligned_alloc(ALIGNMENT, count * stride);
  if (ring->slots == NULL || ring->memory == NULL) {
    free(ring->slots);
    free(ring->memory);
    return fail(why, LOCAL, "memory ended: %zu bytes of buffers are needed", count * stride);
  }
  for (size_t i = 0; i < count; i++) ring->slots[i].data = ring->memory + i * stride;
  pthread_mutex_init(&ring->lock, NULL);
  pthread_cond_init(&ring->changed, NULL);
  return true;
}

void ring_free(struct ring *ring) {
  pthread_cond_destroy(&ring->changed);
  pthread_mutex_destroy(&ring->lock);
  free(ring->memory);
  free(ring->slots);
}

struct slot *ring_reserve(struct ring *ring) {
  pthread_mutex_lock(&ring->lock);
  while (!ring->abandoned && ring->filled - ring->emptied == ring->count)
    pthread_cond_wait(&ring->changed, &ring->lock);
  struct slot *slot = ring->abandoned ? NULL : &ring->slots[ring->filled % ring->count];
  pthread_mutex_unlock(&ring->lock);
  return slot;
}

struct slot *ring_take(struct ring *ring) {
  pthread_mutex_lock(&ring->lock);
  while (!ring->closed && ring->filled == ring->emptied) pthread_cond_wait(&ring->changed, &ring->lock);
  struct slot *slot = ring->filled == ring->emptied ? NULL : &ring->slots[ring->emptied % ring->count];
  pthread_mutex_unlock(&ring->lock);
  return slot;
}

static void change(struct ring *ring, uint64_t filled, uint64_t emptied, bool closed, bool abandoned) {
  pthread_mutex_lock(&ring->lock);
  ring->filled += filled;
  ring->emptied += emptied;
  ring->closed |= closed;
  ring->abandoned |= abandoned;
  pthread_cond_broadcast(&ring->changed);
  pthread_mutex_unlock(&ring->lock);
}

void ring_publish(struct ring *ring) { change(ring, 1, 0, false, false); }
void ring_release(struct ring *ring) { change(ring, 0, 1, false, false); }
void ring_close(struct ring *ring) { change(ring, 0, 0, true, false); }
void ring_abandon(struct ring *ring) { change(ring, 0, 0, false, true); }
