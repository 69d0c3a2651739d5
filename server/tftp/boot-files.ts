import { breakLoop, type NbpsGiven } from '../core/ipxe-loop.ts';
import { type Mac, parseMac } from '../core/mac.ts';
import { fileOf, firstOf, generatedFiles, type TftpFiles } from './files.ts';
import { refuseName } from './names.ts';

type Given = {
  /** The NBPs by their bare names. */
  readonly nbps: TftpFiles;
  /** Scripts that are the same for every machine. */
  readonly autoexec: string;
  readonly entry: string;
  /** A machine's own script, the one that HTTP gives it too. */
  hostScript(mac: Mac): Promise<string>;
  readonly nowMs: () => number;
  /** Told when iPXE got the script in place of the NBP that it asked for. */
  onLoop(fields: { client: string; file: string }): void;
};

/** NBPs by the folder's name are never replaced by a script. */
const NBP_FOLDER = 'nbp/';
/** `boot/52-54-00-12-34-56.ipxe`; in iPXE `boot/${netX/mac:hexhyp}.ipxe`. */
const HOST_SCRIPT = /^boot\/(.*)\.ipxe$/;

/**
 * All that TFTP serves, by name:
 *
 *     undionly.kpxe, ipxe.efi, …   NBPs; a BIOS iPXE that is told to load itself gets `autoexec.ipxe` (core/ipxe-loop.ts)
 *     nbp/undionly.kpxe, …         the same NBPs, whoever asks
 *     autoexec.ipxe                for iPXE that has no address yet; also `nbp/autoexec.ipxe`, beside the NBPs there
 *     boot.ipxe                    for iPXE that has one
 *     boot/MAC.ipxe                the machine's own script
 */
export function bootFiles({ nbps, autoexec, entry, hostScript, nowMs, onLoop }: Given): TftpFiles {
  const scripts = generatedFiles({
    'autoexec.ipxe': () => autoexec,
    'nbp/autoexec.ipxe': () => autoexec,
    'boot.ipxe': () => entry,
  });
  const hosts: TftpFiles = async (name) => {
    const [, text] = HOST_SCRIPT.exec(name) ?? [];
    if (text === undefined) return null;
    const mac = parseMac(text);
    if (mac === null) return { refused: 'name a host by its MAC: boot/52-54-00-12-34-56.ipxe', code: 1 };
    return fileOf(await hostScript(mac));
  };
  let given: NbpsGiven = new Map();
  const looping: TftpFiles = async (name, { address, options }) => {
    const turn = breakLoop(given, { address, name, options }, nowMs());
    given = turn.given;
    if (!turn.script) return null;
    onLoop({ client: address, file: name });
    return fileOf(autoexec);
  };
  const programs: TftpFiles = (name, from) =>
    nbps(name.startsWith(NBP_FOLDER) ? name.slice(NBP_FOLDER.length) : name, from);

  const files = firstOf(scripts, hosts, looping, programs);
  return async (name, from) => {
    const refused = refuseName(name);
    return refused === null ? files(name, from) : { refused, code: 2 };
  };
}
