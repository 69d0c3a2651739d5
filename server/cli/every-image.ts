import { type ImageView, imageListSchema } from '../contract/images.ts';
import type { Answer, Client } from './client.ts';
import { everyPage } from './pages.ts';

/** All images of a server, oldest first, however many pages that is. */
export function everyImage(client: Client): Promise<Answer<ImageView[]>> {
  return everyPage(client, '/api/v1/images', new URLSearchParams(), 'images', imageListSchema);
}
