import { type HostView, hostDetailSchema } from '../../contract/hosts.ts';
import { at, type Problem } from '../api.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import type { Visit } from '../visit.ts';

/** With the host that the address names. */
export async function withHost(visit: Visit, show: (host: HostView) => Promise<Response>): Promise<Response> {
  const told = await visit.api.get(at`/api/v1/hosts/${visit.param('mac')}`, hostDetailSchema);
  return told.ok ? show(told.value) : visit.refusal(told);
}

type Frame = {
  readonly title: string;
  readonly host: HostView;
  readonly problem?: Problem | undefined;
  readonly body: Html;
};

/** A page before a deed; after a refusal it is shown once more, with the API's words and the host as it is now. */
export function deedFrame({ page }: Visit, { title, host, problem, body }: Frame): Response {
  const said =
    problem?.status === 412
      ? `${problem.detail} Somebody was faster, and nothing was done. Below is how it is now: look, and send it again if it is still wanted.`
      : problem?.detail;
  return page({
    title,
    heading: html`${title} ${badge(host.state)}`,
    status: statusOf(problem),
    body: html`${said !== undefined && html`<p class="notice bad" role="alert">${said}</p>`}${body}`,
  });
}

function statusOf(problem: Problem | undefined): 200 | 400 | 404 | 409 | 412 | 422 | 500 {
  const known = [400, 404, 409, 412, 422, 500] as const;
  return problem === undefined ? 200 : (known.find((each) => each === problem.status) ?? 422);
}
