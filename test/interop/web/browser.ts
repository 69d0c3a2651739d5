import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import type { Config } from '../../../server/config.ts';
import { runsAll } from '../../all.ts';
import { runningServer, type TestServer } from '../../fixtures/running-server.ts';

/** Debian's. As root it has no sandbox; only loopback is ever asked. */
const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A bound for what hangs. */
const PATIENCE_MS = 120_000;

export type Look = {
  /** Left out: the administrator's; null: nobody is logged in. */
  readonly token?: string | null;
  readonly dark?: boolean;
  readonly phone?: boolean;
  readonly javaScript?: boolean;
};

/** What pages are looked at in: each light, each width; with `--all` each of one in each of the other. */
export const LOOKS: readonly Look[] = [
  { dark: false, phone: false },
  { dark: true, phone: true },
  ...(runsAll()
    ? [
        { dark: true, phone: false },
        { dark: false, phone: true },
      ]
    : []),
];

export type Browser = {
  /** A browser of its own, logged in through the form, on the overview. What its console says against the pages fails the test. */
  open(look?: Look): Promise<Page>;
  /** @throws Error with what was said against the pages */
  close(): Promise<void>;
};

export type Browsing = Browser & { readonly server: TestServer; readonly url: string };

/** A whole server, which keeps its addresses over a restart, and Chromium. */
export async function browsing(settings: () => Partial<Config> = () => ({})): Promise<Browsing> {
  let port = 0;
  const server = await runningServer(() => ({ adminListen: { host: '127.0.0.1', port }, ...settings() }));
  const url = server.running.adminUrl;
  port = Number(new URL(url).port);
  const browser = await browserOf(url, server.token);
  return {
    server,
    url,
    open: browser.open,
    async close() {
      await browser.close().finally(() => server.close());
    },
  };
}

/** Chromium, for the pages of the server at `url`. @param admin the token that is used where no other is given */
export async function browserOf(url: string, admin: string): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-chromium-'));
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    timeout: PATIENCE_MS,
    args: FLAGS,
    env: { ...process.env, HOME: folder },
  });
  const contexts: BrowserContext[] = [];
  const complaints: string[] = [];
  return {
    async open({ token = admin, dark = false, phone = false, javaScript = true } = {}) {
      const context = await browser.newContext({
        baseURL: url,
        colorScheme: dark ? 'dark' : 'light',
        viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
        javaScriptEnabled: javaScript,
        timezoneId: 'UTC',
      });
      context.setDefaultTimeout(PATIENCE_MS);
      contexts.push(context);
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        if (/Content Security Policy|Uncaught/.test(message.text())) complaints.push(message.text());
      });
      if (token !== null) await login(page, token);
      return page;
    },
    async close() {
      for (const context of contexts) await context.close();
      await browser.close();
      rmSync(folder, { recursive: true, force: true });
      if (complaints.length > 0) throw new Error(`the browser complains: ${complaints.join('\n')}`);
    },
  };
}

export async function login(page: Page, token: string): Promise<void> {
  await page.goto('/login');
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL('/');
}

type Finding = {
  id: string;
  impact: string;
  help: string;
  nodes: { html: string; failureSummary: string }[];
};

/** What axe finds serious on a page, as lines to read. */
export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
    violations: Finding[];
  };
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`),
    );
}

/** Whether all of a page can be read without scrolling sideways. */
export async function fitsItsWidth(page: Page): Promise<boolean> {
  return (await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')) as boolean;
}
