import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { expect, test } from 'vitest';
import { debianSuite, ensureBase } from '../../../server/build/docker/base.ts';

test.each([
  ['debian:12', 'bookworm'],
  ['debian:trixie', 'trixie'],
  ['debian:bullseye-slim', 'bullseye'],
  ['docker.io/library/debian:13', 'trixie'],
  ['debian', null],
  ['debian:sid', null],
  ['debian:12.1', null],
  ['ubuntu:22.04', null],
  ['example.com/debian:12', null],
  ['debian:constructor', null],
])('%s → %s', (name, suite) => {
  expect(debianSuite(name)).toBe(suite);
});

/** A Docker that has nothing and pulls what it is told to say. */
function pulling(messages: readonly object[]) {
  const pulled: string[] = [];
  const missing = Object.assign(new Error('no such image'), { statusCode: 404 });
  const docker = {
    getImage: () => ({
      inspect: async () => {
        if (pulled.length === 0) throw missing;
        return { Id: 'sha256:x', Architecture: 'amd64', Size: 1 };
      },
    }),
    pull: async (name: string) => {
      pulled.push(name);
      return Readable.from(messages.map((message) => `${JSON.stringify(message)}\n`));
    },
  };
  return { pulled, docker: docker as unknown as Docker };
}

test.each([
  ['db', 'db:latest'],
  ['reg.example:5000/db', 'reg.example:5000/db:latest'],
  ['reg.example:5000/db:3', 'reg.example:5000/db:3'],
  ['db@sha256:0', 'db@sha256:0'],
])('%s is pulled as %s: without a tag Docker would pull them all', async (name, asked) => {
  const { docker, pulled } = pulling([]);
  await ensureBase(docker, name, () => {}, new AbortController().signal);
  expect(pulled).toEqual([asked]);
});

test('what a pull brings is counted over its layers', async () => {
  const mib = 1024 ** 2;
  const down = (id: string, current: number) => ({ id, status: 'Downloading', progressDetail: { current } });
  const { docker } = pulling([
    down('a', 5 * mib),
    down('b', mib),
    down('b', 7 * mib),
    { id: 'a', status: 'Pull complete' },
  ]);
  const told: unknown[] = [];
  await ensureBase(docker, 'db:1', (progress) => told.push(progress), new AbortController().signal);
  expect(told).toEqual([
    { phase: 'base', message: 'pulling db:1' },
    { phase: 'base', message: 'pulling db:1', bytesDone: 5 * mib },
    { phase: 'base', message: 'pulling db:1', bytesDone: 12 * mib },
    { phase: 'base', message: 'db:1: layer a pulled' },
  ]);
});
