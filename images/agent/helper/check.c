/* Reads the device back and stops at the first thing that is not what the index says. */
#include "commands.h"
#include "progress.h"
#include "scan.h"

struct check {
  const struct index *index;
  const char *path;
  struct progress *progress;
  struct failure *why;
};

static bool chunk(void *context, uint32_t number, const uint8_t *found, bool is_right) {
  struct check *check = context;
  const struct chunk *wrong = &check->index->chunks[number];
  char wanted[SHA256_HEX], hex[SHA256_HEX];
  if (is_right) return true;
  sha256_hex(wrong->sha256, wanted);
  sha256_hex(found, hex);
  return fail(check->why, MISMATCH,
              "chunk %u at offset %llu (%u bytes) of %s reads back with sha256 %s instead of %s: write the image "
              "again; if that does not help, the disk fails",
              number, (unsigned long long)wrong->offset, wrong->bytes, check->path, hex, wanted);
}

static bool gap(void *context, uint64_t offset, uint64_t bytes, uint64_t first_byte, bool is_zero) {
  struct check *check = context;
  (void)offset, (void)bytes;
  return is_zero || fail(check->why, MISMATCH,
                         "offset %llu of %s, which no chunk covers, does not read as zero: write the image again; if "
                         "that does not help, the disk fails",
                         (unsigned long long)first_byte, check->path);
}

static bool step(void *context, uint64_t bytes) {
  struct check *check = context;
  check->progress->bytes_done += bytes;
  return progress_write(check->progress, false, check->why);
}

bool check_image(const char *index_path, const char *device_path, const char *progress_path, struct failure *why) {
  struct index index = {0};
  struct device device = {.fd = -1};
  struct progress progress;
  struct check check = {.index = &index, .path = device_path, .progress = &progress, .why = why};
  struct scan scan = {.chunk = chunk, .gap = gap, .step = step, .context = &check};
  bool good = index_read(&index, index_path, why) && progress_open(&progress, progress_path, index.bytes, why) &&
              device_open_reading(&device, device_path, index.bytes, why) && progress_write(&progress, true, why) &&
              scan_device(&scan, &index, &device, why) && progress_write(&progress, true, why);
  device_close(&device);
  index_free(&index);
  return good;
}
