import { baseUrl, listen, listenOrOff, path } from './arguments.ts';
import type { Cli } from './command.ts';
import { dataFolder } from './session.ts';
import { contextLimit, setting } from './setting.ts';
import type { Listen } from './world.ts';

interface ServeFlags {
  readonly bootListen?: Listen;
  readonly adminListen?: Listen;
  readonly tftpListen?: Listen | 'off';
  readonly bootUrl?: string;
  readonly images?: string;
}

export function addServe({ program, world, globals, end }: Cli): void {
  program
    .command('serve')
    .description('Run the server: boot plane, admin plane and TFTP.')
    .option('--boot-listen <address>', 'HTTP for firmware and hosts (default: 0.0.0.0:8080)', listen)
    .option('--admin-listen <address>', 'API for operators (default: 127.0.0.1:8081)', listen)
    .option('--tftp-listen <address>', 'TFTP for firmware, or off (default: 0.0.0.0:69)', listenOrOff)
    .option('--boot-url <url>', 'address of the boot plane as hosts see it', baseUrl)
    .option('--images <dir>', 'folder of the Dockerfiles (default: the one that comes with Warmboot)', path)
    .addHelpText(
      'after',
      `
Prints one JSON line on stdout when it is ready; logs JSON lines on stderr. Port 0 is any free port.
Each flag has a variable, which it overrides: WARMBOOT_BOOT_LISTEN, WARMBOOT_ADMIN_LISTEN, WARMBOOT_TFTP_LISTEN,
WARMBOOT_BOOT_URL, WARMBOOT_IMAGES. WARMBOOT_MAX_CONTEXT is the largest build context that is taken (default: 4GiB).

Example: warmboot serve --data /var/lib/warmboot --boot-url http://10.0.0.1:8080`,
    )
    .action(async (flags: ServeFlags) => {
      const tftp = flags.tftpListen ??
        setting(world, 'TFTP_LISTEN', listenOrOff) ?? { host: '0.0.0.0', port: 69 };
      const options = {
        data: dataFolder(world, globals()),
        images: flags.images ?? (world.env.WARMBOOT_IMAGES || null),
        bootListen: flags.bootListen ??
          setting(world, 'BOOT_LISTEN', listen) ?? { host: '0.0.0.0', port: 8080 },
        adminListen: flags.adminListen ??
          setting(world, 'ADMIN_LISTEN', listen) ?? { host: '127.0.0.1', port: 8081 },
        tftpListen: tftp === 'off' ? null : tftp,
        ...contextLimit(world),
        bootUrl: flags.bootUrl ?? setting(world, 'BOOT_URL', baseUrl) ?? null,
      };
      end(await world.serve(options, world));
    });
}
