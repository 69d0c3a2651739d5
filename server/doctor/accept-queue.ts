import { readFile } from 'node:fs/promises';
import { ACCEPT_QUEUE } from '../core/accept-queue.ts';
import { type Finding, ok, warning } from '../core/finding.ts';

const CHECK = 'accept-queue';

/** Whether the kernel lets as many machines wait to be heard as come at once. @returns null where it does not say */
export async function acceptQueueFinding(file = '/proc/sys/net/core/somaxconn'): Promise<Finding | null> {
  const most = Number(await readFile(file, 'utf8').catch(() => ''));
  if (!most) return null;
  if (most >= ACCEPT_QUEUE) return ok(CHECK, `${ACCEPT_QUEUE} connections may wait to be accepted`);
  return warning(
    CHECK,
    `the kernel lets ${most} connections wait to be accepted (net.core.somaxconn): of more machines that are switched on together some lose up to half a minute`,
    `Run: sysctl -w net.core.somaxconn=${ACCEPT_QUEUE}; write the same to a file in /etc/sysctl.d; then start the server again.`,
  );
}
