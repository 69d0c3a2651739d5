import { STATUS_CODES } from 'node:http';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Problem } from './api.ts';
import { html } from './html.ts';
import { bare, type Frame, layout } from './layout.ts';

/** A page that says what, why and what to do. @param frame null: nobody is logged in, or it is not known who */
export function errorPage(
  c: Context,
  { status, detail }: Pick<Problem, 'status' | 'detail'>,
  frame: Frame | null,
): Response {
  const title = TITLES[status] ?? STATUS_CODES[status] ?? 'Error';
  const body = html`<p class="notice bad">${detail}</p>
<p><a href="/">To the overview</a></p>`;
  const whole = frame
    ? layout({ ...frame, title, body, notices: [] })
    : bare(title, html`<h1>${title}</h1>${body}`);
  return c.html(String(whole), status as ContentfulStatusCode);
}

const TITLES: Readonly<Record<number, string | undefined>> = {
  400: 'Not understood',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Not possible now',
  412: 'Changed meanwhile',
  413: 'Too large',
  422: 'Not possible',
  429: 'Too often',
  500: 'The server failed',
  503: 'Not now',
};
