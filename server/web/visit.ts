import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { SessionView } from '../contract/tokens.ts';
import type { Api, Problem } from './api.ts';
import type { Html } from './html.ts';
import type { Notice } from './notices.ts';

export type WebEnv = { Bindings: HttpBindings };

/** What a page is made of, but for the frame around it. */
export type PageParts = {
  /** Of the browser's tab, and the one h1. Text from elsewhere may stand in it. */
  readonly title: string;
  /** What stands in the h1 instead, such as a title with a badge. */
  readonly heading?: Html;
  /** Buttons and links at the right of the heading. */
  readonly actions?: Html | false | undefined;
  readonly body: Html;
  readonly status?: 200 | 400 | 403 | 404 | 409 | 412 | 422 | 500 | 503;
  /** Left out: the page follows nothing and never changes by itself. */
  readonly live?: Live;
};

/** When a page asks for itself again, and takes over what changed within its `data-live` regions. */
export type Live = {
  /** Of which events, as `/api/v1/events` filters them: `host`, `kind`. Left out: of all. */
  readonly events?: Readonly<Record<string, string | readonly string[]>>;
  /** While something moves without events (bytes of a flash): so often as well. Left out: not. */
  readonly everyMs?: number | undefined;
};

/** One request of a browser that is logged in, as a page sees it. */
export type Visit = {
  readonly c: Context<WebEnv>;
  readonly api: Api;
  readonly session: SessionView;
  readonly mayOperate: boolean;
  readonly mayAdminister: boolean;
  /** Milliseconds since 1970, the same for all of the page. */
  readonly now: number;
  /** For the hidden field of forms; `form()` puts it there. */
  readonly formToken: string;
  /** Of the path's pattern, decoded; '' for one that the pattern has not. */
  param(name: string): string;
  /** Of the address, trimmed; '' when it is not there. */
  query(name: string): string;
  queries(name: string): readonly string[];
  /** The whole page as an answer. */
  page(parts: PageParts): Response;
  /** A page that says why not, with its status. */
  refusal(problem: Pick<Problem, 'status' | 'detail'>): Response;
};

/** A form that was sent, its token found right. */
export type Sent = Visit & {
  /** A field of the form, trimmed; '' when it is not there. */
  field(name: string): string;
  fields(name: string): readonly string[];
  /** To hand on to `api.post` so that a form sent twice does its work once. */
  readonly once: string | null;
  /**
   * Sends the browser to a page that tells what happened, once.
   * @param path own path, query allowed
   */
  done(path: string, notice: Notice): Response;
};
