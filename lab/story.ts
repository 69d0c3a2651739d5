import type { AttemptView, HostView, LogRecord, Seen, Source } from './feed.ts';
import type { Guest } from './guest.ts';
import { asksForNbp } from './machine.ts';
import type { Rack } from './rack.ts';
import type { Entry } from './timeline.ts';

/** An image as the command line or the API named it. */
export interface BuiltImage {
  readonly name: string;
  readonly digest: string;
}

/** Where a story tells what it sees, as it sees it. */
export interface Audience {
  entry(entry: Entry): void;
  progress(guest: string, what: string, done: number, total: number): void;
  /** From now on this is waited for. */
  waits?(guest: string, what: string): void;
}

/** A step that was not seen to happen. */
export class StepFailed extends Error {
  readonly step: string;
  constructor(step: string, cause: Error) {
    super(`${step}: ${cause.message}`, { cause });
    this.step = step;
  }
}

interface Wish<S extends Source> {
  readonly source: S;
  readonly what: string;
  /** With KVM; the rack multiplies. */
  readonly seconds: number;
  readonly since: number;
  readonly match: (seen: Seen<S>) => boolean;
}

/**
 * What a system says first on the serial port: the kernel, or with a low `loglevel` the initramfs or systemd. Firmware, iPXE and
 * GRUB say none of it.
 */
const FIRST_WORDS = /Linux version \d|Loading, please wait|systemd\[1\]|Welcome to .*Linux/;

/**
 * What one machine goes through, told from what was seen of it. Each method waits for its chapter to be seen whole, from its
 * first line to its last, and throws {@link StepFailed} with the first thing that was not.
 */
export class Story {
  readonly #rack: Rack;
  readonly #guest: Guest;
  readonly #audience: Audience;
  readonly #stopListening: () => void;

  constructor(rack: Rack, guest: Guest, audience: Audience) {
    this.#rack = rack;
    this.#guest = guest;
    this.#audience = audience;
    this.#stopListening = rack.feed.listen((seen) => {
      if (seen.source !== 'api' || seen.guest !== guest.name) return;
      const { attempt } = seen.host;
      if (
        attempt?.progress == null ||
        attempt.outcome !== null ||
        !['writing', 'staging'].includes(attempt.phase)
      )
        return;
      const { phase, bytesDone, bytesTotal } = attempt.progress;
      if (bytesTotal > 0)
        audience.progress(guest.name, `${attempt.phase} (${phase ?? ''})`, bytesDone, bytesTotal);
    });
  }

  close(): void {
    this.#stopListening();
  }

  /**
   * The operator's order: POST /api/v1/hosts with an image.
   * @param layout another disk layout than the default one
   */
  async enrol(image: BuiltImage, layout?: string): Promise<void> {
    const asked = Date.now();
    await this.#try('enrol', () =>
      this.#rack.api.addHost({
        macs: [this.#guest.mac],
        image: image.digest,
        ...(layout !== undefined && { layout }),
      }),
    );
    this.#tell({
      phase: `POST /api/v1/hosts: ${this.#guest.mac} shall run ${image.name}`,
      at: Date.now(),
      from: asked,
      seenBy: 'API',
    });
  }

  /** Power on → network boot → installer → flashed, verified → kexec → the OS runs and has proved itself. @returns its boot id. */
  async install(image: BuiltImage): Promise<string> {
    const since = this.#rack.feed.mark();
    const began = await this.#power('power on', since);
    if (asksForNbp(this.#guest.parts)) {
      const nbp = await this.#see('network boot program by TFTP', {
        source: 'log',
        what: `a TFTP transfer of a network boot program to ${this.#guest.name}`,
        seconds: 20,
        since,
        match: ({ record }) =>
          record.outcome === 'complete' && this.#isOurs(record) && Number(record.bytes) > 10_000,
      });
      this.#tell({
        phase: `network boot program ${nbp.record.file} by TFTP`,
        at: nbp.at,
        from: began,
        bytes: Number(nbp.record.bytes),
        seenBy: 'server log',
      });
    }
    const entry = await this.#request('entry script', /^\/boot\.ipxe/, since, 20);
    const nbpTold = asksForNbp(this.#guest.parts) ? '' : ' (no NBP: the card’s ROM is iPXE already)';
    this.#tell({ phase: `/boot.ipxe${nbpTold}`, at: entry.at, from: began, seenBy: 'server log' });
    const script = await this.#ownScript(since);
    this.#tell({ phase: `this host’s script`, at: script.at, seenBy: 'server log' });
    const kernel = await this.#request('installer’s kernel', /^\/boot\/installer\/vmlinuz/, since, 20);
    const initrd = await this.#request('installer’s initrd', /^\/boot\/installer\/initrd\.img/, since, 20);
    this.#tell({
      phase: 'installer fetched',
      at: initrd.at,
      from: script.at,
      bytes: bytesOf(kernel) + bytesOf(initrd),
      seenBy: 'server log',
    });
    const linux = await this.#systemStarts('installer starts', since, began);
    this.#tell({ phase: 'installer starts', at: linux.at, from: initrd.at, seenBy: 'serial' });

    const claimed = await this.#host(
      'claim',
      since,
      30,
      'the host claimed',
      ({ attempt, claimed }) => claimed && attempt?.kind === 'install',
    );
    this.#tell({ phase: 'host claimed with its own token', at: claimed.at, from: linux.at, seenBy: 'API' });
    await this.#host('writing', since, 60, 'the first progress report', (host) => writes(host.attempt));
    const installed = await this.#event('flash', since, 120, 'installed');
    this.#tellStream(image, since);
    this.#tell({
      phase: `${image.name} written to slot ${installed.event.data.slot} and verified`,
      at: installed.at,
      from: claimed.at,
      seenBy: 'report',
    });
    const bootId = await this.#runs(image, since, installed.at, 'by kexec, no firmware');
    this.#noReset('install', since);
    return bootId;
  }

  /** Assignment by REST → staged while the present OS runs → kexec → confirmed. @returns the boot id. */
  async reassign(
    image: BuiltImage,
    expect: { readonly download: boolean; readonly before: string },
  ): Promise<string> {
    const since = this.#rack.feed.mark();
    const step = `assign ${image.name}`;
    const asked = Date.now();
    const answer = await this.#try(step, () => this.#rack.api.assign(this.#guest.mac, image.digest));
    if (answer.attempt === null) throw new StepFailed(step, new Error('the server began no attempt'));
    this.#tell({
      phase: `PUT …/os: ${image.name}, attempt ${answer.attempt}`,
      at: Date.now(),
      from: asked,
      seenBy: 'API',
    });
    if (expect.download) {
      const staged = await this.#event('stage', since, 180, 'staged');
      this.#tellStream(image, since);
      this.#tell({
        phase: `${image.name} staged in slot ${staged.event.data.slot} while the other OS ran`,
        at: staged.at,
        from: asked,
        seenBy: 'report',
      });
    }
    const switching = await this.#event('switch', since, 60, 'switching');
    this.#tell({ phase: 'host says that it jumps', at: switching.at, seenBy: 'report' });
    const bootId = await this.#runs(image, since, switching.at, 'by kexec, no firmware');
    if (bootId === expect.before)
      throw new StepFailed('boot id', new Error('the boot id is the one from before the jump'));
    this.#noReset('switch', since);
    if (!expect.download) this.#nothingFetched(step, since);
    return bootId;
  }

  /** Power off, power on: the network says "your disk", and the disk brings up what was confirmed last. */
  async powerCycle(image: BuiltImage, before: string): Promise<string> {
    const off = this.#rack.feed.mark();
    await this.#try('power off', () => this.#guest.powerOff());
    const cut = await this.#see('power off', {
      source: 'machine',
      what: 'the machine being off',
      seconds: 10,
      since: off,
      match: ({ event }) => event === 'POWEROFF',
    });
    this.#tell({ phase: 'power off', at: cut.at, seenBy: 'QEMU' });
    const since = this.#rack.feed.mark();
    const began = await this.#power('power on again', since);
    const script = await this.#ownScript(since);
    const told = await this.#see('boot your disk', {
      source: 'serial',
      what: 'the script’s word to boot the disk',
      seconds: 20,
      since,
      match: ({ line }) => /Warmboot: booting the disk/.test(line),
    });
    this.#tell({
      phase: 'server’s answer: boot your disk',
      at: Math.max(told.at, script.at),
      from: began,
      seenBy: 'server log, serial',
    });
    const bootId = await this.#runs(image, since, began, 'by GRUB, from the disk', 90);
    if (bootId === before)
      throw new StepFailed('boot id', new Error('the boot id is the one from before the power cycle'));
    return bootId;
  }

  /** The kernel of `image` starts, the host reports its digest, and it is confirmed: healthy, and the boot default. */
  async #runs(image: BuiltImage, since: number, from: number, how: string, seconds = 60): Promise<string> {
    const linux = await this.#systemStarts(`${image.name} starts`, since, from, seconds);
    this.#tell({ phase: `${image.name} starts, ${how}`, at: linux.at, from, seenBy: 'serial' });
    const isIt = (host: HostView) =>
      host.observation?.digest === image.digest && host.observation.environment === 'os';
    const booted = await this.#host(
      `${image.name} boots`,
      since,
      90,
      `${image.name} reporting that it runs`,
      (host) => isIt(host) && (host.observation?.at ?? 0) > linux.at,
    );
    this.#tell({
      phase: `${image.name} runs in slot ${booted.host.observation?.slot}`,
      at: booted.at,
      from: linux.at,
      seenBy: 'report',
    });
    const confirmed = await this.#host(
      `${image.name} is confirmed`,
      since,
      90,
      `the confirmation of ${image.name}`,
      (host) =>
        isIt(host) &&
        host.observation?.bootId === booted.host.observation?.bootId &&
        host.state === 'active' &&
        host.observation?.default === host.observation?.slot,
    );
    this.#tell({
      phase: `${image.name} confirmed, boot default is slot ${confirmed.host.observation?.default}`,
      at: confirmed.at,
      from: booted.at,
      seenBy: 'report, API',
    });
    return confirmed.host.observation?.bootId ?? '';
  }

  /** The image lies on the disk already: no file of any image was asked for, and no slot was written. */
  #nothingFetched(step: string, since: number): void {
    const files = this.#requests(since, /^\/boot\/images\//).map(({ record }) => String(record.path));
    const wrote = this.#rack.feed
      .since(since, 'api', this.#guest.name)
      .some(({ host }) => writes(host.attempt));
    if (files.length > 0 || wrote) {
      const what = wrote ? 'a slot was written' : `the host asked for ${files.join(', ')}`;
      throw new StepFailed(step, new Error(`the image lies on the disk, yet ${what}`));
    }
    this.#tell({ phase: 'nothing was downloaded for it', at: Date.now(), bytes: 0, seenBy: 'server log' });
  }

  /** What went over the wire for it: the chunks, compressed. */
  #tellStream(image: BuiltImage, since: number): void {
    const requests = this.#requests(since, /^\/boot\/images\/[^/]+\/data/);
    const last = requests.at(-1);
    if (last === undefined) return;
    const bytes = requests.reduce((sum, seen) => sum + bytesOf(seen), 0);
    this.#tell({ phase: `${image.name} streamed, compressed`, at: last.at, bytes, seenBy: 'server log' });
  }

  #tell(entry: { phase: string; at: number; from?: number; bytes?: number; seenBy: string }): void {
    const { phase, at, from, bytes, seenBy } = entry;
    this.#audience.entry({
      guest: this.#guest.name,
      phase,
      at,
      seenBy,
      ...(from === undefined ? {} : { tookMs: at - from }),
      ...(bytes === undefined ? {} : { bytes }),
    });
  }

  async #try<T>(step: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw new StepFailed(step, error as Error);
    }
  }

  /** Waits for a sighting; a host that reports a failure meanwhile ends the wait with its reason. */
  #see<S extends Source>(step: string, wish: Wish<S>): Promise<Seen<S>> {
    const { feed } = this.#rack;
    // The server's own log names no guest.
    const guest = wish.source === 'log' ? {} : { guest: this.#guest.name };
    const timeoutMs = this.#rack.patience(wish.seconds);
    this.#audience.waits?.(this.#guest.name, `waiting for ${wish.what}`);
    const found = feed.seen({
      source: wish.source,
      what: wish.what,
      since: wish.since,
      match: wish.match,
      timeoutMs,
      ...guest,
    });
    const failed = feed.seen({
      source: 'api',
      guest: this.#guest.name,
      what: 'a failure',
      since: wish.since,
      timeoutMs: timeoutMs + 1000,
      match: ({ host }) => ['failed', 'rolled-back'].includes(host.attempt?.outcome ?? ''),
    });
    failed.catch(() => {});
    return this.#try(step, () =>
      Promise.race([
        found,
        failed.then(({ host }) => {
          throw new Error(`the attempt ended as ${host.attempt?.outcome}: ${host.attempt?.reason}`);
        }),
      ]),
    );
  }

  async #power(step: string, since: number): Promise<number> {
    await this.#try(step, () => this.#guest.powerOn());
    const on = await this.#see(step, {
      source: 'machine',
      what: 'the machine being on',
      seconds: 10,
      since,
      match: ({ event }) => event === 'POWERON',
    });
    this.#tell({ phase: step, at: on.at, seenBy: 'QEMU' });
    return on.at;
  }

  #request(step: string, path: RegExp, since: number, seconds: number): Promise<Seen<'log'>> {
    return this.#see(step, {
      source: 'log',
      what: `a request for ${path.source.replace(/[\\^]/g, '')}`,
      seconds,
      since,
      match: ({ record }) =>
        typeof record.path === 'string' &&
        path.test(record.path) &&
        Number(record.status) < 400 &&
        this.#isOurs(record),
    });
  }

  #requests(since: number, path: RegExp): Seen<'log'>[] {
    return this.#rack.feed
      .since(since, 'log')
      .filter(
        ({ record }) => typeof record.path === 'string' && path.test(record.path) && this.#isOurs(record),
      );
  }

  /** The server's log names addresses; whose they are the DHCP server knows. */
  #isOurs(record: LogRecord): boolean {
    const client = record.client;
    return typeof client !== 'string' || this.#rack.dhcp.macOf(client) === this.#guest.mac;
  }

  #ownScript(since: number): Promise<Seen<'log'>> {
    return this.#request('this host’s script', /^\/boot\/script/, since, 30);
  }

  #systemStarts(step: string, since: number, after: number, seconds = 40): Promise<Seen<'serial'>> {
    return this.#see(step, {
      source: 'serial',
      what: 'the first words of a starting system',
      seconds,
      since,
      match: ({ line, at }) => at > after && FIRST_WORDS.test(line),
    });
  }

  #host(
    step: string,
    since: number,
    seconds: number,
    what: string,
    match: (host: HostView) => boolean,
  ): Promise<Seen<'api'>> {
    return this.#see(step, { source: 'api', what, seconds, since, match: ({ host }) => match(host) });
  }

  #event(step: string, since: number, seconds: number, report: string): Promise<Seen<'event'>> {
    return this.#see(step, {
      source: 'event',
      what: `the report "${report}"`,
      seconds,
      since,
      match: ({ event }) => event.kind === 'report' && event.data.report === report,
    });
  }

  /** A kexec is a jump that the machine below does not notice: no reset, no power cycle. */
  #noReset(step: string, since: number): void {
    const resets = this.#rack.feed
      .since(since, 'machine', this.#guest.name)
      .filter(({ event }) => /^(RESET|SHUTDOWN|POWEROFF|GUEST_PANICKED|QEMU )/.test(event));
    if (resets.length === 0) return;
    const events = resets.map(({ event }) => event).join(', ');
    throw new StepFailed(
      step,
      new Error(`the machine went through its firmware (${events}), so it was no kexec`),
    );
  }
}

function bytesOf(seen: Seen<'log'>): number {
  return Number(seen.record.bytes ?? 0);
}

function writes(attempt: AttemptView | null): boolean {
  return attempt?.outcome == null && (attempt?.progress?.bytesDone ?? 0) > 0;
}
