import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runsAll } from '../all.ts';
import { makeStandIn } from './stand-in.ts';

/**
 * SIGKILL at random moments of a build (50 with --all), of the server, its build process, or both: each time what is left verifies and holds no half
 * image, and the next build, of the same data folder, succeeds.
 */
const KILLS = runsAll() ? 50 : 6;
/** Some moments lie behind the end of a build that finds its chunks stored already. */
const LEAST_KILLED = runsAll() ? 25 : 1;
const root = mkdtempSync(join(tmpdir(), 'warmboot-killed-'));
const data = join(root, 'data');
const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let images: string;
beforeAll(() => {
  images = makeStandIn(root);
});

function warmboot(...words: string[]): ChildProcess {
  // A group of its own, so that the build process can be killed with its server.
  return spawn(process.execPath, [main, ...words, '--data', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, WARMBOOT_IMAGES: images },
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

/** When it was started, in milliseconds: a build into an empty store, Docker's part cached. */
async function wholeBuild(): Promise<{ digest: string; ms: number }> {
  const began = Date.now();
  const { code, out, said } = await run('build', 'test-os', '--tag', 'first');
  expect(code, said).toBe(0);
  return { digest: out, ms: Date.now() - began };
}

test(`a build killed at ${KILLS} random moments`, async () => {
  await wholeBuild();
  rmSync(data, { recursive: true });
  const whole = await wholeBuild();
  const { digest } = whole;
  let { ms } = whole;

  // The seed is printed, so that a failure can be made again.
  let state = Number(process.env.WARMBOOT_TEST_SEED ?? Date.now() % 2 ** 31);
  process.stderr.write(`seed ${state}\n`);
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  let killed = 0;
  for (let round = 0; round < KILLS; round += 1) {
    // Half of the time the store is begun anew, so that there is everything to write.
    if (random() < 0.5) rmSync(data, { recursive: true, force: true });
    const child = warmboot('build', 'test-os', '--tag', `round-${round}`);
    const began = Date.now();
    const closed = once(child, 'close');
    const timer = setTimeout(() => {
      const group = groupOf(child.pid ?? 0);
      // The server alone, the build alone, or both.
      const pick = random();
      const victims = pick < 0.3 ? group.slice(0, 1) : pick < 0.5 ? group.slice(-1) : group;
      for (const pid of victims) process.kill(pid, 'SIGKILL');
    }, random() * ms);
    const [code] = (await closed) as [number | null];
    clearTimeout(timer);
    if (code !== 0) killed += 1;
    // The machine is less busy than it was.
    else ms = Math.min(ms, Date.now() - began);

    const verified = await run('image', 'verify');
    expect(verified, verified.said).toMatchObject({ code: 0 });
    expect(leftovers()).toEqual([]);
    const next = await run('build', 'test-os');
    expect(next, next.said).toMatchObject({ code: 0, out: digest });
  }
  const last = await run('image', 'verify');
  expect(last, last.said).toMatchObject({ code: 0 });
  // The moments were within the build, not behind it.
  expect(killed).toBeGreaterThanOrEqual(LEAST_KILLED);
}, 1_200_000);

/** What a start of the server (as `image verify` is one) has to clear away. */
function leftovers(): string[] {
  const below = (folder: string) => (existsSync(join(data, folder)) ? readdirSync(join(data, folder)) : []);
  return [
    ...below('packs').filter((name) => name.endsWith('.tmp')),
    ...below('images').filter((name) => name.startsWith('.')),
    ...below('builds').filter((id) => below(join('builds', id)).includes('work')),
  ];
}
