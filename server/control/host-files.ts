import type { By } from '../core/by.ts';
import { requireMove } from '../core/enrolment-moves.ts';
import { WarmbootError } from '../core/errors.ts';
import {
  type FileSet,
  modeText,
  ownerText,
  packed,
  unpacked,
  withFile,
  withoutFile,
} from '../core/file-set.ts';
import type { Host } from '../core/host.ts';
import type { HostFileUseCases } from '../core/host-file-port.ts';
import type { Decision, Records } from '../core/ports.ts';
import type { TarFile } from '../core/ustar.ts';
import { type Context, event } from './context.ts';
import { findHost, onHost } from './one-host.ts';

/** The files that single hosts have of their own. What is in them is told to nobody but who asks for just that. */
export function hostFileCases(context: Context): HostFileUseCases {
  const { store, sha256Hex } = context;

  /** The host with other files. @param told of the event, beside the path */
  function changed(
    host: Host,
    files: FileSet,
    by: By,
    reason: string,
    told: object,
  ): Omit<Decision<never>, 'answer'> {
    const set = packed(files, sha256Hex);
    if (set?.sha256 === host.enrolment.files?.sha256) return {};
    const named = set && { sha256: set.sha256, bytes: set.bytes };
    const after: Host = { ...host, enrolment: { ...host.enrolment, files: named } };
    const data = { ...told, set: set?.sha256 ?? null };
    return {
      hosts: [after],
      ...(set && { fileSets: [set] }),
      events: [event('host-files-changed', after, by, reason, data)],
    };
  }

  async function list(macText: string): Promise<{ host: Host; files: FileSet }> {
    for (;;) {
      const host = await findHost(context, macText);
      const { files } = host.enrolment;
      const tar = files && (await store.fileSet(files.sha256));
      // Where it is gone the host has others by now.
      if (files === null || tar !== null) return { host, files: unpacked(tar) };
    }
  }

  return {
    list,

    async find(macText, path) {
      const { host, files } = await list(macText);
      const file = files.find((each) => each.path === path);
      if (file) return { host, file };
      throw notThere(host, path);
    },

    put(by, macText, said, expected = null) {
      return onHost(context, macText, expected, (host, records) => {
        requireMove(host.enrolment, 'file');
        const files = filesOf(host, records);
        const before = files.find(({ path }) => path === said.path);
        const after = withFile(files, said);
        const file = after.find(({ path }) => path === said.path) as TarFile;
        const told = {
          path: file.path,
          mode: modeText(file.mode),
          owner: ownerText(file),
          bytes: file.content.length,
          sha256: sha256Hex(file.content),
          before: before ? sha256Hex(before.content) : null,
        };
        return {
          answer: { file, isNew: before === undefined },
          ...changed(host, after, by, `put ${file.path}`, told),
        };
      });
    },

    remove(by, macText, path, expected = null) {
      return onHost(context, macText, expected, (host, records) => {
        const files = filesOf(host, records);
        const [before, after] = [files.find((file) => file.path === path), withoutFile(files, path)];
        if (!before || !after) throw notThere(host, path);
        const told = { path, sha256: null, before: sha256Hex(before.content) };
        return { answer: undefined, ...changed(host, after, by, `removed ${path}`, told) };
      });
    },
  };
}

function filesOf({ enrolment: { files } }: Host, records: Records): FileSet {
  return unpacked(files && records.fileSet(files.sha256));
}

function notThere({ enrolment }: Host, path: string): WarmbootError {
  return new WarmbootError(
    'not-found',
    `The host ${enrolment.macs[0]} has no file ${JSON.stringify(path.slice(0, 100))} of its own. GET /api/v1/hosts/MAC/files names those that it has.`,
  );
}
