import { createRoute, z } from '@hono/zod-openapi';
import { hostSettings } from './hosts.ts';
import { body, changeProblems, ifMatch, ifNoneMatch, json, notModified, problems, time } from './route.ts';

/** Profiles: settings for many hosts at once. */

const PROFILES = '/api/v1/profiles';
const PROFILE = `${PROFILES}/{name}` as const;

export const profileSettingsSchema = z.strictObject(hostSettings).openapi('ProfileSettings');

export const profileSchema = z
  .object({
    name: z.string(),
    layout: z.string().nullable(),
    disk: z.string().nullable(),
    append: z.string().nullable(),
    switch: z.enum(['kexec', 'reboot']).nullable(),
    trialSeconds: z.number().int().nullable(),
    rate: z.number().int().nullable(),
    readBack: z.boolean().nullish(),
    revision: z.number().int(),
    createdAt: time,
  })
  .openapi('Profile', { description: 'null: it does not say, and the default counts' });
export type ProfileView = z.infer<typeof profileSchema>;

export const profileListSchema = z.object({ profiles: z.array(profileSchema) }).openapi('ProfileList');

const nameParam = z.object({ name: z.string().openapi({ example: 'dell-r640' }) });

export const listProfiles = createRoute({
  operationId: 'listProfiles',
  method: 'get',
  path: PROFILES,
  responses: { 200: json(profileListSchema, 'by name'), ...problems },
});
export const getProfile = createRoute({
  operationId: 'getProfile',
  method: 'get',
  path: PROFILE,
  request: { params: nameParam, headers: ifNoneMatch },
  responses: { 200: json(profileSchema, 'the profile'), ...notModified, ...problems },
});
export const putProfile = createRoute({
  operationId: 'putProfile',
  method: 'put',
  path: PROFILE,
  summary:
    'Make a profile, or put these settings in the place of those that it has; its hosts change with it. `If-None-Match: *` makes a new one only',
  request: {
    params: nameParam,
    headers: ifMatch.extend({ 'if-none-match': z.string().max(1024).optional() }),
    body: body(profileSettingsSchema),
  },
  responses: { 200: json(profileSchema, 'the profile as it is now'), ...changeProblems },
});
export const removeProfile = createRoute({
  operationId: 'removeProfile',
  method: 'delete',
  path: PROFILE,
  summary: 'Forget a profile that no host has',
  request: { params: nameParam, headers: ifMatch },
  responses: { 204: { description: 'removed' }, ...changeProblems },
});
