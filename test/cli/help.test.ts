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
      -V, --version                            print the version
      --server <url>                           admin plane: address, or name in the config file
                                               (WARMBOOT_SERVER)
      --token <token>                          token for it (WARMBOOT_TOKEN)
      --ca <file>                              certificates that verify an admin plane with HTTPS
                                               (WARMBOOT_CA)
      --pin <fingerprint>                      or the SHA-256 fingerprint of one that it shows
                                               (WARMBOOT_PIN)
      --data <dir>                             data folder, for its server and token (WARMBOOT_DATA;
                                               default: ./data)
      --json                                   JSON for programs, as the API gives it
      -h, --help                               show help

    Commands:
      serve [options]                          Run the server: boot plane, admin plane and TFTP.
      status [options]                         Show how the server is, and what it does now.
      build [options] <name>                   Build an image from a Dockerfile; prints its digest.
      images [options]                         List the images that hosts can run.
      image                                    Images as files for CI, to another server; remove and
                                               check them.
      enrol [options] <mac...>                 Add a host; with an image it is installed at its next
                                               netboot.
      approve [options] <mac>                  Let a discovered machine take part; with an image it is
                                               installed at once.
      ignore [options] <mac>                   Leave a discovered machine to its disk, and out of the
                                               list of hosts.
      discovery                                The rules for machines that nobody has enrolled: show and
                                               set them.
      hosts [options]                          List the hosts, with what they run and what they do.
      host [options] <mac>                     Show one host: what it shall run, does and runs, its
                                               slots, attempts and hardware.
      label <hosts> <label...>                 Set labels of hosts, or take them away; the others stay.
      set [options] <mac>                      Change settings of a host; "default" gives one back to
                                               its profile.
      file                                     Files that one host has of its own: network settings,
                                               keys, a seed for cloud-init.
      profile                                  Settings for many hosts at once.
      assign [options] <mac|selector> <image>  Give a host, or all that fit a selector, the image that
                                               it shall run.
      rollout                                  Bring many hosts to an image, in waves.
      retry [options] <mac>                    Try the assigned image once more, after a failure or a
                                               rollback.
      reinstall [options] <mac>                Install the assigned image from the start, at the next
                                               netboot.
      rollback [options] <mac>                 Bring a host back to the image that it ran before.
      hold [options] <mac>                     Hold back the orders of a host, for maintenance, until it
                                               is resumed.
      resume [options] <mac>                   Let the orders of a held host go on.
      retire [options] <mac>                   Take a host out of service: it is told nothing any more.
                                               "approve" brings it back.
      release [options] <mac>                  Take a host’s token away; it gets another at its next
                                               install.
      remove [options] <mac>                   Forget a host. Its disk stays as it is.
      events [options]                         List what happened, the newest last.
      disk [options] <layout>                  Write a complete bootable disk; the same input gives the
                                               same bytes.
      token                                    Who may use the admin plane: make, list and revoke
                                               tokens.
      key                                      The keys that sign manifests: list them, let another
                                               follow, drop an old one.
      doctor [options]                         Look whether this machine and its network can boot hosts,
                                               and say how to mend what cannot.
      webhook                                  Who is told of events by HTTP: add, look at, test,
                                               remove.
      backup [options] <file>                  Write the database, the keys and the first token to a
                                               file, while the server works.
      restore [options] <file>                 Put a backup into the data folder, on which no server may
                                               work.
      completion <shell>                       Print what makes a shell complete commands, options, MACs
                                               and images.

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
    "Usage: warmboot assign [options] <mac|selector> <image>

    Give a host, or all that fit a selector, the image that it shall run.

    Arguments:
      mac|selector         any MAC of one host, or a label selector for all that fit it
      image                NAME, NAME:TAG or digest; resolved now and frozen

    Options:
      --fresh              write the slot anew even if one holds the image
      --wait               follow to the end; exit 1 if it failed or was rolled back
      --timeout <seconds>  with --wait: wait no longer than this, then exit 1
      --revision <number>  only while the host has this revision, as "host" shows it
      --yes                with a selector, on a terminal: move all hosts that fit it
      -h, --help           show help

    Global Options:
      -V, --version        print the version
      --server <url>       admin plane: address, or name in the config file (WARMBOOT_SERVER)
      --token <token>      token for it (WARMBOOT_TOKEN)
      --ca <file>          certificates that verify an admin plane with HTTPS (WARMBOOT_CA)
      --pin <fingerprint>  or the SHA-256 fingerprint of one that it shows (WARMBOOT_PIN)
      --data <dir>         data folder, for its server and token (WARMBOOT_DATA; default: ./data)
      --json               JSON for programs, as the API gives it

    Examples: warmboot assign 52:54:00:12:34:56 debian-13:next --wait --timeout 600
              warmboot assign pool=test debian-13:next --wait --yes
    "
  `);
  expect(code).toBe(0);
});
