/**
 * The dashboard over a large fleet: HOSTS simulated hosts, one `./warmboot serve`, and Chromium on the page of the hosts. Prints how long the
 * first page takes, how long after a host's report it is seen, and what the browser's memory does over MINUTES of updates.
 * Usage: dashboard.ts [HOSTS [MINUTES]]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CDPSession, chromium, type Page } from 'playwright-core';
import { fillStore, macOf } from './filled-store.ts';
import { Server } from './fleet/server.ts';
import { Times } from './fleet/times.ts';
import { ask } from './fleet/wire.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

const HOSTS = Number(process.argv[2] ?? 10_000);
const MINUTES = Number(process.argv[3] ?? 10);
const EVENTS = 100_000;
/** On the first page: what is looked at. */
const SHOWN = 100;
const LOOKS = 20;
const UPDATES = 40;
/** Hosts without a token may say no more for long. */
const REPORTS_PER_SECOND = 12;
const SAMPLE_MS = 10_000;

await requireTools({ chromium: 'chromium' });
await using space = await workspace();
const dataDir = join(space.folder, 'data');
await fillStore(dataDir, EVENTS, HOSTS);
const server = new Server(dataDir);
const seen: (readonly [what: string, aim: string, seen: string])[] = [];
/** By host: how many reports of this boot it has sent, and whether it said that it is on trial. */
let known: Promise<{ readonly digest: string }> | null = null;
const said = new Map<number, { seq: number; trial: boolean }>();

try {
  seen.push(['start until ready', '', `${(await server.start()).toFixed(1)} s`]);
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
    ],
    env: { ...process.env, HOME: space.folder },
  });
  try {
    const context = await browser.newContext({
      baseURL: `http://${server.adminAt.host}:${server.adminAt.port}`,
    });
    const page = await context.newPage();
    await page.goto('/login');
    await page.getByLabel('Token').fill(readFileSync(join(dataDir, 'admin.token'), 'utf8').trim());
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL('/');
    await firstPages(page);
    await updates(page);
    await memory(page, await context.newCDPSession(page));
  } finally {
    await browser.close();
  }
} finally {
  await server.close();
  process.stdout.write(`${table([[`${HOSTS} hosts`, 'aim', 'seen'], ...seen])}\n`);
}

async function firstPages(page: Page): Promise<void> {
  for (const [what, path, aim] of [
    ['first page', '/hosts', '< 1000 ms'],
    ['by label', '/hosts?label=rack%3Dr7', ''],
    ['by text', '/hosts?q=00%3A1f', ''],
    ['by a state that few have', '/hosts?state=failed', ''],
    ['one host', `/hosts/${macOf(HOSTS - 1)}`, ''],
  ] as const) {
    const times = new Times();
    for (let look = 0; look < LOOKS; look += 1) {
      const began = performance.now();
      await page.goto(path);
      times.add(performance.now() - began);
    }
    seen.push([`${what}, whole in the browser`, aim, words(times)]);
  }
}

/** From the moment when the host sends its report to the one when its row says so. */
async function updates(page: Page): Promise<void> {
  await page.goto('/hosts');
  await page.getByRole('status').getByText('Live').waitFor();
  const times = new Times();
  for (let update = 0; update < UPDATES; update += 1) {
    const host = update % SHOWN;
    const row = page.locator(`tr[data-key="${macOf(host)}"]`);
    const began = performance.now();
    const isOnTrial = await report(host);
    await row
      .getByText(isOnTrial ? 'confirming' : 'active')
      .first()
      .waitFor();
    times.add(performance.now() - began);
    await sleep(200 + 1000 * Math.random());
  }
  seen.push(['report until it is seen', '< 1000 ms', words(times)]);
}

/** Of the page alone, rubbish taken out; the first sample is not counted, for scripts and styles are still settling. Medians. */
async function memory(page: Page, devtools: CDPSession): Promise<void> {
  await devtools.send('Performance.enable');
  const [cpu, began] = [server.cpuSeconds, performance.now()];
  const end = began + MINUTES * 60_000;
  const samples: Sample[] = [];
  let sent = 0;
  let nextSample = began + SAMPLE_MS;
  while (performance.now() < end) {
    // One in four is on the page.
    const host = sent % 4 === 0 ? (sent / 4) % SHOWN : (sent * 7919) % HOSTS;
    await report(host);
    sent += 1;
    if (performance.now() >= nextSample) {
      nextSample += SAMPLE_MS;
      samples.push(await sample(devtools));
    }
    const ahead = (sent * 1000) / REPORTS_PER_SECOND - (performance.now() - began);
    if (ahead > 1) await sleep(ahead);
  }
  const seconds = (performance.now() - began) / 1000;
  samples.push(await sample(devtools));
  const settled = samples.length > 1 ? samples.slice(1) : samples;
  // Of the first and of the last third: a sample that falls between two pages, the old and its successor, holds both.
  const third = Math.ceil(settled.length / 3);
  const [first, last] = [settled.slice(0, third), settled.slice(-third)];
  const heap = (of: readonly Sample[]) => median(of.map(({ heapMib }) => heapMib)).toFixed(1);
  const nodes = (of: readonly Sample[]) => median(of.map((each) => each.nodes));
  const most = Math.max(...samples.map(({ heapMib }) => heapMib));
  const said = `${sent} reports in ${seconds.toFixed(0)} s`;
  seen.push([
    `page's memory, ${said}`,
    'steady',
    `${heap(first)} → ${heap(last)} MiB, most ${most.toFixed(1)}`,
  ]);
  seen.push(['elements and texts of the page', 'steady', `${nodes(first)} → ${nodes(last)}`]);
  seen.push(["server's cores meanwhile", '', ((server.cpuSeconds - cpu) / seconds).toFixed(2)]);
  await page.getByRole('status').getByText('Live').waitFor();
}

interface Sample {
  readonly heapMib: number;
  readonly nodes: number;
}

async function sample(devtools: CDPSession): Promise<Sample> {
  await devtools.send('HeapProfiler.collectGarbage');
  const { metrics } = await devtools.send('Performance.getMetrics');
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  return { heapMib: of('JSHeapUsedSize') / 2 ** 20, nodes: of('Nodes') };
}

/** The host says that it runs its image: on trial, or no longer. @returns which of the two */
async function report(host: number): Promise<boolean> {
  const { seq, trial } = said.get(host) ?? { seq: 10, trial: false };
  said.set(host, { seq: seq + 1, trial: !trial });
  const { digest } = await image();
  const body = {
    attempt: null,
    bootId: `boot-${host}`,
    seq,
    kind: trial ? 'confirmed' : 'booted',
    slot: 'a',
    digest,
    default: 'a',
    slots: { a: { state: 'modified', digest } },
    trial: !trial,
  };
  // Spread over addresses of loopback, as machines are over the network.
  const from = `127.1.${(host >> 8) & 255}.${1 + (host % 250)}`;
  const path = `/boot/hosts/${macOf(host)}/reports`;
  const { status, body: told } = await ask(server.bootAt, { method: 'POST', path, body }, from);
  if (status !== 200) throw new Error(`${path}: ${status} ${told}`);
  return !trial;
}

async function image(): Promise<{ readonly digest: string }> {
  known ??= server.admin<{ digest: string }>('GET', '/images/whole');
  return known;
}

function words(times: Times): string {
  return `p50 ${times.percentile(50).toFixed(0)} ms, longest ${times.percentile(100).toFixed(0)} ms`;
}
