import { setFlagsFromString } from 'node:v8';

/** Above so many files, what is held of them outweighs the program itself. */
const MANY_FILES = 60_000;

/**
 * For the process of one build: with many files to hold, V8 collects early from here on instead of letting its heap grow to
 * twice what is in use. Small builds keep the CPU time that it costs. Source: V8, src/heap/heap.cc,
 * `ShouldOptimizeForMemoryUsage`.
 */
export function spareMemory(files: number): void {
  if (files > MANY_FILES) setFlagsFromString('--optimize-for-size');
}
