import { createRoute, z } from '@hono/zod-openapi';
import { nextSchema } from './discovery.ts';
import * as wire from './hosts.ts';
import {
  body,
  changeProblems,
  cursorParam,
  ifMatch,
  ifNoneMatch,
  json,
  macParam,
  notModified,
  patchBody,
  problems,
  refused,
  writeProblems,
} from './route.ts';

/** What can be asked of hosts. */

const HOSTS = '/api/v1/hosts';

const HOST = `${HOSTS}/{mac}` as const;

export const listHosts = createRoute({
  operationId: 'listHosts',
  method: 'get',
  path: HOSTS,
  summary: 'Hosts in the order of their enrolment, a page at a time; ignored ones only with `state=ignored`',
  request: { query: wire.hostQuerySchema },
  responses: {
    200: json(wire.hostListSchema, 'a page of the hosts'),
    ...problems,
    422: refused('there is no such image'),
  },
});

export const enrolHost = createRoute({
  operationId: 'enrolHost',
  method: 'post',
  path: HOSTS,
  summary: 'Enrol a machine; with an image, that is the order to install it',
  request: { body: body(wire.newHostSchema) },
  responses: { 201: json(wire.hostSchema, 'the host'), ...writeProblems },
});

export const getHost = createRoute({
  operationId: 'getHost',
  method: 'get',
  path: HOST,
  request: { params: macParam, headers: ifNoneMatch },
  responses: { 200: json(wire.hostDetailSchema, 'the host'), ...notModified, ...problems },
});

export const changeHost = createRoute({
  operationId: 'changeHost',
  method: 'patch',
  path: HOST,
  request: { params: macParam, headers: ifMatch, body: patchBody(wire.hostChangesSchema) },
  responses: { 200: json(wire.hostSchema, 'the host as it is now'), ...changeProblems },
});

export const removeHost = createRoute({
  operationId: 'removeHost',
  method: 'delete',
  path: HOST,
  request: { params: macParam, headers: ifMatch },
  responses: { 204: { description: 'removed' }, ...problems, 412: changeProblems[412] },
});

export const listAttempts = createRoute({
  operationId: 'listAttempts',
  method: 'get',
  path: `${HOST}/attempts`,
  request: {
    params: macParam,
    query: z.object({ limit: z.coerce.number().int().min(1).max(1000).optional(), cursor: cursorParam }),
  },
  responses: { 200: json(wire.attemptListSchema, 'oldest first'), ...problems },
});

export const nextOfHost = createRoute({
  operationId: 'nextOfHost',
  method: 'get',
  path: `${HOST}/next`,
  summary: 'What a machine would be told now, and why; also for a MAC that no host has',
  request: { params: macParam },
  responses: { 200: json(nextSchema, 'the next step'), ...problems },
});

export const reassignHost = createRoute({
  operationId: 'reassignHost',
  method: 'put',
  path: `${HOST}/os`,
  summary: 'Bring the host to another image',
  request: { params: macParam, headers: ifMatch, body: body(wire.reassignSchema) },
  responses: {
    200: json(wire.reassignedSchema, 'it runs this image already'),
    202: json(wire.reassignedSchema, 'the attempt that brings it there'),
    ...changeProblems,
  },
});

export const retryHost = createRoute({
  operationId: 'retryHost',
  method: 'post',
  path: `${HOST}/retry`,
  summary: 'Try the assigned image once more after a failure or a rollback',
  request: { params: macParam, headers: ifMatch },
  responses: { 202: json(wire.reassignedSchema, 'the new attempt'), ...changeProblems },
});

export const reinstallHost = createRoute({
  operationId: 'reinstallHost',
  method: 'post',
  path: `${HOST}/reinstall`,
  summary: 'Install from the start at the next netboot',
  request: { params: macParam, headers: ifMatch, body: body(wire.reinstallSchema) },
  responses: { 202: json(wire.reassignedSchema, 'the new attempt'), ...changeProblems },
});

export const approveHost = createRoute({
  operationId: 'approveHost',
  method: 'post',
  path: `${HOST}/approve`,
  summary: 'Let a discovered machine take part; with an image, that is the order to install it',
  request: { params: macParam, headers: ifMatch, body: body(wire.approvalSchema) },
  responses: { 200: json(wire.hostSchema, 'the host'), ...changeProblems },
});

export const ignoreHost = createRoute({
  operationId: 'ignoreHost',
  method: 'put',
  path: `${HOST}/ignored`,
  summary: 'Leave a discovered machine to its disk, or let it wait again',
  request: { params: macParam, headers: ifMatch, body: body(wire.ignoredSchema) },
  responses: { 200: json(wire.hostSchema, 'the host'), ...changeProblems },
});
