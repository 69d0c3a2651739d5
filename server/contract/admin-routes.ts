import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import * as wire from './admin-plane.ts';
import { nextSchema, policySchema } from './discovery.ts';

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
  summary: 'All hosts, in the order of their enrolment; ignored ones only with `state=ignored`',
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
  responses: { 200: json(wire.hostDetailSchema, 'the host'), ...problems },
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
  summary: 'What a machine would be told now, and why; also for a MAC that no host has',
  request: { params: macParam },
  responses: { 200: json(nextSchema, 'the next step'), ...problems },
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

export const approveHost = createRoute({
  method: 'post',
  path: `${HOST}/approve`,
  summary: 'Let a discovered machine take part; with an image, that is the order to install it',
  request: { params: macParam, body: body(wire.approvalSchema) },
  responses: { 200: json(wire.hostSchema, 'the host'), ...writeProblems },
});
export const ignoreHost = createRoute({
  method: 'put',
  path: `${HOST}/ignored`,
  summary: 'Leave a discovered machine to its disk, or let it wait again',
  request: { params: macParam, body: body(wire.ignoredSchema) },
  responses: { 200: json(wire.hostSchema, 'the host'), ...writeProblems },
});

export const getDiscovery = createRoute({
  method: 'get',
  path: '/api/v1/discovery',
  summary: 'The rules for machines that nobody has enrolled, with an ETag',
  responses: { 200: json(policySchema, 'the rules'), ...problems },
});
export const putDiscovery = createRoute({
  method: 'put',
  path: '/api/v1/discovery',
  summary: 'Set the rules; If-Match names the edition that they replace',
  request: {
    headers: z.object({ 'if-match': z.string().optional().openapi({ description: 'needed' }) }),
    body: body(policySchema),
  },
  responses: {
    200: json(policySchema, 'the rules as they are now'),
    ...writeProblems,
    412: refused('they were changed meanwhile'),
    428: refused('If-Match is missing'),
  },
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
const imageParam = z.object({ image: z.string().openapi({ description: 'digest, or NAME[:TAG]' }) });
export const removeImage = createRoute({
  method: 'delete',
  path: '/api/v1/images/{image}',
  summary: 'Take a tag away, or with a digest all its tags; an image that nobody needs is removed',
  request: { params: imageParam },
  responses: { 200: json(wire.removedImageSchema, 'what came of it'), ...writeProblems },
});
const bytes = (type: string) => ({
  content: { [type]: { schema: z.string().openapi({ format: 'binary' }) } },
});
export const exportImage = createRoute({
  method: 'get',
  path: '/api/v1/images/{image}/archive',
  summary: 'The image as one tar; takes Range',
  request: { params: imageParam },
  responses: {
    200: { ...bytes('application/x-tar'), description: 'the archive' },
    206: { ...bytes('application/x-tar'), description: 'a part of it' },
    ...problems,
    503: refused('the image is damaged'),
  },
});
export const checkStore = createRoute({
  method: 'post',
  path: '/api/v1/store/verify',
  summary: 'Read all that is stored; with `Accept: text/event-stream` it tells how far it is',
  responses: { 200: json(wire.storeCheckSchema, 'what was found'), ...writeProblems },
});

const UPLOAD = '/api/v1/uploads/{id}';
const uploadParam = z.object({ id: z.string() });
export const beginUpload = createRoute({
  method: 'post',
  path: '/api/v1/uploads',
  summary: 'Say which image is to come; the answer says what of it is missing here',
  request: { body: body(wire.newUploadSchema) },
  responses: { 201: json(wire.uploadSchema, 'what is missing'), ...writeProblems },
});
export const getUpload = createRoute({
  method: 'get',
  path: UPLOAD,
  request: { params: uploadParam },
  responses: { 200: json(wire.uploadSchema, 'what is still missing'), ...problems },
});
export const putUploadFile = createRoute({
  method: 'put',
  path: `${UPLOAD}/files/{file}`,
  summary: 'A part of a file; may be repeated',
  request: {
    params: uploadParam.extend({ file: z.string() }),
    query: z.object({ offset: z.coerce.number().int().min(0).optional() }),
    body: { ...bytes('application/octet-stream'), required: true },
  },
  responses: { 200: json(wire.uploadProgressSchema, 'how much is still missing'), ...writeProblems },
});
export const putUploadFrames = createRoute({
  method: 'put',
  path: `${UPLOAD}/frames`,
  summary:
    'Missing chunks: for each its sha256 (32 bytes), the length of its frame (4, big-endian), the frame',
  request: { params: uploadParam, body: { ...bytes('application/octet-stream'), required: true } },
  responses: { 200: json(wire.uploadProgressSchema, 'how much is still missing'), ...writeProblems },
});
export const commitUpload = createRoute({
  method: 'post',
  path: `${UPLOAD}/commit`,
  summary: 'Check what was sent and make it an image',
  request: { params: uploadParam },
  responses: { 201: json(wire.imageSchema, 'the image'), ...writeProblems },
});
export const removeUpload = createRoute({
  method: 'delete',
  path: UPLOAD,
  request: { params: uploadParam },
  responses: { 204: { description: 'given up' }, ...problems },
});
export const getDisk = createRoute({
  method: 'get',
  path: '/api/v1/disks/{file}',
  summary: 'A whole bootable disk, composed while it is sent; the same bytes as /boot/disks/{file}',
  request: {
    params: z.object({ file: z.string().openapi({ description: 'LAYOUT.img, or LAYOUT.img.zst' }) }),
    query: z.object({
      // Needed, and refused in the words of the boot plane where it is missing.
      a: z.string().optional().openapi({ description: 'image of slot a, needed: digest, or NAME[:TAG]' }),
      b: z.string().optional().openapi({ description: 'and so on, up to h' }),
      sector: z.string().optional().openapi({ description: '512 or 4096' }),
      seed: z
        .string()
        .optional()
        .openapi({ description: 'disks with different seeds differ in their GUIDs' }),
    }),
  },
  responses: {
    200: {
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
      description: 'the disk, with length, ranges and a strong ETag',
    },
    ...writeProblems,
  },
});
export const startBuild = createRoute({
  method: 'post',
  path: '/api/v1/builds',
  request: { body: body(wire.newBuildSchema) },
  responses: {
    202: json(wire.buildSchema, 'it runs, or waits for its turn; follow its log'),
    ...writeProblems,
  },
});
export const listBuilds = createRoute({
  method: 'get',
  path: '/api/v1/builds',
  summary: 'The newest builds, in the order in which they began',
  request: { query: z.object({ limit: z.coerce.number().int().min(1).max(100).optional() }) },
  responses: { 200: json(wire.buildListSchema, 'newest last'), ...problems },
});
const contextParam = z.object({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is sha256: and 64 hex digits'),
});
export const getContext = createRoute({
  method: 'get',
  path: '/api/v1/contexts/{digest}',
  summary: 'Whether a context is here, so that it need not be sent',
  request: { params: contextParam },
  responses: { 200: json(wire.contextSchema, 'it is here'), ...problems },
});
export const putContext = createRoute({
  method: 'put',
  path: '/api/v1/contexts/{digest}',
  summary: 'Send a context, as a tar, for builds of the next hour',
  request: {
    params: contextParam,
    body: { content: { 'application/x-tar': { schema: z.string().openapi({ format: 'binary' }) } } },
  },
  responses: {
    201: json(wire.contextSchema, 'it is here now'),
    ...writeProblems,
    413: refused('it is larger than this server takes'),
    503: refused('there is no room for it now'),
  },
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
