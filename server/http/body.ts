import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ZodType } from 'zod';
import { nested } from '../contract/host-plane.ts';
import { WarmbootError } from '../core/errors.ts';
import { bodyRoom } from './body-room.ts';
import { refusalOf } from './plain-words.ts';

/** What a client may send at most: a report with its log, a host with its labels. */
const MAX_BODY_BYTES = 256 * 1024;

/** Bodies that are under way, in bytes: those of a thousand machines that fail at once with their logs fit in. */
const READING = bodyRoom(64 * 1024 * 1024);

/** Reads a JSON or form body against a schema. Stops reading at the limit, whatever Content-Length says. */
export async function bodyOf<T>(
  c: Context<{ Bindings: HttpBindings }>,
  schema: ZodType<T>,
  maxBytes = MAX_BODY_BYTES,
): Promise<{ readonly value: T; readonly bytes: Buffer }> {
  const bytes = await READING.read(c.env.incoming as IncomingMessage, maxBytes);
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  const isForm = type === 'application/x-www-form-urlencoded';
  const input = isForm ? nested(new URLSearchParams(bytes.toString('utf8'))) : json(bytes);
  const parsed = schema.safeParse(input);
  if (parsed.success) return { value: parsed.data, bytes };
  throw refusalOf(parsed.error, 'the body');
}

function json(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new WarmbootError(
      'malformed',
      'The body is not JSON (RFC 8259). Send JSON, or a form with its content type.',
    );
  }
}
