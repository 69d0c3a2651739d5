import type { HttpBindings } from '@hono/node-server';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { By } from '../core/by.ts';
import type { Expected } from '../core/revision.ts';
import type { Principal } from '../core/token.ts';
import { expectedOf } from './etag.ts';

export type AdminEnv = { Bindings: HttpBindings; Variables: { by: Principal } };

/** The admin plane, to which each resource adds its routes. */
export type AdminApp = OpenAPIHono<AdminEnv>;

/** The revisions from which the change that is asked for may begin. */
export const expectedIn = (c: Context): Expected => expectedOf(c.req.header('if-match'));

/** Whose token came with the request. */
export const byOf = (c: Context<AdminEnv>): By => c.get('by');
