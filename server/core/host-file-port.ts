import type { By } from './by.ts';
import type { FileSet, SaidFile } from './file-set.ts';
import type { Host } from './host.ts';
import type { Expected } from './revision.ts';
import type { TarFile } from './ustar.ts';

/** What operators do with the files of single hosts. */
export type HostFileUseCases = {
  /** By path. */
  list(mac: string): Promise<{ readonly host: Host; readonly files: FileSet }>;
  /** @throws WarmbootError `not-found` where the host has no such file */
  find(mac: string, path: string): Promise<{ readonly host: Host; readonly file: TarFile }>;
  /**
   * Gives the host a file, or puts it in the place of what it has there. The same once more changes nothing.
   * @param expected here and below: revisions of the host from which the change may begin
   * @throws here and below: WarmbootError `outdated` when the host has another one
   */
  put(
    by: By,
    mac: string,
    said: SaidFile,
    expected?: Expected,
  ): Promise<{ readonly file: TarFile; readonly isNew: boolean }>;
  /** @throws WarmbootError `not-found` where the host has no such file */
  remove(by: By, mac: string, path: string, expected?: Expected): Promise<void>;
};
