import { type CheckedImage, type CheckFailure, failure, installLine, reinstallLine } from './check.ts';
import { exists, hasProgram, hasUnit, isEnabled, isFile, isMasked, UNIT_FOLDERS } from './tree-questions.ts';

/**
 * A login on each serial console of the command line. systemd-getty-generator starts serial-getty@ on every console that
 * the kernel was given; a unit that is enabled by hand does as well. Container images often have these masked.
 * Source: systemd-getty-generator(8).
 */
export function checkSerialLogin({ tree, os, append }: CheckedImage): CheckFailure[] {
  const ports = [...append.matchAll(/(?:^| )console=(ttyS\d+)/g)].map(([, port]) => port ?? '');
  const [port] = ports;
  if (port === undefined) return [];
  const refuse = (why: string, line: string) => [
    failure('serial-login', `${why}: nobody could log in at the serial console ${port}`, line),
  ];
  if (!hasProgram(tree, 'agetty'))
    return refuse('agetty is missing', installLine(os, { debian: 'util-linux', redHat: 'util-linux' }));
  if (!hasProgram(tree, 'login'))
    return refuse('login is missing', installLine(os, { debian: 'login', redHat: 'util-linux' }));
  for (const each of ports) {
    const masked = ['getty.target', 'serial-getty@.service', `serial-getty@${each}.service`].find((unit) =>
      isMasked(tree, unit),
    );
    if (masked !== undefined) return refuse(`${masked} is masked`, `RUN systemctl unmask ${masked}`);
    const missing = ['getty.target', 'serial-getty@.service'].find((unit) => !hasUnit(tree, unit));
    if (missing !== undefined)
      return refuse(`${missing} is missing`, reinstallLine(os, { debian: 'systemd', redHat: 'systemd' }));
    if (!isEnabled(tree, 'getty.target'))
      return refuse('nothing starts getty.target', 'RUN systemctl add-wants multi-user.target getty.target');
    const wanted = UNIT_FOLDERS.some((folder) =>
      exists(tree, `${folder}/getty.target.wants/serial-getty@${each}.service`),
    );
    if (!wanted && !hasGenerator(tree))
      return refuse(
        'systemd-getty-generator is missing or masked',
        `RUN systemctl enable serial-getty@${each}.service`,
      );
  }
  return [];
}

/** The first folder that has it decides; a link to /dev/null is a mask. */
function hasGenerator(tree: CheckedImage['tree']): boolean {
  const places = ['etc', 'usr/local/lib', 'usr/lib', 'lib'].map(
    (folder) => `${folder}/systemd/system-generators/systemd-getty-generator`,
  );
  const first = places.find((place) => exists(tree, place));
  return first !== undefined && isFile(tree, first);
}
