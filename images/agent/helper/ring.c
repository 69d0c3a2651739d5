#include "ring.h"

#include <stdlib.h>

enum { ALIGNMENT = 4096 };

bool ring_open(struct ring *ring, size_t slot_bytes, size_t memory_bytes, struct failure *why) {
  size_t stride = (slot_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t count = memory_bytes / stride;
  if (count < 2) count = 2;
  *ring = (struct ring){.count = (uint32_t)count};
  ring->last = &ring->full;
  ring->slots = calloc(count, sizeof *ring->slots);
  ring->memory = aligned_alloc(ALIGNMENT, count * stride);
  if (ring->slots == NULL || ring->memory == NULL) {
    free(ring->slots);
    free(ring->memory);
    return fail(why, LOCAL, "memory ended: %zu bytes of buffers are needed", count * stride);
  }
  for (size_t i = 0; i < count; i++) {
    ring->slots[i].data = ring->memory + i * stride;
    ring->slots[i].next = ring->empty;
    ring->empty = &ring->slots[i];
  }
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
  while (!ring->abandoned && ring->empty == NULL) pthread_cond_wait(&ring->changed, &ring->lock);
  struct slot *slot = ring->abandoned ? NULL : ring->empty;
  if (slot != NULL) ring->empty = slot->next;
  pthread_mutex_unlock(&ring->lock);
  return slot;
}

struct slot *ring_take(struct ring *ring) {
  pthread_mutex_lock(&ring->lock);
  while (!ring->closed && ring->full == NULL) pthread_cond_wait(&ring->changed, &ring->lock);
  struct slot *slot = ring->full;
  if (slot != NULL) ring->full = slot->next;
  if (ring->full == NULL) ring->last = &ring->full;
  pthread_mutex_unlock(&ring->lock);
  return slot;
}

/* The slot, if there is one, goes to the end of the full ones or to the empty ones. */
static void change(struct ring *ring, struct slot *slot, bool is_full, bool closed, bool abandoned) {
  pthread_mutex_lock(&ring->lock);
  if (slot != NULL && is_full) {
    slot->next = NULL;
    *ring->last = slot;
    ring->last = &slot->next;
  } else if (slot != NULL) {
    slot->next = ring->empty;
    ring->empty = slot;
  }
  ring->closed |= closed;
  ring->abandoned |= abandoned;
  pthread_cond_broadcast(&ring->changed);
  pthread_mutex_unlock(&ring->lock);
}

void ring_publish(struct ring *ring, struct slot *slot) { change(ring, slot, true, false, false); }
void ring_return(struct ring *ring, struct slot *slot) { change(ring, slot, false, false, false); }
void ring_release(struct ring *ring, struct slot *slot) { change(ring, slot, false, false, false); }
void ring_close(struct ring *ring) { change(ring, NULL, false, true, false); }
void ring_abandon(struct ring *ring) { change(ring, NULL, false, false, true); }
