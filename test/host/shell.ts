import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasStarted, needPrograms, startProgram } from '../../lab/child.ts';
import { runsAll } from '../all.ts';

const exec = promisify(execFile);

/** For a script, shorter than that of its test. */
const PATIENCE_MS = 25_000;

const images = fileURLToPath(new URL('../../images', import.meta.url));
export const AGENT = join(images, 'agent/rootfs/usr/lib/warmboot');
export const INSTALLER = join(images, 'installer/rootfs/usr/lib/warmboot');
/** What an install is made of. */
export const INSTALL = ['whose-disk.sh', 'partition.sh', 'other-disks.sh', 'install.sh'].map((name) =>
  join(INSTALLER, name),
);

/**
 * The shells that hosts have as `sh`: dash (Debian), bash (CentOS), busybox (the installer). The default tier leaves out busybox:
 * dash is its nearest relative, and its e2e tests install machines with it.
 */
export const SHELLS: readonly (readonly string[])[] = [
  ['dash'],
  ['bash', '--posix'],
  ...(runsAll() ? [['busybox', 'sh']] : []),
];

/** A grubenv that is plain lines. */
const GRUBENV = `grubenv)
      file=$2 what=$3; shift 3
      case $what in
        get) [ -f "$file" ] && sed -n "s/^$1=//p" "$file" ;;
        list) cat "$file" ;;
        *)
          if [ "$what" = init ]; then : > "$file"; fi
          [ -f "$file" ] || exit 8
          for pair in "$@"; do
            sed "/^\${pair%%=*}=/d" "$file" > "$file.tmp"; [ -z "\${pair#*=}" ] || echo "$pair" >> "$file.tmp"; mv "$file.tmp" "$file"
          done
          echo "grubenv $*" >> "$T/calls" ;;
      esac ;;`;

/** The host's programs, played: each is a shell script that finds the test's folder in $T. */
const PLAYED: Readonly<Record<string, string>> = {
  // A check that says what the test wrote down.
  'warmboot-helper': `
    case $1 in
      ${GRUBENV}
      digest) sha256sum "$2" | sed 's/ .*//; s/^/sha256:/' ;;
      *) exit "$(cat "$T/helper-$1" 2> /dev/null || echo 0)" ;;
    esac`,
  mount: 'echo "mount $*" >> "$T/calls"',
  umount: 'echo "umount $*" >> "$T/calls"',
  sleep: ':',
  kexec: 'echo "kexec $*" >> "$T/calls"; exit "$(cat "$T/kexec" 2> /dev/null || echo 0)"',
  // A question is none of what the host does.
  systemctl: 'case $1 in is-*) ;; *) echo "systemctl $*" >> "$T/calls" ;; esac',
  busctl: ':',
  // Of `-p -o value -s TAG DEVICE`: what the test wrote down for that tag and device; PARTUUIDs are in $T/uuid too.
  blkid: `
    file=$T/blkid/$5-$(basename "$6")
    if [ -e "$file" ]; then cat "$file"; elif [ "$5" = PART_ENTRY_UUID ]; then cat "$T/uuid" 2> /dev/null; fi`,
  wipefs:
    'if [ -e "$T/signatures" ]; then cat "$T/signatures"; fi; exit "$(cat "$T/wipefs" 2> /dev/null || echo 0)"',
  // Answers with the status in $T/status (000: nobody there) and keeps what was sent, one request a line.
  curl: `
    out=/dev/null; sent=''
    while [ $# -gt 0 ]; do
      case $1 in
        -o) out=$2; shift ;;
        -D) : > "$2"; shift ;;
        --data-urlencode) sent="$sent $2"; shift ;;
      esac
      last=$1; shift
    done
    echo "$last$sent" >> "$T/requests"
    status=$(cat "$T/status" 2> /dev/null || echo 200)
    [ "$status" != 000 ] || exit 7
    cat "$T/body" > "$out" 2> /dev/null
    printf '%s' "$status"`,
};

/** The real one, which gives up neither a connection nor an answer because a test's machine is busy. */
const PATIENT_CURL = `PATH=\${PATH#*:}; exec curl "$@" --connect-timeout 20 --max-time 20`;

const REAL_HELPER = `
  case $1 in
    verify) base64 -d "$3" > "$T/der" 2> /dev/null && openssl dgst -sha256 -verify "$2" -signature "$T/der" "$4" > /dev/null ;;
    digest) sha256sum "$2" | sed 's/ .*//; s/^/sha256:/' ;;
    ${GRUBENV}
    field) grep -o '"'"$3"'":"[^"]*"' "$2" | cut -d'"' -f4 ;;
    *) exit 2 ;;
  esac`;

/** busybox takes its own programs before those in PATH; functions come before both. */
const PLAYED_FIRST = Object.keys(PLAYED)
  .filter((name) => !name.includes('-'))
  .map((name) => `${name}() { "$T/bin/${name}" "$@"; }\n`)
  .join('');

/** A machine of files: sysfs, /proc, a boot and a state partition, played programs. */
export class FakeHost {
  readonly root = mkdtempSync(join(tmpdir(), 'warmboot host '));

  constructor() {
    for (const [name, body] of Object.entries(PLAYED))
      this.write(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
    this.write('proc/uptime', '100.50 3.00\n');
    this.write('proc/cmdline', 'root=PARTUUID=x rw warmboot.slot=a warmboot.attempt=att-1\n');
    this.write('proc/sys/kernel/random/boot_id', 'boot-1\n');
    this.write('proc/self/mountinfo', '');
    for (const folder of [
      'run/boot/grub',
      'run/boot/warmboot',
      'run/state',
      'run/outbox',
      'run/work',
      'sys/class/net',
    ])
      mkdirSync(this.path(folder), { recursive: true });
  }

  path(name: string): string {
    return join(this.root, name);
  }

  writeBytes(name: string, content: Uint8Array): void {
    writeFileSync(this.path(name), content);
  }

  write(name: string, content: string, mode = 0o644): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
    chmodSync(this.path(name), mode);
  }

  /** A disk in sysfs, with partitions by label; `facts` are files under its folder. */
  disk(
    name: string,
    facts: Readonly<Record<string, string>>,
    labels: readonly string[] = [],
    bus = 'pci0',
  ): void {
    const folder = `sys/devices/${bus}/block/${name}`;
    const all = { size: '8388608', removable: '0', ro: '0', 'queue/logical_block_size': '512', ...facts };
    mkdirSync(this.path(`${folder}/device`), { recursive: true });
    for (const [file, value] of Object.entries(all)) this.write(`${folder}/${file}`, `${value}\n`);
    mkdirSync(this.path('sys/class/block'), { recursive: true });
    symlinkSync(this.path(folder), this.path(`sys/class/block/${name}`));
    labels.forEach((label, index) => {
      const part = `${name}${index + 1}`;
      this.write(`${folder}/${part}/partition`, `${index + 1}\n`);
      this.write(`${folder}/${part}/dev`, `8:${index + 1}\n`);
      this.write(`${folder}/${part}/uevent`, `DEVTYPE=partition\nPARTNAME=${label}\n`);
      symlinkSync(this.path(`${folder}/${part}`), this.path(`sys/class/block/${part}`));
    });
  }

  /** The same with an msdos table: partition types by number. */
  msdosDisk(name: string, types: Readonly<Record<number, string>>, bootLabel = 'WARMBOOT'): void {
    this.disk(name, {});
    this.write(`blkid/PTTYPE-${name}`, 'dos\n');
    for (const [number, type] of Object.entries(types)) {
      const part = `${name}${number}`;
      const folder = `sys/devices/pci0/block/${name}/${part}`;
      this.write(`${folder}/partition`, `${number}\n`);
      this.write(`${folder}/uevent`, 'DEVTYPE=partition\n');
      symlinkSync(this.path(folder), this.path(`sys/class/block/${part}`));
      this.write(`blkid/PART_ENTRY_TYPE-${part}`, `${type}\n`);
    }
    this.write(`blkid/LABEL-${name}1`, `${bootLabel}\n`);
  }

  /** A slot of the boot partition that is valid. */
  validSlot(slot: string, digest: string, attempt = 'att-0'): void {
    this.write(`run/boot/warmboot/${slot}/valid`, `DIGEST='${digest}'\nNAME='os'\nATTEMPT='${attempt}'\n`);
    this.write(`run/boot/warmboot/${slot}/cmdline`, `root=PARTUUID=${slot}\n`);
    this.write(
      `run/boot/warmboot/${slot}/slot.cfg`,
      `set slot_append='x'\nset slot_trial='warmboot.trial=9'\n`,
    );
  }

  /** Runs from this slot, as an install leaves it; the state partition is still empty. */
  isInstalled({ slot, digest, attempt }: { slot: string; digest: string; attempt: string }): void {
    this.disk(
      'sda',
      {},
      ['bios', 'boot', 'state', 'a', 'b'].map((label) => `warmboot-${label}`),
    );
    const part = slot === 'a' ? 'sda4' : 'sda5';
    mkdirSync(this.path('sys/dev/block'), { recursive: true });
    symlinkSync(this.path(`sys/devices/pci0/block/sda/${part}`), this.path('sys/dev/block/8:9'));
    this.write('proc/self/mountinfo', '29 1 8:9 / / rw - ext4 /dev/root rw\n');
    this.write('proc/cmdline', `root=PARTUUID=x rw warmboot.slot=${slot} warmboot.attempt=${attempt}\n`);
    this.write('run/boot/grub/grubenv', `default=${slot}\ntries_${slot}=3\n`);
    this.validSlot(slot, digest, attempt);
  }

  /** What a real server's config.img holds, onto the state partition. */
  async takeConfig(bootUrl: string): Promise<void> {
    const image = this.path('config.img');
    await exec('curl', ['-q', '-sS', '-o', image, `${bootUrl}/boot/installer/config.img`]);
    await exec('sh', [
      '-c',
      'cd "$1" && cpio -idm --quiet < config.img && cp etc/warmboot/* run/state/',
      'sh',
      this.root,
    ]);
  }

  /** Runs `script` in a shell that has sourced lib.sh and `parts`. Lines are joined; stderr follows stdout. */
  run(
    shell: readonly string[],
    script: string,
    parts: readonly string[] = [],
  ): { status: number; out: string } {
    const [program = 'sh', ...options] = shell;
    const args = [...options, '-c', PLAYED_FIRST + this.#sourced(script, parts)];
    const ended = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      // bash takes a socket as stdin for a remote login and reads ~/.bashrc.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.env,
    });
    const { status, stdout, stderr } = hasStarted(program, ended);
    return { status: status ?? -1, out: (stdout + stderr).trim() };
  }

  /**
   * The same with the real curl and, for the helper, the real OpenSSL, while a server of this process answers.
   * @param env more of it, such as SERVER @param before a command that the shell is started with, such as `faketime`
   */
  async runForReal(
    shell: readonly string[],
    script: string,
    env: Readonly<Record<string, string>> = {},
    before: readonly string[] = [],
  ): Promise<string> {
    this.write('bin/curl', `#!/bin/sh\n${PATIENT_CURL}\n`, 0o755);
    this.write('bin/warmboot-helper', `#!/bin/sh\n${REAL_HELPER}\n`, 0o755);
    const [program = 'sh', ...args] = [...before, ...shell, '-c', this.#sourced(script, [])];
    // The scripts try again for long where curl fails.
    needPrograms('curl', 'openssl');
    const child = startProgram(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE_MS,
      env: { ...this.env, ...env },
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        out += text;
      });
    await new Promise((resolve) => child.once('close', resolve));
    return out.trim();
  }

  /** The agent as it is, as `runForReal`; its pauses are over at once by its clock. It ends at one of them when there is a file `enough`. */
  runAgent(): Promise<string> {
    const sleep = `
      sleep() {
        [ ! -e "$T/enough" ] || exit 0
        echo "$(($(cut -d. -f1 "$WB_PROC/uptime") + \${1%.*} + 1)).00 3.00" > "$WB_PROC/uptime"
        command -p sleep 0.2
      }`;
    return this.runForReal(['sh'], `${sleep}\n. '${join(AGENT, 'agent')}'`, {});
  }

  #sourced(script: string, parts: readonly string[]): string {
    const sources = [join(AGENT, 'lib.sh'), ...parts].map((part) => `. '${part}'\n`).join('');
    return `set -u\n${sources}${script}`;
  }

  /** What a program of the host finds instead of the machine below. */
  get env(): Record<string, string> {
    return {
      PATH: `${this.path('bin')}:${process.env.PATH ?? ''}`,
      T: this.root,
      WB_LIB: AGENT,
      WB_RUN: this.path('run'),
      WB_SYS: this.path('sys'),
      WB_PROC: this.path('proc'),
      WB_CONSOLE: this.path('console'),
      WB_ROOT: this.path('root'),
      HELPER: this.path('bin/warmboot-helper'),
      SERVER: 'http://10.0.0.1:8080',
      SERVER_PEM: '/none',
      HOST: '52:54:00:00:00:01',
    };
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}
