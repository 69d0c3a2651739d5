import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import type { ContextTree } from './context-tree.ts';
import { fileSync, type SyncedFile } from './file-sync.ts';
import { serveGrpc, type UnaryMethod } from './grpc.ts';
import { bytesField, fields, numberField } from './protobuf.ts';

/** Secrets by id, as `RUN --mount=type=secret,id=…` asks for them. */
export type Secrets = ReadonlyMap<string, Uint8Array>;

/** What BuildKit may ask for while it builds. */
export interface SessionContent {
  readonly secrets: Secrets;
  readonly context: ContextTree;
  /** Builds with the same key send only what changed since the one before. */
  readonly sharedKey: string;
}

export interface Session {
  /** Goes into the build's query. */
  readonly id: string;
  close(): void;
}

const HEALTH = '/grpc.health.v1.Health/Check';
const GET_SECRET = '/moby.buildkit.secrets.v1.Secrets/GetSecret';
const SYNC = '/moby.filesync.v1.FileSync/DiffCopy';
const SERVING = 1;

/**
 * A connection on which BuildKit asks for a build's files and secrets while it runs. Secrets are given over when a step
 * mounts them, and lie in that step's tmpfs alone: in no layer, no history, no cache.
 * Source: moby/buildkit session/grpchijack, session/filesync, session/secrets/secrets.proto; Docker's API, POST /session.
 */
export async function openSession(
  docker: Docker,
  { secrets, context, sharedKey }: SessionContent,
): Promise<Session> {
  const id = randomUUID();
  const unary = new Map<string, UnaryMethod>([
    [HEALTH, () => numberField(1, SERVING)],
    [GET_SECRET, (request) => answerSecret(request, secrets)],
  ]);
  const streams = new Map([[SYNC, fileSync((name, followed) => filesOf(context, name, followed))]]);
  const socket = await new Promise<Duplex>((resolve, reject) => {
    docker.modem.dial(
      {
        method: 'POST',
        path: '/session',
        hijack: true,
        headers: {
          Upgrade: 'h2c',
          'X-Docker-Expose-Session-Uuid': id,
          'X-Docker-Expose-Session-Name': 'warmboot',
          'X-Docker-Expose-Session-Sharedkey': sharedKey,
          'X-Docker-Expose-Session-Grpc-Method': [...unary.keys(), ...streams.keys()],
        },
        statusCodes: { 200: true, 101: true, 500: 'server error' },
      },
      (error, opened) => (error ? reject(error as Error) : resolve(opened as Duplex)),
    );
  });
  const server = serveGrpc(socket, { unary, streams });
  return {
    id,
    close: () => {
      server.close();
      socket.destroy();
    },
  };
}

/**
 * The Dockerfile is a source of its own, so that COPY does not find it where .dockerignore hides it. Patterns have been
 * applied, so BuildKit is told of no .dockerignore when it looks for that alone.
 */
function filesOf(context: ContextTree, name: string, followed: string): readonly SyncedFile[] {
  if (name === 'dockerfile') return [{ path: 'Dockerfile', inode: context.dockerfile.inode }];
  return followed === '.dockerignore' ? [] : context.files;
}

function answerSecret(request: Buffer, secrets: Secrets): Buffer | null {
  for (const [field, value] of fields(request)) {
    if (field !== 1 || !Buffer.isBuffer(value)) continue;
    const secret = secrets.get(value.toString('utf8'));
    return secret ? bytesField(1, secret) : null;
  }
  return null;
}
