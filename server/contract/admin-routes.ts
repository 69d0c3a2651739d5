import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import * as wire from './admin-plane.ts';

/** The routes of the admin API with their schemas: what the OpenAPI file is made from. */

export const document = {
  openapi: '3.1.0',
  info: { title: 'Warmboot', version: '1', description: 'Hosts, images and builds of a Warmboot server.' },
  security: [{ token: [] }],
};

const json = <T extends z.ZodType>(schema: T, description: string) => ({
  content: { 'application/json': { schema } },
  description,
});
const refused = (description: string) => ({
  content: { 'application/problem+json': { schema: wire.problemSchema } },
  description,
});

const problems = {
  400: refused('the request cannot be read'),
  401: refused('the token is missing or wrong'),
  404: refused('there is no such thing'),
} as const;
const writeProblems = {
  ...problems,
  409: refused('it contradicts what is already so'),
  422: refused('it asks for what cannot be'),
} as const;

const macParam = z.object({ mac: z.string().openapi({ example: '52:54:00:00:00:01' }) });
const body = <T extends z.ZodType>(schema: T) => ({
  content: { 'application/json': { schema } },
  required: true as const,
});
const HOSTS = '/api/v1/hosts';
const HOST = `${HOSTS}/{mac}` as const;

export const listHosts = createRoute({
  method: 'get',
  path: HOSTS,
  summary: 'All hosts, in the order of their enrolment',
  request: { query: z.object({ state: z.string().optional(), label: z.string().optional() }) },
  responses: { 200: json(wire.hostListSchema, 'the hosts'), ...problems },
});
export const enrolHost = createRoute({
  method: 'post',
  path: HOSTS,
  summary: 'Enrol a machine; with an image, that is the order to install it',
  request: { body: body(wire.newHostSchema) },
  responses: { 201: json(wire.hostSchema, 'the host'), ...writeProblems },
});
export const getHost = createRoute({
  method: 'get',
  path: HOST,
  request: { params: macParam },
  responses: { 200: json(wire.hostSchema, 'the host'), ...problems },
});
export const changeHost = createRoute({
  method: 'patch',
  path: HOST,
  request: { params: macParam, body: body(wire.hostChangesSchema) },
  responses: { 200: json(wire.hostSchema, 'the host as it is now'), ...writeProblems },
});
export const removeHost = createRoute({
  method: 'delete',
  path: HOST,
  request: { params: macParam },
  responses: { 204: { description: 'removed' }, ...problems },
});
export const listAttempts = createRoute({
  method: 'get',
  path: `${HOST}/attempts`,
  request: { params: macParam },
  responses: { 200: json(z.object({ attempts: z.array(wire.attemptSchema) }), 'oldest first'), ...problems },
});
export const nextOfHost = createRoute({
  method: 'get',
  path: `${HOST}/next`,
  summary: 'What the host would be told now, and why',
  request: { params: macParam },
  responses: { 200: json(wire.nextSchema, 'the next step'), ...problems },
});
export const reassignHost = createRoute({
  method: 'put',
  path: `${HOST}/os`,
  summary: 'Bring the host to another image',
  request: { params: macParam, body: body(wire.reassignSchema) },
  responses: {
    200: json(wire.reassignedSchema, 'it runs this image already'),
    202: json(wire.reassignedSchema, 'the attempt that brings it there'),
    ...writeProblems,
  },
});
export const retryHost = createRoute({
  method: 'post',
  path: `${HOST}/retry`,
  summary: 'Try the assigned image once more after a failure or a rollback',
  request: { params: macParam },
  responses: { 202: json(wire.reassignedSchema, 'the new attempt'), ...writeProblems },
});
export const reinstallHost = createRoute({
  method: 'post',
  path: `${HOST}/reinstall`,
  summary: 'Install from the start at the next netboot',
  request: { params: macParam, body: body(wire.reinstallSchema) },
  responses: { 202: json(wire.reassignedSchema, 'the new attempt'), ...writeProblems },
});

export const listImages = createRoute({
  method: 'get',
  path: '/api/v1/images',
  responses: { 200: json(wire.imageListSchema, 'oldest first'), ...problems },
});
export const getImage = createRoute({
  method: 'get',
  path: '/api/v1/images/{image}',
  request: { params: z.object({ image: z.string().openapi({ description: 'digest, or NAME[:TAG]' }) }) },
  responses: { 200: json(wire.imageSchema, 'the image'), ...problems },
});
export const startBuild = createRoute({
  method: 'post',
  path: '/api/v1/builds',
  request: { body: body(wire.newBuildSchema) },
  responses: { 202: json(wire.buildSchema, 'it runs; follow its log'), ...writeProblems },
});
export const getBuild = createRoute({
  method: 'get',
  path: '/api/v1/builds/{id}',
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: json(wire.buildSchema, 'the build'), ...problems },
});
export const listEvents = createRoute({
  method: 'get',
  path: '/api/v1/events',
  summary: 'The event log; with `Accept: text/event-stream` it goes on',
  request: {
    query: z.object({
      after: z.coerce.number().int().min(0).optional().openapi({ description: 'left out: the newest' }),
      limit: z.coerce.number().int().min(1).max(1000).optional(),
      host: z.string().optional().openapi({ description: 'a MAC' }),
    }),
  },
  responses: { 200: json(wire.eventListSchema, 'in the order in which they happened'), ...problems },
}) satisfies RouteConfig;
