import { expect, test } from 'vitest';
import { runningServer, storeImage } from '../fixtures/running-server.ts';

test('an OS that an older version let have the name of the installer is given to no machine, and loads no disk', async () => {
  const server = await runningServer();
  try {
    expect((await server.boot('/boot/installer/vmlinuz')).status).toBe(200);
    await storeImage(server.dataDir, 'installer', 'os');
    // Only the server itself writes while it runs, and it knows what it wrote.
    await server.restart();
    for (const path of [
      '/boot/installer/vmlinuz',
      '/boot/installer/initrd.img',
      '/boot/disks/two-slots.img?a=one',
    ]) {
      const { status, json } = await server.boot(path);
      expect(status, path).toBe(503);
      expect(json.detail).toContain(
        'is an image of kind "os" and no installer. Run: warmboot build installer',
      );
    }
  } finally {
    await server.close();
  }
});
