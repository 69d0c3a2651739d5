/**
 * What a host that has one image is sent for another, headers of index and frames included: with index and frames as they are, and
 * without what the host has in its own index. Computed from what a server answers; nothing is staged (staging.ts does that).
 *
 * Usage: index-bytes.ts DATA FROM TO [FROM TO]…   DATA: a data folder that no server uses; images by digest
 */
import { request } from 'node:http';
import { startLocalServer } from '../lab/local-server.ts';
import { markdown } from './workspace.ts';

const [data = '', ...digests] = process.argv.slice(2);
const server = await startLocalServer(data);
try {
  const rows = [
    [
      'new chunks, compressed',
      'index, frames',
      '÷ new',
      'beside the old index',
      '÷ new',
      'kernel, initrd: sent before',
      'now',
    ],
  ];
  for (let i = 0; i + 1 < digests.length; i += 2)
    rows.push(await pair(digests[i] ?? '', digests[i + 1] ?? ''));
  process.stdout.write(`${markdown(rows)}\n`);
} finally {
  await server.close();
}

async function pair(from: string, to: string): Promise<string[]> {
  const [old, index, frames] = [
    await answer(from, 'index.json'),
    await answer(to, 'index.json'),
    await answer(to, 'frames.json'),
  ];
  const [before, after] = [JSON.parse(old.text), JSON.parse(index.text)];
  const have = new Set(before.chunks.map(({ sha256 }: { sha256: string }) => sha256));
  const fresh = (JSON.parse(frames.text).frames as { chunk: string; bytes: number }[])
    .filter(({ chunk }) => !have.has(chunk))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const plain = index.bytes + frames.bytes;
  const coded = (await answer(to, 'index.json', from)).bytes + (await answer(to, 'frames.json', to)).bytes;
  const files = [after.kernel, after.initrd] as { bytes: number; sha256: string }[];
  const others = [before.kernel.sha256, before.initrd.sha256];
  const sum = (all: typeof files) => all.reduce((bytes, each) => bytes + each.bytes, 0);
  const ratio = (bytes: number) => ((fresh + bytes) / fresh).toFixed(3);
  const sizes = [sum(files), sum(files.filter(({ sha256 }, each) => sha256 !== others[each]))];
  return [`${fresh}`, `${plain}`, ratio(plain), `${coded}`, ratio(coded), ...sizes.map(String)];
}

/** @param known the image whose index the asker has */
function answer(digest: string, file: string, known = ''): Promise<{ bytes: number; text: string }> {
  const dictionary = Buffer.from(known.slice('sha256:'.length), 'hex').toString('base64');
  const headers = known ? { 'accept-encoding': 'dcz', 'available-dictionary': `:${dictionary}:` } : {};
  return new Promise((resolve, reject) => {
    const url = new URL(`/boot/images/${digest}/${file}`, server.url);
    const call = request(url, { headers, agent: false }, async (got) => {
      const parts: Buffer[] = [];
      for await (const part of got) parts.push(part);
      const body = Buffer.concat(parts);
      if (got.statusCode !== 200) return reject(new Error(`${url}: ${got.statusCode} ${body}`));
      const head = got.rawHeaders.reduce(
        (sum, each) => sum + each.length + 2,
        'HTTP/1.1 200 OK\r\n\r\n'.length,
      );
      return resolve({ bytes: head + body.length, text: body.toString() });
    });
    call.once('error', reject).end();
  });
}
