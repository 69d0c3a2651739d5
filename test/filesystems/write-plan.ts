import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import type { FilesystemPlan } from '../../server/filesystems/piece.ts';

const WINDOW = 1 << 20;

/** Writes a plan into a new sparse file. */
export function writePlan(plan: FilesystemPlan, file: string): void {
  const out = openSync(file, 'w');
  try {
    ftruncateSync(out, plan.bytes);
    for (const { offset, bytes, from } of plan.pieces()) {
      if (from.kind === 'made') {
        const made = from.make();
        if (made.length !== bytes) throw new Error(`a piece of ${bytes} bytes came as ${made.length}`);
        writeSync(out, made, 0, bytes, offset);
      } else copy(from, out, offset);
    }
  } finally {
    closeSync(out);
  }
}

function copy(from: { file: string; offset: number; bytes: number }, out: number, offset: number): void {
  const source = openSync(from.file, 'r');
  try {
    const window = Buffer.alloc(Math.min(WINDOW, from.bytes));
    for (let at = 0; at < from.bytes; ) {
      const read = readSync(source, window, 0, Math.min(window.length, from.bytes - at), from.offset + at);
      if (read === 0) throw new Error(`${from.file} ends too early`);
      writeSync(out, window, 0, read, offset + at);
      at += read;
    }
  } finally {
    closeSync(source);
  }
}
