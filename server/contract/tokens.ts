import { createRoute, z } from '@hono/zod-openapi';
import { ROLES } from '../core/by.ts';
import { body, json, problems, refused, role, time, writeProblems } from './route.ts';

/** Who may use the API: tokens, and the sessions that pages make of them. */

const TOKENS = '/api/v1/tokens';
const TOKEN = `${TOKENS}/{id}` as const;
const SESSION = '/api/v1/session';
/** Ten years. */
const MAX_EXPIRY_SECONDS = 10 * 366 * 24 * 3600;

const roleOf = z.enum(ROLES).openapi({
  description: 'viewer: looks; operator: works with hosts, images and rollouts; admin: everything',
});

export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: roleOf,
    createdAt: time,
    createdBy: z
      .string()
      .nullable()
      .openapi({ description: 'name of the token that made it; null: the server, at a first start' }),
    expiresAt: time.nullable(),
    lastUsedAt: time.nullable().openapi({ description: 'to the minute' }),
  })
  .openapi('Token');
export type TokenView = z.infer<typeof tokenSchema>;

export const tokenListSchema = z.object({ tokens: z.array(tokenSchema) }).openapi('TokenList');

export const newTokenSchema = z
  .strictObject({
    name: z.string().max(256).openapi({ description: 'letters, digits, ".", "_", "-"', example: 'ci' }),
    role: roleOf,
    expiresInSeconds: z
      .number()
      .int()
      .min(1)
      .max(MAX_EXPIRY_SECONDS)
      .optional()
      .openapi({ description: 'left out: it does not expire' }),
  })
  .openapi('NewToken');

export const madeTokenSchema = tokenSchema
  .extend({ token: z.string().openapi({ description: 'the token itself; nobody can see it again' }) })
  .openapi('MadeToken');

export const newSessionSchema = z.strictObject({ token: z.string().max(512) }).openapi('NewSession');

export const sessionSchema = z
  .object({ name: z.string(), role: roleOf, expiresAt: time.nullable() })
  .openapi('Session');
export type SessionView = z.infer<typeof sessionSchema>;

const idParam = z.object({ id: z.string() });

export const listTokens = createRoute({
  operationId: 'listTokens',
  method: 'get',
  path: TOKENS,
  summary: 'All tokens that are not revoked, without what is secret in them',
  ...role('admin'),
  responses: { 200: json(tokenListSchema, 'in the order in which they were made'), ...problems },
});
export const createToken = createRoute({
  operationId: 'createToken',
  method: 'post',
  path: TOKENS,
  summary: 'Make a token; the answer is the only place where it can be read',
  ...role('admin'),
  request: { body: body(newTokenSchema) },
  responses: { 201: json(madeTokenSchema, 'the token'), ...writeProblems },
});
export const getToken = createRoute({
  operationId: 'getToken',
  method: 'get',
  path: TOKEN,
  ...role('admin'),
  request: { params: idParam },
  responses: { 200: json(tokenSchema, 'the token'), ...problems },
});
export const revokeToken = createRoute({
  operationId: 'revokeToken',
  method: 'delete',
  path: TOKEN,
  summary: 'End a token, its sessions and what streams to it',
  ...role('admin'),
  request: { params: idParam },
  responses: { 204: { description: 'revoked' }, ...writeProblems },
});

export const login = createRoute({
  operationId: 'login',
  method: 'post',
  path: SESSION,
  summary: 'Log a browser in with a token: the answer sets a cookie',
  security: [],
  request: { body: body(newSessionSchema) },
  responses: { 200: json(sessionSchema, 'who is logged in'), ...problems, 429: refused('wrong too often') },
});
export const whoAmI = createRoute({
  operationId: 'whoAmI',
  method: 'get',
  path: SESSION,
  summary: 'Whose token or session this is',
  responses: { 200: json(sessionSchema, 'who asks'), ...problems },
});
export const logout = createRoute({
  operationId: 'logout',
  method: 'delete',
  path: SESSION,
  summary: 'End the session of the cookie',
  ...role('viewer'),
  responses: { 204: { description: 'ended' }, ...problems },
});
