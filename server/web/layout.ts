import type { SessionView } from '../contract/tokens.ts';
import { queryText } from './api.ts';
import { type Html, html } from './html.ts';
import type { Notice } from './notices.ts';
import { clockTime } from './parts/time.ts';
import type { PageParts } from './visit.ts';

/** The navigation, in its order. `/` is the overview, behind the name. */
const PLACES: readonly Place[] = [
  { path: '/hosts', name: 'Hosts' },
  { path: '/images', name: 'Images', also: ['/builds'] },
  { path: '/rollouts', name: 'Rollouts' },
  { path: '/discovery', name: 'Discovery' },
  { path: '/events', name: 'Events' },
  { path: '/settings', name: 'Settings', also: ['/profiles', '/tokens', '/webhooks', '/mirrors'] },
];
/** `also`: other pages that are found behind it. */
type Place = { readonly path: string; readonly name: string; readonly also?: readonly string[] };

/** What is around every page of one visit. */
export type Frame = {
  readonly path: string;
  readonly session: Pick<SessionView, 'name' | 'role'>;
  readonly formToken: string;
  readonly now: number;
  /** The newest event when the page began to read; null: it is not known, and the page does not follow. */
  readonly after: number | null;
  /** Of stylesheet and scripts. */
  readonly build: string;
};

/** A whole page, with the navigation. */
export function layout(page: Frame & PageParts & { readonly notices: readonly Notice[] }): Html {
  const { title, heading, actions, body, live, after, now } = page;
  const isLive = live !== undefined && after !== null;
  const stream = isLive && `/api/v1/events${queryText({ ...live.events, after })}`;
  return html`${head(title, isLive)}
<body${isLive && html` data-stream="${stream}" data-at="${now}" data-build="${page.build}"`}${isLive && live.everyMs !== undefined && html` data-every="${live.everyMs}"`}>
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<a class="brand" href="/"${page.path === '/' && html` aria-current="page"`}>Warmboot</a>
<nav aria-label="Pages"><ul>${PLACES.map((place) => link(place, page.path))}</ul></nav>
<p class="live" id="live" role="status">As of ${clockTime(now)}</p>
<form method="post" action="/logout" class="who"><input type="hidden" name="form" value="${page.formToken}"><span>${page.session.name} <span class="quiet">${page.session.role}</span></span> <button class="plain">Log out</button></form>
</header>
<main id="main" tabindex="-1">
<div class="heading"><h1>${heading ?? title}</h1>${actions && html`<div class="actions">${actions}</div>`}</div>
${page.notices.map(noticeBox)}
${body}
</main>
</body>
</html>`;
}

/** A page for nobody in particular. */
export function bare(title: string, body: Html): Html {
  return html`${head(title, false)}
<body class="bare">
<header class="top"><a class="brand" href="/">Warmboot</a></header>
<main id="main">
${body}
</main>
</body>
</html>`;
}

function head(title: string, isLive: boolean): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Warmboot</title>
<link rel="stylesheet" href="/static/style.css">
<link rel="icon" type="image/svg+xml" href="/static/icon.svg">
<script type="module" src="/static/page.js"></script>
${isLive && html`<script type="module" src="/static/live.js"></script>`}
</head>`;
}

function link({ path, name, also = [] }: Place, now: string): Html {
  const isHere = [path, ...also].some((each) => now === each || now.startsWith(`${each}/`));
  return html`<li><a href="${path}"${isHere && html` aria-current="${now === path ? 'page' : 'true'}"`}>${name}</a></li>`;
}

function noticeBox({ tone, text }: Notice): Html {
  return html`<p class="notice ${tone}" role="${tone === 'bad' ? 'alert' : 'status'}">${text}</p>`;
}
