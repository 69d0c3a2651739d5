import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeStandIn } from './stand-in.ts';

/**
 * SIGKILL at 50 random moments of a build, the server and its build process alike: what is left verifies, holds no half
 * image, and the next build succeeds.
 */
const KILLS = 50;
const root = mkdtempSync(join(tmpdir(), 'warmboot-killed-'));
const data = join(root, 'data');
const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let images: string;
beforeAll(() => {
  images = makeStandIn(root);
}, 120_000);

function warmboot(...words: string[]): ChildProcess {
  const options = ['--data', data, '--images', images];
  // A group of its own, so that the build process can be killed with its server.
  return spawn(process.execPath, ['--import', 'tsx', main, ...words, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
}

async function run(...words: string[]): Promise<{ code: number | null; out: string; said: string }> {
  const child = warmboot(...words);
  let [out, said] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: out.trim(), said };
}

/** The processes of a group: a server, and below it the build. */
function groupOf(leader: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) === leader;
      } catch {
        return false;
      }
    })
    .map(Number);
}

test(`a build killed at ${KILLS} random moments`, async () => {
  const began = Date.now();
  const clean = await run('build', 'test-os', '--tag', 'first');
  expect(clean, clean.said).toMatchObject({ code: 0 });
  const wholeMs = Date.now() - began;
  rmSync(data, { recursive: true });

  // A seed of the day is printed, so that a failure can be made again.
  let state = Number(process.env.WARMBOOT_TEST_SEED ?? Date.now() % 2 ** 31);
  process.stderr.write(`seed ${state}\n`);
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  let finished = 0;
  for (let round = 0; round < KILLS; round += 1) {
    // Now and then the store is begun anew, so that there is something to write.
    if (random() < 0.4) rmSync(data, { recursive: true, force: true });
    const child = warmboot('build', 'test-os', '--tag', `round-${round}`);
    const closed = once(child, 'close');
    const timer = setTimeout(() => {
      const group = groupOf(child.pid ?? 0);
      // The server alone, the build alone, or both, in either order.
      const pick = random();
      const victims = pick < 0.3 ? group.slice(0, 1) : pick < 0.5 ? group.slice(-1) : group;
      for (const pid of victims) process.kill(pid, 'SIGKILL');
    }, random() * wholeMs);
    const [code] = (await closed) as [number | null];
    clearTimeout(timer);
    if (code === 0) finished += 1;
    if (round % 10 !== 9) continue;
    const verified = await run('image', 'verify');
    expect(verified, verified.said).toMatchObject({ code: 0 });
    const next = await run('build', 'test-os');
    expect(next, next.said).toMatchObject({ code: 0, out: clean.out });
    const again = await run('image', 'verify');
    expect(again, again.said).toMatchObject({ code: 0 });
  }
  expect(finished).toBeLessThan(KILLS);
  // What was not finished left nothing behind.
  await run('images');
  expect(readdirSync(join(data, 'packs')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  expect(readdirSync(join(data, 'images')).filter((name) => name.startsWith('.'))).toEqual([]);
  execFileSync('sync');
}, 900_000);
