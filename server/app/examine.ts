import { engineFacts } from '../build/docker/engine-facts.ts';
import { bootUrl, type Config } from '../config.ts';
import { type Finding, ok, problem } from '../core/finding.ts';
import { fromHere } from '../core/listen-address.ts';
import { acceptQueueFinding } from '../doctor/accept-queue.ts';
import { adminTlsFinding } from '../doctor/admin-plane.ts';
import { bootUrlFinding } from '../doctor/boot-url.ts';
import { dockerFinding } from '../doctor/docker.ts';
import { limitsFinding } from '../doctor/limits.ts';
import { nbpFinding } from '../doctor/nbps.ts';
import { portFinding, type WantedPort } from '../doctor/ports.ts';
import { powerHookFinding } from '../doctor/power-hook.ts';
import { agentFinding, httpFinding } from '../doctor/reach.ts';
import { dataFolderFindings } from '../doctor/space.ts';
import { askTftp } from '../tftp/ask.ts';
import { nbpFolder, nbpFolders } from '../tftp/nbp-files.ts';
import { dhcpOnTheWire } from './look-at-dhcp.ts';
import { ownAddresses } from './own-addresses.ts';
import { type RunningNote, readRunningNote } from './running-note.ts';

/**
 * `doctor`: looks at everything that a server with this configuration needs, the quick things first. Where one runs on the
 * data folder it is asked instead of its ports being tried. Changes nothing.
 * @param wire whether to ask the network's DHCP servers, which takes some seconds
 */
export async function* examine(
  config: Config,
  { wire }: { readonly wire: boolean },
): AsyncGenerator<Finding> {
  const running = await readRunningNote(config.dataDir);
  if (running) yield* examineRunning(config.dataDir, running);
  else yield* examinePorts(config);
  const limits = config.boot?.limits && limitsFinding(config.boot.limits);
  if (limits) yield limits;
  const hook = await powerHookFinding(config.boot?.powerHook?.file ?? null);
  if (hook) yield hook;
  const queue = config.boot && (await acceptQueueFinding());
  if (queue) yield queue;
  yield* await dataFolderFindings(config.dataDir);
  const folders = nbpFolders(config.boot?.nbpFolders ?? []);
  yield nbpFinding(await nbpFolder(folders).missing(), folders);
  yield dockerFinding(engineFacts);
  if (!wire || !config.boot) return;
  const url = running?.bootUrl ?? bootUrl(config.boot.url, config.boot.listen, ownAddresses());
  yield* dhcpOnTheWire(url, config.boot.proxyDhcp, running);
}

async function* examineRunning(
  dataDir: string,
  { pid, adminListen, caPem, bootUrl: url, agent, tftp }: RunningNote,
): AsyncGenerator<Finding> {
  yield ok('server', `a server runs on ${dataDir} (process ${pid})`);
  yield adminTlsFinding(adminListen, caPem !== null);
  yield bootUrlFinding({ said: url, url, ownAddresses: ownAddresses() });
  yield httpFinding(url);
  if (agent) yield agentFinding(agent.url, agent.caPem);
  if (!tftp) return;
  const { host, port } = fromHere(tftp);
  const refusal = await askTftp(host, port, 'autoexec.ipxe');
  yield refusal === null
    ? ok('tftp-reach', `TFTP gives autoexec.ipxe on port ${port}`)
    : problem(
        'tftp-reach',
        `TFTP on port ${port} gives no file: ${refusal}`,
        'Look into the log of the server.',
      );
}

async function* examinePorts({ adminListen, adminTls, boot }: Config): AsyncGenerator<Finding> {
  for (const wanted of wantedPorts({ adminListen, boot })) yield portFinding(wanted);
  yield adminTlsFinding(adminListen.host, Boolean(adminTls));
  if (!boot) return;
  const url = bootUrl(boot.url, boot.listen, ownAddresses());
  yield bootUrlFinding({ said: boot.url, url, ownAddresses: ownAddresses() });
}

function wantedPorts({ adminListen, boot }: Pick<Config, 'adminListen' | 'boot'>): WantedPort[] {
  const wanted: WantedPort[] = [
    { check: 'admin-port', name: 'the admin plane', kind: 'tcp', ...adminListen, flag: '--admin-listen' },
  ];
  if (!boot) return wanted;
  wanted.push({
    check: 'boot-port',
    name: 'the boot plane',
    kind: 'tcp',
    ...boot.listen,
    flag: '--boot-listen',
  });
  if (boot.agent)
    wanted.push({
      check: 'agent-port',
      name: 'TLS for hosts',
      kind: 'tcp',
      ...boot.agent.listen,
      flag: '--agent-listen',
    });
  if (boot.tftp)
    wanted.push({ check: 'tftp-port', name: 'TFTP', kind: 'udp', ...boot.tftp, flag: '--tftp-listen' });
  return wanted;
}
