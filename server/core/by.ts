/** What a token allows: to look; to work with hosts, images and rollouts; to work with tokens, keys, rules and backups too. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who asks for a change: the name of the token that was used. */
export type By = { readonly name: string };

/** Whose doing something is: an operator's, by name; what a machine said; or what the server found. */
export type Actor = By | 'host' | 'server';
