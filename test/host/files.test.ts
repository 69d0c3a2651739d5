import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, INSTALL, SHELLS } from './shell.ts';

/** How a host comes by its file set, and which slot has which. */

const SET = 'a file set';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const HEX = sha256(SET);
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write('body', SET);
});
afterEach(() => host.remove());

const read = (path: string) => readFileSync(host.path(path), 'utf8');
const sets = () =>
  existsSync(host.path('run/state/files')) ? readdirSync(host.path('run/state/files')).sort() : [];
const requests = () => (existsSync(host.path('requests')) ? read('requests').trim().split('\n') : []);

describe.each(SHELLS)('in %s', (...shell) => {
  const manifest = `M_FILES_SHA256=${HEX} M_FILES_URL=/boot/hosts/x/files/${HEX} M_MIRROR=http://mirror`;
  const tell = 'files_fetch && echo there || echo "not: $REASON"';
  const run = (script: string) => host.run(shell, `${manifest}; ${script}`).out;

  test('fetched once, from the server itself, whatever mirror there is', () => {
    expect(run(`${tell}; ${tell}`)).toBe('there\nthere');
    expect(requests()).toEqual([`http://10.0.0.1:8080/boot/hosts/x/files/${HEX}`]);
    expect(read(`run/state/files/${HEX}.tar`)).toBe(SET);
    expect(existsSync(host.path('run/files.tar'))).toBe(false);
  });

  test('a host without files asks for none', () => {
    expect(run(`M_FILES_SHA256=; ${tell}`)).toBe('there');
    expect(requests()).toEqual([]);
  });

  test('what was damaged on the disk is fetched anew', () => {
    host.write(`run/state/files/${HEX}.tar`, 'damaged');
    expect(run(tell)).toBe('there');
    expect(read(`run/state/files/${HEX}.tar`)).toBe(SET);
  });

  test.each([
    ['000', 'the server answers 000'],
    ['503', 'the server answers 503'],
    ['401', 'the server answers 401'],
    ['404', 'the server answers 404'],
  ])('status %s: not there, and nothing is kept', (status, why) => {
    host.write('status', status);
    expect(run(`FILES_SECONDS=3; ${tell}`)).toBe(`not: ${why}`);
    expect(sets()).toEqual([]);
    expect(requests().length).toBe(status.startsWith('4') ? 1 : 3);
  });

  test('other bytes than the manifest names are not taken', () => {
    host.write('body', 'of a stranger');
    expect(run(`FILES_SECONDS=3; ${tell}`)).toBe('not: they are not those that the manifest names');
    expect(sets()).toEqual([]);
  });

  test('each slot keeps its own, and what no slot has goes', () => {
    const other = sha256('other');
    host.write(`run/state/files/${other}.tar`, 'other');
    host.write('run/state/files/slot-a', `${other}\n`);
    host.write(`run/state/files/${'0'.repeat(64)}.tar`, 'of nobody');
    run('files_fetch; files_for b');
    expect(sets()).toEqual([`${HEX}.tar`, `${other}.tar`, 'slot-a', 'slot-b'].sort());
    run('files_for a');
    expect(sets()).toEqual([`${HEX}.tar`, 'slot-a', 'slot-b']);
    run('M_FILES_SHA256=; files_for a; files_for b');
    expect(sets()).toEqual([]);
  });

  test('a host that never had files gets no folder', () => {
    run('M_FILES_SHA256=; files_for a');
    expect(existsSync(host.path('run/state/files'))).toBe(false);
  });

  test('an install gives its slot the set, and forgets those of the slots that were', () => {
    host.write('run/state/files/slot-b', `${'0'.repeat(64)}\n`);
    const { out } = host.run(shell, `${manifest} M_SLOT=a; put_host_files; echo done`, INSTALL);
    expect(out).toBe('done');
    expect(sets()).toEqual([`${HEX}.tar`, 'slot-a']);
  });

  test('an install whose files are not to be had fails and says so', () => {
    host.write('status', '404');
    const script = `${manifest} M_SLOT=a; (put_host_files; echo done); cat "$WB_RUN/work/reason"`;
    expect(host.run(shell, script, INSTALL).out).toBe(
      'the host’s files are not to be had: the server answers 404'.replace('’', "'"),
    );
  });

  describe('an install', () => {
    // All that it does to the disk, in order.
    const STEPS = [
      'look_for_former',
      'make_partitions',
      'make_boot_partition',
      'put_own_loader',
      'put_state',
      'put_host_files',
      'slot_mark_invalid',
      'download_index',
      'flash_slot',
      'put_boot_files',
      'slot_mark_valid',
      'put_host_name',
      'lead_others_here',
    ];
    const install = (more = '') => {
      const steps = STEPS.map((step) => `${step}() { echo ${step}; }`).join('\n');
      const script = `
        M_SLOT=a CHOSEN=sda M_POLL=1 M_IMAGE_DIGEST=x M_IMAGE_NAME=x M_ATTEMPT=x FILES_SECONDS=1; sleep() { :; }
        mkdir -p "$WB_RUN/work"
        ${more}
        (install_work /dev/sda); cat "$WB_RUN/work/reason" 2> /dev/null; ls "$WB_RUN/work"`;
      // The file's own functions come first, and those that are played take their place.
      return host.run(shell, `${manifest}; ${steps}; ${script}`, INSTALL).out.split('\n');
    };

    test('has them before it touches the disk', () => {
      expect(install()).toEqual(expect.arrayContaining(STEPS));
      expect(requests()).toHaveLength(1);
      expect(read('run/files.tar')).toBe(SET);
    });

    test.each([
      ['a set that was changed meanwhile: the manifest is asked for anew', '404', 'unwanted'],
      ['a token that is not known', '401', "the host's files are not to be had: the server answers 401"],
      [
        'a server that fails for longer than is waited',
        '503',
        "the host's files are not to be had: the server answers 503",
      ],
    ])('does not touch it without them: %s', (_, status, end) => {
      host.write('status', status);
      const seen = install('PATIENCE_SECONDS=-1');
      expect(seen).toContain(end);
      expect(seen.filter((line) => STEPS.includes(line))).toEqual(['look_for_former']);
    });

    test('asks no more often than the server says', () => {
      host.write('status', '503');
      const script = `told_to_wait() { TURN=120; }
        wait_turn() { echo "waits $TURN s"; echo 200 > "$T/status"; }`;
      expect(install(script)).toEqual(expect.arrayContaining(['waits 120 s', ...STEPS]));
      expect(requests()).toHaveLength(2);
    });

    test('that is done already asks for nothing the disk has', () => {
      host.write(`run/state/files/${HEX}.tar`, SET);
      host.write('run/token', 'claimed with');
      const script = `${manifest}; is_mounted() { :; }; for step in put_own_loader put_host_name lead_others_here; do eval "$step() { :; }"; done; M_SLOT=a; renew_work /dev/sda; echo done`;
      expect(host.run(shell, script, INSTALL).out).toBe('done');
      expect(requests()).toEqual([]);
      expect(readFileSync(host.path('run/state/token'), 'utf8')).toBe('claimed with');
    });

    test('waits for a server that is away', () => {
      host.write('status', '000');
      const script = 'PATIENCE_SECONDS=-1; server_is_away() { echo 200 > "$T/status"; PATIENCE_SECONDS=60; }';
      expect(install(script)).toEqual(expect.arrayContaining(STEPS));
    });
  });

  describe('a switch', () => {
    const SWITCH = `
      M_ATTEMPT=att-2 ATTEMPT=att-2 M_ACTION=switch M_SLOT=b M_IMAGE_DIGEST=sha256:b M_APPEND=x M_TRIAL=y M_SWITCH=kexec M_POLL=5 IN_TRIAL='' SLOT=a
      DISK=sda DIGEST=sha256:a HOOK_SECONDS=3600 ETAG=e WB_ROOT=$T/root FILES_SECONDS=2
      switch_allowed() { :; }
      before_switch() { :; }
      leave() { echo "leave by $1, slot-b $(cat "$STATE/files/slot-b" 2> /dev/null)"; }
      switch; echo "etag '$ETAG'"`;
    const go = (more = '') =>
      host.run(
        shell,
        `${manifest}; ${more} ${SWITCH}`,
        ['stage.sh', 'switch.sh', 'trial.sh'].map((name) => `${AGENT}/${name}`),
      ).out;

    beforeEach(() => host.validSlot('b', 'sha256:b'));

    test('gives the slot its files before it jumps', () => {
      expect(go()).toContain(`leave by kexec, slot-b ${HEX}`);
    });

    test('takes away what the slot had where the host has none any more', () => {
      host.write('run/state/files/slot-b', `${HEX}\n`);
      expect(go('M_FILES_SHA256=')).toContain('leave by kexec, slot-b \n');
    });

    test.each(['000', '503', '404'])('waits while the server answers %s', (status) => {
      host.write('status', status);
      expect(go()).toBe("etag ''");
      expect(read('console')).toContain('switch postponed');
      expect(existsSync(host.path('run/state/trial'))).toBe(false);
    });

    test('is refused where the server gives other files, or none to this host', () => {
      host.write('body', 'other');
      expect(go()).toBe("etag 'e'");
      expect(read('console')).toContain('failed files: the host');
      expect(existsSync(host.path('run/state/trial'))).toBe(false);
    });
  });
});
