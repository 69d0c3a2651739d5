import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { imageArchive } from '../../server/http/image-archive.ts';
import { run } from '../cli/run.ts';
import { storeWorld } from '../fixtures/store-world.ts';

/** A real server process is killed at random moments of an import; whatever it reached, the store verifies. */

const ROOT = join(import.meta.dirname, '../..');
const ROUNDS = 10;
const SEED = 20261124;

type Server = { readonly adminUrl: string; end(signal: NodeJS.Signals): Promise<number | null> };

async function serve(data: string): Promise<Server> {
  const argv = ['server/main.ts', 'serve', '--data', data, '--tftp-listen', 'off'];
  const listen = ['--boot-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'];
  const server = spawn(process.execPath, [...argv, ...listen], {
    cwd: ROOT,
    env: { ...process.env, WARMBOOT_LOG: 'error' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(server, 'exit');
  const [ready] = await once(server.stdout, 'data');
  return {
    adminUrl: JSON.parse(String(ready)).adminUrl,
    end: async (signal) => {
      server.kill(signal);
      return (await ended)[0];
    },
  };
}

test('SIGKILL at random moments of an import', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-killed-'));
  const data = join(folder, 'data');
  const source = storeWorld(join(folder, 'source'));
  try {
    const files: string[] = [];
    for (let at = 0; at <= ROUNDS; at += 1) {
      const chunks = Array.from({ length: 60 }, (_, i) => `c${at * 5 + i}`);
      const digest = await source.build('x', { chunks, kernel: `kernel ${at}` });
      const archive = await imageArchive(source.library, digest, { name: `image-${at}`, tag: 'latest' });
      if (!archive) throw new Error('no archive');
      const parts: Uint8Array[] = [];
      const signal = new AbortController().signal;
      for await (const part of archive.read({ start: 0, end: archive.sizeBytes }, signal)) parts.push(part);
      files.push(join(folder, `${at}.tar`));
      writeFileSync(files[at] ?? '', Buffer.concat(parts));
    }
    let finished = 0;
    let server = await serve(data);
    const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
    const on = (...argv: string[]) => run([...argv, '--server', server.adminUrl, '--token', token]);
    // One undisturbed, to know how long it takes on this machine.
    const began = performance.now();
    expect(await on('image', 'import', files[ROUNDS] ?? '')).toMatchObject({ code: 0 });
    let whole = performance.now() - began;
    const shares = fc.sample(fc.integer({ min: 0, max: 120 }), { seed: SEED, numRuns: ROUNDS });
    for (const [at, share] of shares.entries()) {
      const started = performance.now();
      const importing = on('image', 'import', files[at] ?? '').then(({ code }) => ({
        code,
        ms: performance.now() - started,
      }));
      await pause((whole * share) / 100);
      await server.end('SIGKILL');
      const { code, ms } = await importing;
      if (code === 0) {
        finished += 1;
        // The machine is less busy than it was.
        whole = Math.min(whole, ms);
      }
      server = await serve(data);
      expect(await on('image', 'verify')).toMatchObject({ code: 0 });
      const { images } = JSON.parse((await on('images', '--json')).stdout);
      const known = images.map(({ digest }: { digest: string }) => digest.slice('sha256:'.length)).sort();
      expect(readdirSync(join(data, 'images')).sort()).toEqual(known);
      expect(images.length).toBeGreaterThanOrEqual(finished);
    }
    expect(finished).toBeLessThan(ROUNDS);
    for (const file of files) expect(await on('image', 'import', file)).toMatchObject({ code: 0 });
    expect(await on('image', 'verify')).toMatchObject({ code: 0, stdout: '' });
    expect(await server.end('SIGTERM')).toBe(0);
  } finally {
    await source.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
