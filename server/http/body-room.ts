import type { IncomingMessage } from 'node:http';
import { WarmbootError } from '../core/errors.ts';

type Reading = { bytes: number; cut(): void };

const AGAIN_MS = 5_000;

/**
 * Reads bodies into memory, of which all together take no more than `maxBytes`. Where that is exceeded, the one that has been
 * on its way for longest is given up: a client that sends and is done takes milliseconds.
 */
export function bodyRoom(maxBytes: number) {
  /** Oldest first. */
  const readings = new Set<Reading>();
  let held = 0;

  return {
    held: () => held,
    /**
     * Reads Node's own stream: the detour over a web request costs more than all else that is done with a report.
     * @throws WarmbootError `too-large` as soon as it has more than `mostBytes`, whatever Content-Length says; `unavailable` when it is
     *   given up; `malformed` when the client goes away. What is left of it is left to the server
     */
    read(incoming: IncomingMessage, mostBytes: number): Promise<Buffer> {
      if (incoming.readableEnded) return Promise.resolve(Buffer.alloc(0));
      return new Promise((resolve, reject) => {
        // One buffer, for bytes that come singly, each a chunk, would take two hundred times their size.
        let whole = Buffer.alloc(0);
        const fail = (error: WarmbootError) => {
          end();
          reject(error);
        };
        const reading: Reading = { bytes: 0, cut: () => fail(tooMuch()) };
        const onData = (part: Buffer) => {
          const at = reading.bytes;
          reading.bytes += part.length;
          held += part.length;
          if (reading.bytes > mostBytes) return fail(tooLarge(mostBytes));
          if (reading.bytes > whole.length) whole = enlarged(whole, reading.bytes);
          part.copy(whole, at);
          for (const oldest of readings) {
            if (held <= maxBytes) break;
            oldest.cut();
          }
        };
        const onEnd = () => {
          const { bytes } = reading;
          end();
          resolve(whole.subarray(0, bytes));
        };
        const onGone = () => fail(goneAway());
        readings.add(reading);
        incoming.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
        // Nothing more is said of what was gone before.
        if (incoming.destroyed) onGone();

        function end(): void {
          incoming.off('data', onData).off('end', onEnd).off('close', onGone).pause();
          if (readings.delete(reading)) held -= reading.bytes;
        }
      });
    },
  };
}

/** Twice as large, so that what comes in many pieces is copied few times. */
function enlarged(whole: Buffer<ArrayBuffer>, bytes: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * whole.length));
  whole.copy(larger);
  return larger;
}

export function tooLarge(mostBytes: number): WarmbootError {
  return new WarmbootError('too-large', `The body is larger than ${mostBytes} bytes. Send less.`);
}

function tooMuch(): WarmbootError {
  return new WarmbootError(
    'unavailable',
    'Too much is being sent to this server at once, and this came too slowly. Send it again.',
    AGAIN_MS,
  );
}

function goneAway(): WarmbootError {
  return new WarmbootError(
    'malformed',
    'The connection was closed in the middle of the body. Send it again.',
  );
}
