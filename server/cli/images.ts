import { type ImageView, imageListSchema } from '../contract/admin-plane.ts';
import type { Cli } from './command.ts';
import { addRemove, addVerify } from './image.ts';
import { bytes, relative } from './quantity.ts';
import { tableWidth } from './session.ts';
import { table } from './table.ts';

export function addImages(cli: Cli): void {
  const { program, run } = cli;
  const images = program
    .command('images')
    .description('List the images that hosts can run.')
    .action(() =>
      run({}, async ({ client, json, print, printJson, say, world }) => {
        const { raw, data } = await client.get('/api/v1/images', imageListSchema);
        if (json) printJson(raw);
        else if (data.images.length === 0) say('There are no images. Build one: warmboot build NAME');
        else print(imageTable(data.images, world.now(), tableWidth(world)));
        return 0;
      }),
    );
  addRemove(cli, images);
  addVerify(cli, images);
}

function imageTable(images: readonly ImageView[], now: number, fitTo?: number): string {
  return table(
    [
      { title: 'IMAGE', least: 12, isDear: true },
      { title: 'KIND' },
      { title: 'OS', least: 8 },
      { title: 'KERNEL', least: 8 },
      { title: 'SLOT', align: 'right' },
      { title: 'TRANSFER', align: 'right' },
      { title: 'BUILT' },
      { title: 'DIGEST', least: 20 },
    ],
    images.map((image) => [
      `${image.tags.join(', ') || '-'}${image.damaged ? ' (damaged)' : ''}`,
      image.kind,
      image.os || '-',
      image.kernel || '-',
      image.filesystemBytes === null ? '-' : bytes(image.filesystemBytes),
      bytes(image.dataBytes),
      relative(image.createdAt, now),
      image.digest,
    ]),
    fitTo,
  );
}
