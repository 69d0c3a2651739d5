import { expect, test } from 'vitest';
import { CHUNKING } from '../../server/core/chunks.ts';
import type { Digest } from '../../server/core/digest.ts';
import {
  frameOrder,
  framesMismatch,
  type ImageIndex,
  layOutFrames,
  parseFrames,
  parseIndex,
  serializeFrames,
  serializeIndex,
} from '../../server/core/image-index.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const DIGEST = `sha256:${'d'.repeat(64)}` as Digest;

const index: ImageIndex = {
  version: 1,
  requires: [],
  kind: 'os',
  architecture: 'amd64',
  os: { id: 'debian', version: '13', name: 'Debian GNU/Linux 13 (trixie)' },
  filesystem: { type: 'ext4', bytes: 1 << 20, uuid: '7761726d-626f-4f74-8000-000000000001' },
  kernel: { release: '6.12.1', bytes: 10, sha256: A },
  initrd: { bytes: 20, sha256: B },
  append: 'console=ttyS0',
  chunking: CHUNKING,
  chunks: [
    { offset: 0, bytes: 4096, sha256: A },
    { offset: 8192, bytes: 8192, sha256: B },
    { offset: 16384, bytes: 4096, sha256: A },
  ],
};

/** What the text says with one thing changed. */
function changed(text: string, change: (json: Record<string, never>) => void): string {
  const json = JSON.parse(text);
  change(json);
  return JSON.stringify(json);
}

test('an index has one text', () => {
  expect(serializeIndex(index)).toBe(
    '{"version":1,"requires":[],"kind":"os","architecture":"amd64","os":{"id":"debian","version":"13","name":"Debian GNU/Linux 13 (trixie)"},' +
      '"filesystem":{"type":"ext4","bytes":1048576,"uuid":"7761726d-626f-4f74-8000-000000000001"},' +
      `"kernel":{"release":"6.12.1","bytes":10,"sha256":"${A}"},"initrd":{"bytes":20,"sha256":"${B}"},"append":"console=ttyS0",` +
      '"chunking":{"algorithm":"block-crc32","blockBytes":4096,"modulus":16,"minBlocks":4,"maxBlocks":64},' +
      `"chunks":[{"offset":0,"bytes":4096,"sha256":"${A}"},{"offset":8192,"bytes":8192,"sha256":"${B}"},{"offset":16384,"bytes":4096,"sha256":"${A}"}]}\n`,
  );
  const shuffled = Object.fromEntries(Object.entries(index).reverse()) as unknown as ImageIndex;
  expect(serializeIndex(shuffled)).toBe(serializeIndex(index));
});

test('reads what it writes, unknown keys passed over', () => {
  expect(parseIndex(serializeIndex(index))).toEqual({ ok: true, value: index });
  const later = changed(serializeIndex(index), (json) => Object.assign(json, { signedBy: 'someone' }));
  expect(parseIndex(later)).toMatchObject({ ok: true, value: { kind: 'os' } });
});

test('an installer has no filesystem and no chunks', () => {
  const installer: ImageIndex = { ...index, kind: 'installer', filesystem: null, chunks: [] };
  expect(parseIndex(serializeIndex(installer))).toEqual({ ok: true, value: installer });
  expect(parseIndex(serializeIndex({ ...index, kind: 'installer' })).ok).toBe(false);
  expect(parseIndex(serializeIndex({ ...index, filesystem: null })).ok).toBe(false);
});

test.each([
  ['', 'not JSON'],
  ['[]', 'not a JSON object'],
  ['{"version":2}', 'version is 2'],
  [
    changed(serializeIndex(index), (json) => Object.assign(json, { requires: ['patch-frames'] })),
    'patch-frames',
  ],
  [changed(serializeIndex(index), (json) => Object.assign(json, { requires: null })), 'requires'],
  [serializeIndex({ ...index, chunks: [{ offset: 1, bytes: 4096, sha256: A }] }), 'chunk 0 is malformed'],
  [serializeIndex({ ...index, chunks: [{ offset: 0, bytes: 65 * 4096, sha256: A }] }), 'impossible length'],
  [
    serializeIndex({ ...index, chunks: [{ offset: 0, bytes: 4096, sha256: 'A'.repeat(64) }] }),
    'chunk 0 is malformed',
  ],
  [
    serializeIndex({ ...index, chunks: [{ offset: 1 << 20, bytes: 4096, sha256: A }] }),
    'beyond the filesystem',
  ],
  [serializeIndex({ ...index, chunks: [...index.chunks].reverse() }), 'overlaps'],
  [changed(serializeIndex(index), (json) => Object.assign(json, { chunks: [null] })), 'chunk 0 is malformed'],
  [
    changed(serializeIndex(index), (json) => Object.assign(json, { chunking: { ...CHUNKING, modulus: 8 } })),
    'chunking rule',
  ],
  [changed(serializeIndex(index), (json) => Object.assign(json, { kernel: null })), 'kernel'],
])('refuses %#: %s', (text, reason) => {
  const parsed = parseIndex(text);
  expect(parsed.ok ? 'accepted' : parsed.reason).toContain(reason);
});

test('frames follow each other in the order of first use', () => {
  expect(frameOrder(index.chunks).map(({ sha256 }) => sha256)).toEqual([A, B]);
  const frames = layOutFrames(DIGEST, index.chunks, (sha256) => (sha256 === A ? 10 : 20));
  expect(frames.ok && serializeFrames(frames.value)).toBe(
    `{"version":1,"requires":[],"index":"${DIGEST}","compression":"zstd","bytes":30,` +
      `"frames":[{"offset":0,"bytes":10,"chunk":"${A}"},{"offset":10,"bytes":20,"chunk":"${B}"}]}\n`,
  );
  expect(frames.ok && parseFrames(serializeFrames(frames.value))).toEqual(frames);
  expect(frames.ok && framesMismatch(index, frames.value)).toBeNull();
});

test('a chunk without a frame is named', () => {
  expect(layOutFrames(DIGEST, index.chunks, (sha256) => (sha256 === A ? 10 : undefined))).toMatchObject({
    ok: false,
    reason: `chunk ${B} has no frame`,
  });
});

test('frames of another index are noticed', () => {
  const frames = layOutFrames(DIGEST, index.chunks.slice(1), () => 5);
  expect(frames.ok && framesMismatch(index, frames.value)).toContain('frame 0');
});

test('a gap between frames or a wrong sum is refused', () => {
  const frames = layOutFrames(DIGEST, index.chunks, () => 5);
  const text = frames.ok ? serializeFrames(frames.value) : '';
  expect(parseFrames(text.replace('"offset":5', '"offset":6'))).toMatchObject({ ok: false });
  expect(parseFrames(text.replace('"bytes":10', '"bytes":11'))).toMatchObject({ ok: false });
});
