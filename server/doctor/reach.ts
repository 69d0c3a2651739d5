import { get } from 'node:https';
import { type Finding, ok, problem } from '../core/finding.ts';

/** How long a server on this machine may take to answer. */
const PATIENCE_MS = 3_000;

/**
 * Asks a running server for the entry script as iPXE would, by the address that hosts are told. What a firewall does to
 * others cannot be seen from here.
 */
export async function httpFinding(bootUrl: string): Promise<Finding> {
  const check = 'boot-reach';
  const address = `${bootUrl}/boot.ipxe`;
  const mend = 'Is --boot-url right, and does a firewall of this machine let TCP to that port in?';
  try {
    const answer = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await answer.text();
    if (answer.status !== 200 || !text.startsWith('#!ipxe'))
      return problem(
        check,
        `${address} answers ${answer.status} and no iPXE script: something else is there`,
        mend,
      );
    return ok(check, `${address} gives the entry script`);
  } catch (error) {
    return problem(check, `${address} cannot be fetched from this machine: ${reasonOf(error)}`, mend);
  }
}

/** Asks a running server for what hosts trust in, as they would: by TLS, verified by the server's own authority. */
export async function agentFinding(agentUrl: string, caPem: string): Promise<Finding> {
  const check = 'agent-reach';
  const address = `${agentUrl}/boot/trust`;
  const mend = 'Is --agent-url right, and does a firewall of this machine let TCP to that port in?';
  try {
    const status = await statusByTls(address, caPem);
    if (status !== 200) return problem(check, `${address} answers ${status}: something else is there`, mend);
    return ok(check, `${agentUrl} speaks TLS with this server's certificate`);
  } catch (error) {
    return problem(check, `${address} cannot be fetched from this machine: ${reasonOf(error)}`, mend);
  }
}

/** Node's own `fetch` takes no certificate. */
function statusByTls(address: string, ca: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const asked = get(address, { ca, agent: false, signal }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.once('error', (error) => reject(signal.aborted ? signal.reason : error));
  });
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer in ${PATIENCE_MS / 1000} s`;
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
