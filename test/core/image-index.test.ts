import { expect, test } from 'vitest';
import { CHUNKING } from '../../server/core/chunks.ts';
import type { Digest } from '../../server/core/digest.ts';
import {
  filesOf,
  frameOrder,
  framesMismatch,
  type ImageIndex,
  layOutFrames,
  parseForeignIndex,
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

test('an installer may have a loader, between initrd and append; without one its text is as it always was', () => {
  const installer: ImageIndex = { ...index, kind: 'installer', filesystem: null, chunks: [] };
  const text = serializeIndex({ ...installer, loader: { bytes: 30, sha256: A } });
  expect(text).toContain(`"sha256":"${B}"},"loader":{"bytes":30,"sha256":"${A}"},"append":`);
  expect(parseIndex(text)).toMatchObject({ ok: true, value: { loader: { bytes: 30, sha256: A } } });
  expect(serializeIndex(installer)).not.toContain('loader');
  const bad = [
    serializeIndex({ ...index, loader: { bytes: 30, sha256: A } }),
    changed(text, (json) => Object.assign(json, { loader: { bytes: -1, sha256: A } })),
    changed(text, (json) => Object.assign(json, { loader: 'x' })),
  ];
  for (const wrong of bad)
    expect(parseIndex(wrong)).toMatchObject({ ok: false, reason: 'loader is malformed' });
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
  [serializeIndex({ ...index, append: 'a;b' }), 'append holds ";"'],
  [serializeIndex({ ...index, append: 'a\nb' }), 'append holds'],
  [serializeIndex({ ...index, append: 'a'.repeat(1025) }), '1024 characters'],
  [serializeIndex({ ...index, architecture: '' }), 'architecture'],
  [serializeIndex({ ...index, architecture: '../x' }), 'architecture'],
  [serializeIndex({ ...index, os: { ...index.os, name: 'a\u001bb' } }), 'os is malformed'],
  [serializeIndex({ ...index, os: { ...index.os, id: 'x'.repeat(257) } }), 'os is malformed'],
  [serializeIndex({ ...index, kernel: { ...index.kernel, release: '..' } }), 'kernel'],
  [serializeIndex({ ...index, kernel: { ...index.kernel, release: 'a/b' } }), 'kernel'],
  [serializeIndex({ ...index, kernel: { ...index.kernel, release: 'x'.repeat(64) } }), 'kernel'],
])('refuses %#: %s', (text, reason) => {
  const parsed = parseIndex(text);
  expect(parsed.ok ? 'accepted' : parsed.reason).toContain(reason);
});

test('an index of another server is taken in its one form only', () => {
  const text = serializeIndex(index);
  expect(parseForeignIndex(text)).toEqual({ ok: true, value: index });
  for (const other of [text.trim(), ` ${text}`, text.replace('"requires":[]', '"requires": []')])
    expect(parseForeignIndex(other)).toMatchObject({
      ok: false,
      reason: 'it is not written in the canonical form',
    });
  expect(parseForeignIndex('{').ok).toBe(false);
});

test('the files that an index vouches for', () => {
  expect(filesOf(index)).toEqual([
    { name: 'kernel', bytes: 10, sha256: A },
    { name: 'initrd', bytes: 20, sha256: B },
  ]);
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
