import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Meters } from '../core/meters-port.ts';

/** A look at a row takes a tenth of a millisecond, a signature one; what takes seconds is stuck. */
const ANSWER_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
/** A commit is a sync of the disk. */
const COMMIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const COMMIT_CALLS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** From a jump by kexec to an install over a slow line with a POST of 20 minutes. */
const ATTEMPT_SECONDS = [10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
const BUILD_SECONDS = [5, 15, 30, 60, 120, 300, 600, 1200, 3600];

/** The instruments that rooms report through. */
export function createMeters(registry: Registry): Meters {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `warmboot_${name}_total`, help, labelNames, registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly Label[] = [],
  ) => new Histogram({ name: `warmboot_${name}`, help, buckets, labelNames, registers });

  const answers = counter('http_answers', 'Answers by route and status.', ['plane', 'route', 'status']);
  const broken = counter('http_broken_answers', 'Answers of which less went out than was promised.', [
    'plane',
    'route',
  ]);
  const bytes = counter('http_sent_bytes', 'Bytes of bodies that went out.', ['plane', 'route']);
  const seconds = histogram(
    'http_answer_seconds',
    'From a request to the last byte of its answer; without long polls and streams.',
    ANSWER_SECONDS,
    ['plane', 'route'],
  );
  const open = new Gauge({
    name: 'warmboot_http_open_requests',
    help: 'Requests that are open now: long polls for a manifest, followed streams, and all others.',
    labelNames: ['plane', 'kind'],
    registers,
  });
  const tftp = counter('tftp_transfers', 'TFTP transfers by how they ended.', ['outcome']);
  const tftpBytes = counter('tftp_sent_bytes', 'Bytes of DATA packets sent, retransmissions included.');
  const dhcp = counter('proxy_dhcp_answers', 'Netboot clients answered by proxyDHCP, or given no answer.', [
    'answer',
  ]);
  const commits = counter('database_commits', 'Transactions of the database.', ['result']);
  const commitSeconds = histogram(
    'database_commit_seconds',
    'One transaction, with its sync.',
    COMMIT_SECONDS,
  );
  const commitCalls = histogram(
    'database_commit_calls',
    'Changes that shared one transaction.',
    COMMIT_CALLS,
  );
  const attempts = counter('attempts_ended', 'Attempts by how they ended.', ['kind', 'outcome']);
  const attemptSeconds = histogram(
    'attempt_seconds',
    'From the order to the end of the attempt.',
    ATTEMPT_SECONDS,
    ['kind', 'outcome'],
  );
  const builds = counter('builds_ended', 'Builds by how they ended.', ['status']);
  const buildSeconds = histogram('build_seconds', 'From its turn to the end of the build.', BUILD_SECONDS, [
    'status',
  ]);

  return {
    answered({ plane, route, status, ...told }) {
      answers.inc({ plane, route, status });
      if (told.isBroken) broken.inc({ plane, route });
      if (told.bytes > 0) bytes.inc({ plane, route }, told.bytes);
      if (!told.isWaiting) seconds.observe({ plane, route }, told.seconds);
    },
    opened(plane, kind) {
      open.inc({ plane, kind });
      return () => open.dec({ plane, kind });
    },
    tftpEnded(outcome, sent) {
      tftp.inc({ outcome });
      if (sent > 0) tftpBytes.inc(sent);
    },
    proxyDhcpAnswered: (answer) => dhcp.inc({ answer }),
    committed(calls, took, isOk) {
      commits.inc({ result: isOk ? 'committed' : 'failed' });
      commitSeconds.observe(took);
      commitCalls.observe(calls);
    },
    attemptEnded({ kind, outcome, createdAt, endedAt }) {
      if (outcome === null || endedAt === null) return;
      attempts.inc({ kind, outcome });
      attemptSeconds.observe({ kind, outcome }, Math.max(0, endedAt - createdAt) / 1000);
    },
    buildEnded({ status, startedAt, endedAt }) {
      if (endedAt === null) return;
      builds.inc({ status });
      buildSeconds.observe({ status }, Math.max(0, endedAt - startedAt) / 1000);
    },
  };
}
