import { createRoute, z } from '@hono/zod-openapi';
import { hostSchema, reassignedSchema } from './hosts.ts';
import { body, changeProblems, digest, ifMatch, json, macParam, problems, refused } from './route.ts';

/** What operators do with a host besides giving it images. */

export const holdSchema = z
  .strictObject({
    reason: z.string().min(1).max(256).optional().openapi({ description: 'told to whoever asks why' }),
  })
  .openapi('Hold');

export const releaseSchema = z
  .strictObject({ reason: z.string().max(500).optional().openapi({ description: 'for the event log' }) })
  .openapi('Release');

const HOST = '/api/v1/hosts/{mac}' as const;

export const retireHost = createRoute({
  method: 'post',
  path: `${HOST}/retire`,
  summary: 'Take the host out of service: it is told nothing, its token is worth nothing, its images may go',
  request: { params: macParam, headers: ifMatch },
  responses: { 200: json(hostSchema, 'the host'), ...changeProblems },
});
export const rollBackHost = createRoute({
  method: 'post',
  path: `${HOST}/rollback`,
  summary: 'Bring the host back to the image that it ran before',
  request: { params: macParam, headers: ifMatch },
  responses: {
    200: json(reassignedSchema, 'it runs that image already'),
    202: json(reassignedSchema, 'the attempt that brings it there'),
    ...changeProblems,
  },
});
export const previousSchema = z
  .object({
    image: z.object({ ref: z.string(), digest }),
    slot: z
      .string()
      .nullable()
      .openapi({ description: 'that still holds it; null: none does, and it would be staged' }),
  })
  .openapi('PreviousImage');

export const previousOfHost = createRoute({
  operationId: 'previousOfHost',
  method: 'get',
  path: `${HOST}/rollback`,
  summary: 'The image that the host ran before, to which a rollback would bring it now',
  request: { params: macParam },
  responses: {
    200: json(previousSchema, 'where it would go back to'),
    ...problems,
    409: refused('there is nothing to go back to'),
  },
});
export const holdHost = createRoute({
  method: 'post',
  path: `${HOST}/hold`,
  summary: 'Hold back the orders of the host until it is resumed',
  request: { params: macParam, headers: ifMatch, body: body(holdSchema) },
  responses: { 200: json(hostSchema, 'the host'), ...changeProblems },
});
export const resumeHost = createRoute({
  method: 'post',
  path: `${HOST}/resume`,
  summary: 'Let the orders of a held host go on',
  request: { params: macParam, headers: ifMatch },
  responses: { 200: json(hostSchema, 'the host'), ...changeProblems },
});
export const releaseHost = createRoute({
  operationId: 'releaseHost',
  method: 'post',
  path: `${HOST}/release`,
  summary: 'Take the host’s token away: nobody speaks for it until its next install claims it with another',
  request: { params: macParam, headers: ifMatch, body: body(releaseSchema) },
  responses: { 200: json(hostSchema, 'the host as it is now'), ...changeProblems },
});
