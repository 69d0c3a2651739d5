import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Report } from '../../server/core/report.ts';
import { ask, storeImage } from '../fixtures/running-server.ts';
import { type Face, SimulatedMachine } from '../fixtures/simulated-machine.ts';

/** The server is killed again and again in the middle of a rollout; it goes on, and nobody helps it. */

const ROOT = join(import.meta.dirname, '../..');
const MACHINES = 6;
const KILLS = 6;
const MOST = 2;

type Server = { readonly boot: string; readonly admin: string; readonly process: ChildProcess };

async function serve(data: string): Promise<Server> {
  const argv = ['server/main.ts', 'serve', '--data', data, '--tftp-listen', 'off'];
  const listen = ['--boot-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, [...argv, ...listen], {
    cwd: ROOT,
    env: { ...process.env, WARMBOOT_LOG: 'error' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [ready] = await once(child.stdout, 'data');
  const { adminUrl, bootUrl } = JSON.parse(String(ready).trim().split('\n').at(-1) ?? '');
  return { admin: adminUrl, boot: bootUrl, process: child };
}

test(`SIGKILL of the server ${KILLS} times in the middle of a rollout`, async () => {
  const data = mkdtempSync(join(tmpdir(), 'warmboot-rollout-killed-'));
  let server: Server | null = null;
  let isOver = false;
  let lives: Promise<void>[] = [];
  try {
    await storeImage(data, 'one');
    const two = await storeImage(data, 'two');
    await storeImage(data, 'installer', 'installer');
    server = await serve(data);
    const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
    /** Null when no answer came. */
    const call = (base: 'boot' | 'admin', path: string, how: Parameters<typeof ask>[2] = {}) => {
      const bearer = base === 'admin' ? { authorization: `Bearer ${token}` } : {};
      return ask(server?.[base] ?? '', path, { ...how, headers: { ...bearer, ...how.headers } }).catch(
        () => null,
      );
    };
    const machines = Array.from({ length: MACHINES }, (_, at) => {
      const mac = `52:54:00:cc:00:0${at}`;
      return { mac, machine: new SimulatedMachine(mac.replaceAll(':', ''), faceOf(mac, call)) };
    });
    for (const { mac } of machines)
      expect(
        (
          await call('admin', '/api/v1/hosts', {
            body: { macs: [mac], image: 'one', labels: { pool: 'web' } },
          })
        )?.status,
      ).toBe(201);
    lives = machines.map(async ({ machine }) => {
      while (!isOver) {
        await machine.turn();
        await pause(100);
      }
    });
    const runsOne = async () =>
      (await call('admin', '/api/v1/hosts?state=active'))?.json.hosts.length === MACHINES;
    await expect.poll(runsOne, { interval: 200 }).toBe(true);

    const wish = {
      image: 'two',
      selector: 'pool=web',
      waves: [1, '50%', '100%'],
      maxUnavailable: MOST,
      soakSeconds: 2,
    };
    const { id } = (await call('admin', '/api/v1/rollouts', { body: wish }))?.json ?? {};
    const look = async () => (await call('admin', `/api/v1/rollouts/${id}`))?.json ?? null;
    const wavesSeen = new Set<number>();
    let killedWithin = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      let status = '';
      for (let turn = 0; turn < 10; turn += 1) {
        const seen = await look();
        if (seen) {
          status = seen.status;
          expect(seen.unavailable).toBeLessThanOrEqual(MOST);
          wavesSeen.add(seen.wave);
        }
        await pause(120);
      }
      if (status === 'running') killedWithin += 1;
      const ended = once(server.process, 'exit');
      server.process.kill('SIGKILL');
      await ended;
      server = await serve(data);
    }
    const status = async () => {
      const seen = await look();
      if (seen) wavesSeen.add(seen.wave);
      return seen?.status;
    };
    await expect.poll(status, { interval: 500 }).toBe('finished');
    expect(await look()).toMatchObject({ wave: 3, states: { succeeded: MACHINES } });
    // The kills fell into it, not behind its end.
    expect(killedWithin).toBeGreaterThan(0);
    expect(wavesSeen.size).toBeGreaterThan(1);
    for (const { mac, machine } of machines) {
      const { attempts } = (await call('admin', `/api/v1/hosts/${mac}/attempts`))?.json ?? {};
      const own = attempts.filter(({ rollout }: { rollout: string | null }) => rollout === id);
      expect(own).toMatchObject([{ outcome: 'succeeded', digest: two.digest }]);
      expect(machine.memory?.digest).toBe(two.digest);
      expect(machine.outrages).toEqual([]);
    }
  } finally {
    isOver = true;
    await Promise.allSettled(lives);
    server?.process.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
});

type Call = (
  base: 'boot',
  path: string,
  how?: Parameters<typeof ask>[2],
) => Promise<Awaited<ReturnType<typeof ask>> | null>;

function faceOf(mac: string, call: Call): Face {
  const bearer = (own: string | null): Record<string, string> =>
    own ? { authorization: `Bearer ${own}` } : {};
  const isGood = (status: number) => status >= 200 && status < 300;
  return {
    boot: async () => {
      const answer = await call('boot', `/boot/script?mac=${mac}`);
      if (answer === null || !isGood(answer.status)) return null;
      return answer.text.includes('/boot/installer/') ? 'installer' : 'disk';
    },
    manifest: async (own) => {
      const answer = await call('boot', `/boot/hosts/${mac}/manifest`, { headers: bearer(own) });
      if (answer === null) return null;
      if (!isGood(answer.status)) return 'refused';
      const { serial, attempt, action, slot, image, install } = answer.json;
      return { serial, attempt, action, slot, digest: image?.digest ?? null, wipe: install?.wipe ?? false };
    },
    claim: async (attempt, own) => {
      const answer = await call('boot', `/boot/hosts/${mac}/claims`, { body: { attempt, token: own } });
      return answer === null ? null : isGood(answer.status);
    },
    report: async (report: Report, own) => {
      const { bootDefault, slots, disk, ...rest } = report;
      const guid = disk && '0b0b0b0b-1111-4222-8333-444444444444';
      const body = { ...rest, default: bootDefault, slots: slots ?? undefined, disk: guid };
      const answer = await call('boot', `/boot/hosts/${mac}/reports`, { body, headers: bearer(own) });
      if (answer === null || answer.status >= 500) return null;
      if (!isGood(answer.status)) return 'refused';
      return answer.status === 202 ? 'stale' : 'taken';
    },
  };
}
