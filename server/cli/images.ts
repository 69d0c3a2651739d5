import type { ImageView } from '../contract/images.ts';
import { bytes } from '../words/quantity.ts';
import type { Cli } from './command.ts';
import { everyImage } from './every-image.ts';
import { addRemove, addVerify } from './image.ts';
import { relative } from './quantity.ts';
import { tableWidth } from './session.ts';
import { table } from './table.ts';
import { WATCH_HELP, watch, watchNeeds } from './watch.ts';

export function addImages(cli: Cli): void {
  const { program, run } = cli;
  const images = program
    .command('images')
    .description('List the images that hosts can run.')
    .option('--watch', WATCH_HELP)
    .action(({ watch: isWatched }: { watch?: boolean }) =>
      run(watchNeeds(isWatched), async (session) => {
        const { client, json, print, printJson, say, world } = session;
        const read = () => everyImage(client);
        if (isWatched)
          return watch(session, async () => {
            const { raw, data } = await read();
            const sent = (raw as { images: unknown[] }).images;
            return {
              text: imageTable(data, world.now(), tableWidth(world)),
              rows: data.map((image, at) => ({
                key: image.digest,
                line: [image.digest, image.tags.join(', ') || '-', image.damaged ? 'damaged' : 'good'].join(
                  '  ',
                ),
                raw: sent[at],
              })),
            };
          });
        const { raw, data } = await read();
        if (json) printJson(raw);
        else if (data.length === 0) say('There are no images. Build one: warmboot build NAME');
        else print(imageTable(data, world.now(), tableWidth(world)));
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
