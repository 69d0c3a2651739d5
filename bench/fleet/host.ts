import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type At, ask } from './wire.ts';

/**
 * A host as the server sees one: its installer and its agent, on the real wire, doing what their scripts do in the order in
 * which they do it. It knows what a machine knows, its disk and its manifest, and no more.
 */

export type Manifest = {
  readonly serial: number;
  readonly attempt: string | null;
  readonly action: 'none' | 'hold' | 'install' | 'stage' | 'switch';
  readonly image: { readonly digest: string } | null;
  readonly slot: string | null;
  readonly poll: number;
  readonly stage: { readonly index: string; readonly frames: string; readonly data: string } | null;
};

/** What the bench is told of each request. */
export type Watcher = (what: 'manifest' | 'report' | 'other', answer: Answer) => void;

/** How a host behaves: the many that work, and those that make trouble. */
export type Temper =
  | 'good'
  /** Comes back to the old image from every trial. */
  | 'rolls-back'
  /** Sends each report twice, and an old one after it. */
  | 'repeats'
  /** Says that it jumps, and is never heard of again. */
  | 'dies'
  /** Asks with another's token, sends what is no report, and opens connections on which it says nothing. */
  | 'rude';

const DISK_BYTES = 64 * 2 ** 30;
/** Of the data of an image: the wire is measured, not the disk of this machine. */
const TASTE_BYTES = 64 * 1024;

export class FleetHost {
  readonly mac: string;
  readonly temper: Temper;
  /** Set while the bench wants hosts to wait for changes instead of asking again. */
  longPollSeconds = 0;
  /** Milliseconds that a jump takes. */
  jumpMs = 50;
  /** Newest manifest, and when it came (`performance.now`). */
  manifest: Manifest | null = null;
  manifestAt = 0;
  /** Reports that were answered 2xx. */
  readonly acknowledged: { readonly bootId: string; readonly seq: number }[] = [];
  /** Requests that the server did not answer, or answered with 5xx: it asks again. */
  unanswered = 0;

  readonly #at: () => At;
  readonly #from: string;
  readonly #watch: Watcher;
  readonly #pollSeconds: number;
  readonly #token = randomBytes(32).toString('hex');
  readonly #slots: Record<string, { state: string; digest: string }> = {};
  #etag: string | null = null;
  #disk: string | null = null;
  #running: string | null = null;
  #default: string | null = null;
  #isTrial = false;
  #bootId = newBootId();
  #seq = 0;
  #lastReport: unknown = null;

  /** @param pollSeconds between two looks of its own, whatever a server with many hosts would rather have */
  constructor(number: number, temper: Temper, at: () => At, watch: Watcher, pollSeconds: number) {
    this.mac = `52:54:${[24, 16, 8, 0].map((shift) => ((number >> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
    this.temper = temper;
    this.#at = at;
    this.#watch = watch;
    this.#pollSeconds = pollSeconds;
    // Spread over addresses of loopback, as machines are over the network.
    this.#from = `127.${1 + ((number >> 12) & 15)}.${(number >> 6) & 63}.${1 + (number & 63)}`;
  }

  /** The digest that runs. */
  get digest(): string | null {
    return this.#running === null ? null : (this.#slots[this.#running]?.digest ?? null);
  }

  /** Lives until `signal` aborts. @param delayMs when it is switched on */
  async live(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await sleep(delayMs, undefined, { signal });
      await this.#reach({ method: 'GET', path: `/boot/script?mac=${this.mac}` }, 'other', signal);
      while (!signal.aborted) {
        const changed = await this.#askManifest(signal);
        if (changed) await this.#act(signal);
        else if (this.longPollSeconds === 0) await this.#pause(signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    return sleep(this.#pollSeconds * 1000 * (0.9 + 0.2 * Math.random()), undefined, { signal });
  }

  /** @returns whether it is another one than before */
  async #askManifest(signal: AbortSignal): Promise<boolean> {
    const wait = this.longPollSeconds > 0 && this.#etag ? `?wait=${this.longPollSeconds}` : '';
    const headers = { accept: 'application/json', ...(this.#etag && { 'if-none-match': this.#etag }) };
    const path = `/boot/hosts/${this.mac}/manifest${wait}`;
    const token = this.#disk === null ? null : this.#token;
    const wish = { method: 'GET', path, token, headers, patienceMs: 90_000 } as const;
    if (this.temper === 'rude') await this.#misbehave(path);
    const answer = await this.#reach(wish, wait ? 'other' : 'manifest', signal);
    if (answer.status !== 200) return false;
    const manifest = JSON.parse(answer.body.toString()) as Manifest;
    if (this.manifest && manifest.serial < this.manifest.serial)
      throw new Error(`${this.mac}: the serial went from ${this.manifest.serial} to ${manifest.serial}`);
    this.#etag = answer.headers.get('etag') ?? null;
    this.manifest = manifest;
    this.manifestAt = performance.now();
    return true;
  }

  async #act(signal: AbortSignal): Promise<void> {
    const { action, attempt, image, slot, stage } = this.manifest ?? {};
    if (!attempt || !image || !slot) return;
    const target = { attempt, slot, digest: image.digest };
    if (action === 'install') await this.#install(target, stage ?? null, signal);
    if (action === 'stage') await this.#stage(target, stage ?? null, signal);
    if (action === 'switch') await this.#switch(target, signal);
    if (action === 'none' && this.digest === image.digest) await this.#confirm(target, signal);
  }

  async #install(target: Target, stage: Manifest['stage'], signal: AbortSignal): Promise<void> {
    const claim = { attempt: target.attempt, token: this.#token };
    const hosts = `/boot/hosts/${this.mac}`;
    const claimed = await this.#reach(
      { method: 'POST', path: `${hosts}/claims`, body: claim },
      'other',
      signal,
    );
    if (claimed.status >= 300) return;
    const layout = `${hosts}/layout?attempt=${target.attempt}&bytes=${DISK_BYTES}&sector=512`;
    const table = await this.#reach({ method: 'GET', path: layout, token: this.#token }, 'other', signal);
    this.#disk = /^label-id: *(\S+)/m.exec(table.body.toString())?.[1] ?? null;
    await this.#report({ kind: 'inventory', attempt: target.attempt }, signal);
    await this.#write(target, stage, signal);
    this.#slots[target.slot] = { state: 'valid', digest: target.digest };
    this.#default = target.slot;
    await this.#report({ kind: 'installed', ...target }, signal);
    await this.#boot(target.slot, false, target.attempt, signal);
  }

  async #stage(target: Target, stage: Manifest['stage'], signal: AbortSignal): Promise<void> {
    await this.#write(target, stage, signal);
    this.#slots[target.slot] = { state: 'valid', digest: target.digest };
    await this.#report({ kind: 'staged', ...target }, signal);
  }

  async #write(target: Target, stage: Manifest['stage'], signal: AbortSignal): Promise<void> {
    await this.#report({ kind: 'progress', phase: 'write', ...target, bytesDone: 0, bytesTotal: 1 }, signal);
    for (const file of [stage?.index, stage?.frames])
      if (file) await this.#reach({ method: 'GET', path: pathOf(file) }, 'other', signal);
    if (stage?.data) {
      const headers = { range: `bytes=0-${TASTE_BYTES - 1}` };
      await this.#reach({ method: 'GET', path: pathOf(stage.data), headers }, 'other', signal);
    }
    await this.#report({ kind: 'progress', phase: 'write', ...target, bytesDone: 1, bytesTotal: 1 }, signal);
  }

  async #switch(target: Target, signal: AbortSignal): Promise<void> {
    const before = this.#running;
    await this.#report({ kind: 'switching', ...target }, signal);
    if (this.temper === 'dies') await sleep(2 ** 31 - 1, undefined, { signal });
    if (this.temper === 'rolls-back' && before !== null) {
      await this.#boot(before, false, null, signal);
      const reason = 'a health check failed';
      const back = { slot: before, digest: this.digest, attempt: target.attempt, reason };
      return this.#report({ kind: 'rolled-back', ...back }, signal);
    }
    await this.#boot(target.slot, true, target.attempt, signal);
    // Its own health checks decide; the server is not asked.
    await this.#confirm(target, signal);
  }

  async #boot(slot: string, isTrial: boolean, attempt: string | null, signal: AbortSignal): Promise<void> {
    await sleep(this.jumpMs, undefined, { signal });
    this.#bootId = newBootId();
    this.#seq = 0;
    this.#running = slot;
    this.#isTrial = isTrial;
    this.#slots[slot] = { state: 'modified', digest: this.#slots[slot]?.digest ?? '' };
    await this.#report({ kind: 'booted', attempt, slot, digest: this.digest }, signal);
  }

  async #confirm(target: Target, signal: AbortSignal): Promise<void> {
    this.#default = target.slot;
    this.#isTrial = false;
    await this.#report({ kind: 'confirmed', ...target }, signal);
  }

  /** Asks until it is answered, as the outbox does. */
  async #report(said: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    this.#seq += 1;
    const body = {
      ...said,
      bootId: this.#bootId,
      seq: this.#seq,
      default: this.#default,
      slots: this.#slots,
      disk: this.#disk,
      trial: this.#isTrial,
    };
    const path = `/boot/hosts/${this.mac}/reports`;
    const wish = (what: unknown) => ({ method: 'POST', path, token: this.#token, body: what }) as const;
    const answer = await this.#reach(wish(body), 'report', signal);
    if (answer.status < 300) this.acknowledged.push({ bootId: body.bootId, seq: body.seq });
    else throw new Error(`${this.mac}: ${said.kind} got ${answer.status} ${answer.body}`);
    if (this.temper === 'repeats') {
      await this.#reach(wish(body), 'report', signal);
      if (this.#lastReport) await this.#reach(wish(this.#lastReport), 'report', signal);
      this.#lastReport = body;
    }
  }

  async #reach(
    wish: Parameters<typeof ask>[1],
    what: Parameters<Watcher>[0],
    signal: AbortSignal,
  ): Promise<Answer> {
    for (let pauseMs = 500; ; pauseMs = Math.min(pauseMs * 2, 10_000)) {
      const answer = await ask(this.#at(), wish, this.#from).catch(() => null);
      signal.throwIfAborted();
      if (answer && answer.status < 500 && answer.status !== 429) {
        this.#watch(what, answer);
        return answer;
      }
      this.unanswered += 1;
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal });
    }
  }

  async #misbehave(manifestPath: string): Promise<void> {
    const path = `/boot/hosts/${this.mac}/reports`;
    const wrong = { token: 'x'.repeat(64) };
    await Promise.allSettled([
      ask(this.#at(), { method: 'GET', path: manifestPath, ...wrong, patienceMs: 5_000 }, this.#from),
      ask(this.#at(), { method: 'POST', path, ...wrong, body: { kind: "'; DROP TABLE hosts" } }, this.#from),
      // A body that never comes.
      ask(
        this.#at(),
        { method: 'POST', path, headers: { 'content-length': '1000' }, patienceMs: 5_000 },
        this.#from,
      ),
    ]);
  }
}

type Target = { readonly attempt: string; readonly slot: string; readonly digest: string };

function newBootId(): string {
  return randomBytes(16).toString('hex');
}

/** Manifests may name a mirror absolutely; there is none here. */
function pathOf(url: string): string {
  return url.startsWith('/') ? url : new URL(url).pathname;
}
