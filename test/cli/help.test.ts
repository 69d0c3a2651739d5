import { expect, test } from 'vitest';
import { run } from './run.ts';

test('--version', async () => {
  expect(await run(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
});

test('--help is short and complete', async () => {
  const { code, stdout } = await run(['--help']);
  expect(stdout).toMatchInlineSnapshot(`
    "Usage: warmboot [options] [command]

    Boots bare-metal servers from images that are built from Dockerfiles.

    Options:
      -V, --version                   print the version
      --server <url>                  admin plane to speak to (WARMBOOT_SERVER)
      --token <token>                 token for it (WARMBOOT_TOKEN)
      --data <dir>                    data folder, for its server and token (WARMBOOT_DATA; default:
                                      ./data)
      --json                          JSON for programs, as the API gives it
      -h, --help                      show help

    Commands:
      serve [options]                 Run the server: boot plane, admin plane and TFTP.
      build [options] <name>          Build an image from a Dockerfile; prints its digest.
      images                          List the images that hosts can run.
      image                           Images as files for CI, to another server; remove and check them.
      enrol [options] <mac...>        Add a host; with an image it is installed at its next netboot.
      approve [options] <mac>         Let a discovered machine take part; with an image it is installed
                                      at once.
      ignore [options] <mac>          Leave a discovered machine to its disk, and out of the list of
                                      hosts.
      discovery                       The rules for machines that nobody has enrolled: show and set
                                      them.
      hosts [options]                 List the hosts, with what they run and what they do.
      host <mac>                      Show one host: what it shall run, does and runs, its slots,
                                      attempts and hardware.
      assign [options] <mac> <image>  Give a host the image that it shall run.
      retry [options] <mac>           Try the assigned image once more, after a failure or a rollback.
      reinstall [options] <mac>       Install the assigned image from the start, at the next netboot.
      remove <mac>                    Forget a host. Its disk stays as it is.
      events [options]                List what happened, the newest last.
      disk [options] <layout>         Write a complete bootable disk; the same input gives the same
                                      bytes.
      doctor [options]                Look whether this machine and its network can boot hosts, and say
                                      how to mend what cannot.

      demo        build two images, netboot a virtual machine, jump from one image to the other
      test [unit|interop|e2e]
      try IMAGE|FILE
                  boot an image or a disk in QEMU, its serial console on this terminal

    Without --server a command speaks to the server that runs on the data folder; if none does, it starts one for itself.
    "warmboot COMMAND --help" shows the options of a command.

    Examples:
      warmboot serve --boot-url http://10.0.0.1:8080
      warmboot build debian-13
      warmboot enrol 52:54:00:12:34:56 --image debian-13 --label rack=b7
      warmboot assign 52:54:00:12:34:56 debian-13:next --wait
      warmboot hosts --state discovered
      warmboot approve 52:54:00:12:34:56 --image debian-13 --wait
      warmboot disk two-slots --slot a=debian-13 -o disk.img
    "
  `);
  expect(code).toBe(0);
});

test('each command has help with the options that it takes', async () => {
  const { code, stdout } = await run(['assign', '--help']);
  expect(stdout).toMatchInlineSnapshot(`
    "Usage: warmboot assign [options] <mac> <image>

    Give a host the image that it shall run.

    Arguments:
      mac                  any MAC of the host
      image                NAME, NAME:TAG or digest; resolved now and frozen

    Options:
      --fresh              write the slot anew even if one holds the image
      --wait               follow to the end; exit 1 if it failed or was rolled back
      --timeout <seconds>  with --wait: wait no longer than this, then exit 1
      -h, --help           show help

    Global Options:
      -V, --version        print the version
      --server <url>       admin plane to speak to (WARMBOOT_SERVER)
      --token <token>      token for it (WARMBOOT_TOKEN)
      --data <dir>         data folder, for its server and token (WARMBOOT_DATA; default: ./data)
      --json               JSON for programs, as the API gives it

    Example: warmboot assign 52:54:00:12:34:56 debian-13:next --wait --timeout 600
    "
  `);
  expect(code).toBe(0);
});
