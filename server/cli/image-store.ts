import { z } from 'zod';
import {
  removedImageSchema,
  type StoreCheckView,
  storeCheckProgressSchema,
  storeCheckSchema,
} from '../contract/images.ts';
import { bytes } from '../words/quantity.ts';
import { CliError } from './cli-error.ts';
import { parsed, segment } from './client.ts';
import { transferProgressOn } from './progress.ts';
import type { Session } from './session.ts';
import { clean } from './text.ts';

/** A pack may be written anew before the answer comes. */
const REMOVE_MS = 10 * 60_000;

export async function removeImage(
  { client, json, printJson, tell }: Session,
  refs: readonly string[],
): Promise<number> {
  const answers: unknown[] = [];
  for (const ref of refs) {
    const path = `/api/v1/images/${segment(ref)}`;
    const { raw, data } = await client.send('DELETE', path, removedImageSchema, undefined, {
      patienceMs: REMOVE_MS,
    });
    answers.push(raw);
    if (json) continue;
    const kept = data.keptFor.length > 0 ? ` It stays for now: ${data.keptFor.join(', ')} hold it.` : '';
    const rest = data.isGone ? ` ${bytes(data.freedBytes)} are free again.` : kept;
    tell(`${ref} is ${data.isGone ? 'removed' : 'untagged'}.${rest}`);
  }
  if (json) printJson(refs.length === 1 ? answers[0] : answers);
  return 0;
}

const refusedSchema = z.object({ detail: z.string() });

/** @returns 1 when anything is damaged, so that a script notices */
export async function verifyStore(session: Session): Promise<number> {
  const { client, world, json, tell, printJson, remark, say } = session;
  const progress = transferProgressOn(world);
  let found: StoreCheckView | null = null;
  try {
    for await (const { event, data } of client.events('/api/v1/store/verify', {}, 'POST')) {
      if (event === 'refused')
        throw new CliError(clean(parsed(data, refusedSchema)?.detail ?? 'it was refused.'));
      if (event === 'end') found = parsed(data, storeCheckSchema);
      const step = event === 'progress' ? parsed(data, storeCheckProgressSchema) : null;
      if (step) progress.step({ phase: 'verify', message: `${step.chunks} chunks`, ...step });
    }
    progress.end('done');
  } catch (error) {
    progress.end('failed');
    throw error;
  }
  if (!found) throw new CliError('the check broke off. Its server was stopped, or its log says why.');
  if (json) printJson(found);
  else for (const { what, images } of found.damage) tell(`${what} (${images.join(', ') || 'no image'})`);
  const read = `${found.images} images, ${found.chunks} chunks, ${bytes(found.bytes)}`;
  if (found.damage.length === 0) remark(`${read}: all is as it was stored.`);
  else say(`${read}: damage found. Build, import or push again: ${found.affected.join(', ') || 'nothing'}.`);
  return found.damage.length === 0 ? 0 : 1;
}
