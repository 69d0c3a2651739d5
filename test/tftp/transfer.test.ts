import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../server/tftp/limits.ts';
import { negotiate } from '../../server/tftp/options.ts';
import type { TftpOptions } from '../../server/tftp/packet.ts';
import { begin, type Outgoing, type Step, step, type Transfer } from '../../server/tftp/transfer.ts';
import { simulate } from './simulated-network.ts';

const limits = DEFAULT_LIMITS;
const transfer = (bytes: number, options: TftpOptions = []): Transfer =>
  begin(negotiate(options, bytes, limits), bytes, limits);
const blocks = (send: readonly Outgoing[]): (number | 'oack')[] =>
  send.map((packet) => (packet.kind === 'oack' ? 'oack' : packet.block));
const start = (state: Transfer): Step => step(state, { kind: 'start', atMs: 0 });
const ack = (state: Transfer, block: number, atMs = 1): Step => step(state, { kind: 'ack', block, atMs });
const timeout = (state: Transfer): Step => step(state, { kind: 'timeout' });

describe('RFC 1350', () => {
  test('one block at a time, and the last one short', () => {
    const first = start(transfer(1000));
    expect(first.send).toEqual([{ kind: 'data', block: 1, offset: 0, length: 512 }]);
    const second = ack(first.state, 1);
    expect(second.send).toEqual([{ kind: 'data', block: 2, offset: 512, length: 488 }]);
    expect(ack(second.state, 2).state.end?.outcome).toBe('complete');
  });

  test.each([0, 512, 1024])('%i bytes end with an empty block', (bytes) => {
    let now = start(transfer(bytes));
    for (let block = 1; block <= bytes / 512; block++) now = ack(now.state, block);
    expect(now.send).toEqual([{ kind: 'data', block: bytes / 512 + 1, offset: bytes, length: 0 }]);
  });

  test('an ACK that brings nothing new sends nothing (the sorcerer has no apprentice here)', () => {
    const second = ack(start(transfer(5000)).state, 1);
    for (const block of [1, 0, 3, 77, 65535]) {
      expect(ack(second.state, block)).toEqual({ state: second.state, send: [], wakeMs: 0 });
    }
  });

  test('an ended transfer stays ended', () => {
    const { state } = step(transfer(9), { kind: 'abort', reason: 'enough' });
    expect(state.end).toEqual({ outcome: 'aborted', reason: 'enough' });
    for (const next of [start(state), ack(state, 1), timeout(state)])
      expect(next).toMatchObject({ state, send: [] });
  });
});

describe('time', () => {
  test('pauses double up to the longest, then it is given up', () => {
    let now = ack(start(transfer(5000)).state, 1, 1000);
    const pauses = [];
    while (!now.state.end) {
      pauses.push(now.wakeMs);
      now = timeout(now.state);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 8000, 8000, 8000]);
    expect(now.state.end).toEqual({ outcome: 'silent', reason: 'the client stopped answering' });
  });

  test('an address that never answered is given up sooner', () => {
    let now = start(transfer(5000));
    for (let sent = 0; sent < 3; sent++) now = timeout(now.state);
    expect(now.state.end).toBeNull();
    expect(timeout(now.state).state.end?.reason).toBe('the client never answered');
  });

  test('before the first answer only an OACK, no longer than its request, is repeated by the clock', () => {
    for (const [options, repeated] of [
      [[], []],
      [[['tsize', '0']], ['oack']],
    ] as const) {
      const first = start(transfer(5000, options));
      const second = timeout(first.state);
      expect([second.wakeMs, blocks(second.send)]).toEqual([2000, repeated]);
      expect(blocks(timeout(second.state).send)).toEqual(repeated);
    }
  });

  test('a request that comes again is answered again, until the client has answered', () => {
    const again = (state: Transfer): Step => step(state, { kind: 'again' });
    const first = timeout(start(transfer(5000)).state);
    expect(blocks(again(first.state).send)).toEqual([1]);
    expect(blocks(again(start(transfer(5000, [['tsize', '0']])).state).send)).toEqual(['oack']);
    const { state } = ack(again(first.state).state, 1);
    expect(again(state)).toEqual({ state, send: [], wakeMs: 0 });
  });

  test('the pause follows the round trip, but not below 50 ms', () => {
    const slow = ack(start(transfer(5000)).state, 1, 200);
    expect(slow.wakeMs).toBe(600);
    expect(ack(start(transfer(5000)).state, 1, 1).wakeMs).toBe(50);
  });

  test('a block sent again measures nothing, and takes back one doubling only', () => {
    const first = ack(start(transfer(5000)).state, 1, 1);
    const again = timeout(timeout(first.state).state);
    expect(again.wakeMs).toBe(200);
    const next = ack(again.state, 2, 4000);
    expect(next.wakeMs).toBe(100);
    expect(ack(next.state, 3, 4001).wakeMs).toBe(50);
  });

  test("the client's wish (RFC 2349) is the longest pause, and a known round trip beats it", () => {
    const first = start(transfer(5000, [['timeout', '3']]));
    expect(blocks(first.send)).toEqual(['oack']);
    expect(first.wakeMs).toBe(1000);
    expect(ack(first.state, 0, 10).wakeMs).toBe(50);
    expect(ack(first.state, 0, 2000).wakeMs).toBe(3000);
  });

  test('only the last ACK missing is no failure', () => {
    let now = start(transfer(600));
    now = ack(now.state, 1);
    for (let sent = 0; sent <= limits.retries; sent++) now = timeout(now.state);
    expect(now.state.end?.outcome).toBe('unsure');
  });
});

describe('windows (RFC 7440)', () => {
  const opened = (bytes: number): Step => ack(start(transfer(bytes, [['windowsize', '4']])).state, 0);

  test('a whole window goes out after each ACK', () => {
    const first = opened(512 * 6);
    expect(blocks(first.send)).toEqual([1, 2, 3, 4]);
    expect(blocks(ack(first.state, 4).send)).toEqual([5, 6, 7]);
  });

  test('an ACK inside the window tells of a gap: on from there', () => {
    expect(blocks(ack(opened(9999).state, 2).send)).toEqual([3, 4, 5, 6]);
  });

  test('the first block lost: the repeated ACK rewinds once, its echoes do nothing', () => {
    const first = ack(opened(99999).state, 4);
    const rewound = ack(first.state, 4);
    expect(blocks(rewound.send)).toEqual([5, 6, 7, 8]);
    expect(ack(rewound.state, 4).send).toEqual([]);
    const next = ack(rewound.state, 8);
    expect(blocks(next.send)).toEqual([9, 10, 11, 12]);
    expect(ack(next.state, 8).send).toEqual([]);
    expect(blocks(ack(ack(next.state, 12).state, 12).send)).toEqual([13, 14, 15, 16]);
  });

  test('a rewind for nothing: the client had it all, and is sent only what is new', () => {
    const first = opened(99999);
    const rewound = ack(first.state, 2); // 3 and 4 were only late
    expect(blocks(rewound.send)).toEqual([3, 4, 5, 6]);
    expect(blocks(ack(rewound.state, 4).send)).toEqual([7, 8]);
  });

  test('further losses in one stretch rewind three times, then wait for the clock', () => {
    let now = ack(start(transfer(99999, [['windowsize', '16']])).state, 0);
    const sent = [];
    for (const block of [2, 4, 6, 8]) {
      now = ack(now.state, block);
      sent.push(now.send.length);
    }
    expect(sent).toEqual([16, 16, 16, 2]);
  });
});

describe('options', () => {
  const agreed = (...options: [string, string][]) => negotiate(options, 1234, limits);

  test('asked and answered', () => {
    expect(agreed(['tsize', '0'], ['blksize', '1432'], ['windowsize', '4'], ['timeout', '5'])).toEqual({
      blockBytes: 1432,
      windowBlocks: 4,
      timeoutMs: 5000,
      accepted: [
        ['tsize', '1234'],
        ['blksize', '1432'],
        ['windowsize', '4'],
        ['timeout', '5'],
      ],
    });
  });

  test('too much is answered with our own limit', () => {
    expect(agreed(['blksize', '65464'], ['windowsize', '65535']).accepted).toEqual([
      ['blksize', '1468'],
      ['windowsize', '64'],
    ]);
  });

  test.each([
    ['blksize', '7'],
    ['blksize', '65465'],
    ['blksize', '-1'],
    ['blksize', '1e3'],
    ['windowsize', '0'],
    ['windowsize', '65536'],
    ['timeout', '0'],
    ['timeout', '256'],
    ['tsize', ''],
    ['multicast', ''],
  ])('%s %s is left out, and nothing changes', (name, value) => {
    expect(agreed([name, value])).toEqual({
      blockBytes: 512,
      windowBlocks: 1,
      timeoutMs: null,
      accepted: [],
    });
  });
});

describe('over a network that loses, repeats and reorders', () => {
  const network = fc.record({
    seed: fc.nat(),
    loss: fc.constantFrom(0, 0.02, 0.1, 0.3),
    repeat: fc.constantFrom(0, 0.02, 0.2, 1),
    reorder: fc.constantFrom(0, 0.02, 0.2),
  });

  test('it ends in bounded steps; "complete" always means identical bytes', () => {
    fc.assert(
      fc.property(
        fc.nat(20_000),
        fc.constantFrom(8, 64, 512, 1468),
        fc.constantFrom(1, 2, 4, 16, 64),
        network,
        (bytes, blksize, windowsize, conditions) => {
          const result = simulate({ bytes, blksize, windowsize, ...conditions });
          expect(result.end).not.toBeNull();
          if (result.end?.outcome === 'complete') expect(result.received).toBe(true);
          // Six lost in a row at 30 % is rare, not impossible; below that nothing may fail.
          if (conditions.loss <= 0.1) expect(result.received).toBe(true);
          // Echoes die out, even if the network repeats every packet and the client answers each of them.
          if (conditions.loss === 0 && conditions.reorder === 0) {
            expect(result.dataSent).toBeLessThanOrEqual(4 * result.dataNeeded + 2 * windowsize);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    [8, 1],
    [8, 64],
    [64, 16],
    [512, 64],
  ])('more than 65535 blocks of %i bytes, window %i', (blksize, windowsize) => {
    const bytes = blksize * 65_536 * 2 + 5;
    const conditions = { seed: 7, loss: 0.001, repeat: 0.001, reorder: 0.001 };
    const result = simulate({ bytes, blksize, windowsize, ...conditions });
    expect(result).toMatchObject({ received: true, end: { outcome: 'complete' } });
  });
});
