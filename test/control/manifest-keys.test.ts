import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manifestKeys } from '../../server/control/manifest-keys.ts';
import { type HeldTrust, type KeyRecord, RETIRING_MS, signingKey } from '../../server/core/manifest-keys.ts';
import type { TrustStore } from '../../server/core/trust-port.ts';
import { openKeyring } from '../../server/keys/keyring.ts';

const BY = { name: 'me' };
let folder: string;
let rows: readonly KeyRecord[];
let held: readonly HeldTrust[];
let now: number;
let isBroken: boolean;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-keys-'));
  [rows, held, now, isBroken] = [[], [], 1_000_000, false];
});
afterEach(() => rmSync(folder, { recursive: true }));

const store = {
  keys: async () => rows,
  putKeys: async (next: readonly KeyRecord[]) => {
    if (isBroken) throw new Error('the power went');
    rows = next;
  },
  held: async () => held,
} as unknown as TrustStore;
const missing: string[] = [];
/** A server that starts on what is there. */
const opened = () =>
  manifestKeys({ store, files: openKeyring(folder), clock: () => now }, (id) => missing.push(id));
const states = () => rows.map(({ state }) => state);
const host = (mac: string, keys: readonly string[] | null): HeldTrust => ({
  mac,
  keys,
  secure: true,
  at: now,
});

test('a server that is killed before it has announced its new key starts, signs as before, and rotates again', async () => {
  const [first = ''] = (await opened()).current().map(({ id }) => id);
  const keys = await opened();
  isBroken = true;
  await expect(keys.rotate(BY, 0)).rejects.toThrow('the power went');
  isBroken = false;
  expect(openKeyring(folder).ids.length).toBe(2);
  const after = await opened();
  expect(states()).toEqual(['active', 'retiring']);
  expect(signingKey(after.current(), [first]).id).toBe(first);
  await after.rotate(BY, 0);
  await after.settle();
  expect(states()).toEqual(['retiring', 'retiring', 'active']);
});

test('a server that is killed after the switch goes on with the new key', async () => {
  const keys = await opened();
  const next = await keys.rotate(BY, 5_000);
  await keys.settle();
  expect(states()).toEqual(['active', 'announced']);
  now += 5_000;
  const after = await opened();
  await after.settle();
  expect(states()).toEqual(['retiring', 'active']);
  expect((await opened()).current().find(({ state }) => state === 'active')?.id).toBe(next.id);
});

test('an old key stays for who holds no newer, and a day in any case', async () => {
  const keys = await opened();
  const old = keys.current()[0]?.id ?? '';
  await keys.rotate(BY, 0);
  await keys.settle();
  const active = keys.current()[1]?.id ?? '';
  held = [host('one', [old]), host('two', [old, active]), host('three', null)];
  now += RETIRING_MS;
  await keys.settle();
  expect((await keys.list())[0]?.dependents.map(({ mac }) => mac)).toEqual(['one', 'three']);
  held = [host('one', [active]), host('two', [active]), host('three', [active])];
  await keys.settle();
  expect(states()).toEqual(['dropped', 'active']);
  expect(openKeyring(folder).ids).toEqual([active]);
});

test('the private half of the active key is gone: said at the start; of another: hosts that hold it are lost', async () => {
  const keys = await opened();
  await keys.rotate(BY, 60_000);
  rmSync(join(folder, 'manifest.pem'));
  await expect(opened()).rejects.toThrow(/private half of the manifest key/);
});

test('the private half of an announced key is gone: the announcement is off', async () => {
  const keys = await opened();
  const { id } = await keys.rotate(BY, 60_000);
  rmSync(join(folder, `manifest-${id}.pem`));
  const after = await opened();
  expect([missing.at(-1), states()]).toEqual([id, ['active', 'dropped']]);
  await after.rotate(BY, 60_000);
  expect(states()).toEqual(['active', 'dropped', 'announced']);
});

test('a database that was lost: every key that is there still signs for who holds it', async () => {
  const keys = await opened();
  await keys.rotate(BY, 0);
  await keys.settle();
  const ids = keys.current().map(({ id }) => id);
  rows = [];
  const after = await opened();
  expect(states().sort()).toEqual(['active', 'retiring']);
  for (const id of ids) expect(signingKey(after.current(), [id]).id).toBe(id);
});
