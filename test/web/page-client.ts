import { type Answer, type Ask, ask, type TestServer } from '../fixtures/running-server.ts';

/** A browser without JavaScript: keeps the session's cookie, follows nothing by itself, sends forms as pages have them. */
export type PageClient = {
  readonly cookie: string;
  look(path: string, how?: Ask): Promise<Answer>;
  /** The first form of the page at `path` that goes to `action`, sent with these fields over its own hidden ones. */
  send(path: string, action: string, fields?: Fields, how?: Ask): Promise<Answer>;
};
export type Fields = Readonly<Record<string, string | readonly string[]>>;

const HTML = { accept: 'text/html' };
export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** As a browser says that a page of this server asks. */
export const FROM_HERE = { 'sec-fetch-site': 'same-origin' };

/** @param token left out: the administrator's */
export async function loggedIn(server: TestServer, token = server.token): Promise<PageClient> {
  const { adminUrl } = server.running;
  const body = formBody({ token });
  const answer = await ask(adminUrl, '/login', { body, headers: { ...HTML, ...FORM, ...FROM_HERE } });
  const cookie = String(answer.headers['set-cookie'] ?? '').split(';')[0] ?? '';
  if (answer.status !== 303) throw new Error(`no login: ${answer.status} ${answer.text}`);
  const look = (path: string, { headers, ...how }: Ask = {}) =>
    ask(server.running.adminUrl, path, { ...how, headers: { ...HTML, cookie, ...headers } });
  return {
    cookie,
    look,
    async send(path, action, fields = {}, { headers, ...how } = {}) {
      const page = await look(path);
      const hidden = hiddenFields(page.text, action);
      return look(action, {
        method: 'POST',
        body: formBody({ ...hidden, ...fields }),
        headers: { ...FORM, ...FROM_HERE, ...headers },
        ...how,
      });
    },
  };
}

/** With a token of this role, made for it. @param name of the token; left out: the role's */
export async function loggedInAs(server: TestServer, role: string, name = role): Promise<PageClient> {
  const { json } = await server.admin('/api/v1/tokens', { body: { name, role } });
  return loggedIn(server, json.token);
}

/** @throws Error when the page has no such form: a viewer's has not */
export function hiddenFields(page: string, action: string): Record<string, string> {
  const form = page
    .split('<form ')
    .slice(1)
    .map((rest) => rest.split('</form>')[0] ?? '')
    .find(
      (text) =>
        text.includes(`method="post"`) && text.includes(`action="${action.replaceAll('&', '&amp;')}"`),
    );
  if (form === undefined) throw new Error(`no form goes to ${action}`);
  const fields = form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g);
  return Object.fromEntries([...fields].map(([, name = '', value = '']) => [name, value]));
}

export function formBody(fields: Fields): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(fields))
    for (const each of Array.isArray(value) ? value : [value]) pairs.append(name, each);
  return pairs.toString();
}
