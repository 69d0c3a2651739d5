import { type PolicyView, policySchema } from '../contract/discovery.ts';
import { count, label } from './arguments.ts';
import { CliError, message } from './cli-error.ts';
import type { Cli } from './command.ts';
import { labelText } from './hosts.ts';
import { type Session, tableWidth } from './session.ts';
import { table } from './table.ts';

type Rule = PolicyView['rules'][number];
const PATH = '/api/v1/discovery';

interface RuleOptions {
  readonly vendor?: string;
  readonly product?: string;
  readonly serial?: readonly string[];
  readonly subnet?: string;
  readonly architecture?: string;
  readonly enrol?: boolean;
  readonly hold?: boolean;
  readonly ignore?: boolean;
  readonly image?: string;
  readonly layout?: string;
  readonly label?: Record<string, string>;
  readonly first?: boolean;
}

/** Rules for machines that nobody has enrolled. Every change is made to what the server has at that moment. */
export function addDiscovery({ program, run }: Cli): void {
  const discovery = program
    .command('discovery')
    .description('The rules for machines that nobody has enrolled: show and set them.')
    .action(() =>
      run({}, async (session) => {
        const { raw, data } = await session.client.get(PATH, policySchema);
        return shown(session, raw, data);
      }),
    );
  discovery
    .command('rule')
    .description('Add a rule, or replace the one of that name. The first that fits decides.')
    .argument('<name>')
    .option('--vendor <text>', 'who made it, as SMBIOS says; * stands for any characters')
    .option('--product <text>', 'the product, likewise')
    .option('--serial <serial>', 'serial of system or board; may be repeated', listed)
    .option('--subnet <cidr>', 'the address that it reports from, as 10.1.0.0/16')
    .option('--architecture <name>', 'x86_64 or aarch64')
    .option('--enrol', 'let it take part at once')
    .option('--hold', 'let it wait for an operator')
    .option('--ignore', 'leave it to its disk, and out of the list')
    .option('--image <image>', 'with --enrol: what it shall run')
    .option('--layout <name>', 'with --enrol: disk layout')
    .option('--label <name=value>', 'with --enrol: a label; may be repeated', label)
    .option('--first', 'before all other rules')
    .addHelpText(
      'after',
      '\nExample: warmboot discovery rule dell --vendor "Dell*" --subnet 10.1.0.0/16 --enrol --image debian-13 --label pool=web',
    )
    .action((name: string, options: RuleOptions) =>
      run({}, (session) =>
        edited(session, (policy) => withRule(policy, ruleOf(name, options), options.first)),
      ),
    );
  discovery
    .command('drop')
    .description('Take a rule away.')
    .argument('<name>')
    .action((name: string) =>
      run({}, (session) =>
        edited(session, (policy) => {
          const rules = policy.rules.filter((rule) => rule.name !== name);
          if (rules.length === policy.rules.length)
            throw new CliError(`there is no rule "${name}". See warmboot discovery.`);
          return { ...policy, rules };
        }),
      ),
    );
  discovery
    .command('set')
    .description('What is done where no rule fits, and the bounds.')
    .option('--otherwise <action>', 'hold or ignore')
    .option('--forget-after <days>', 'forget a machine that waits and was not heard of for so long', count)
    .option('--max-waiting <n>', 'so many may wait at once', count)
    .action((options: { otherwise?: string; forgetAfter?: number; maxWaiting?: number }) =>
      run({}, (session) =>
        edited(session, (policy) => ({
          ...policy,
          ...(options.otherwise !== undefined && { otherwise: options.otherwise as PolicyView['otherwise'] }),
          ...(options.forgetAfter !== undefined && { forgetAfterDays: options.forgetAfter }),
          ...(options.maxWaiting !== undefined && { maxWaiting: options.maxWaiting }),
        })),
      ),
    );
  discovery
    .command('load')
    .description('Replace all rules by those of a file, in the form of `warmboot discovery --json`.')
    .argument('<file>', 'JSON')
    .action((file: string) =>
      run({}, async (session) => {
        const policy = await policyIn(session, file);
        return edited(session, () => policy);
      }),
    );
}

function listed(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function ruleOf(name: string, options: RuleOptions): Rule {
  const { vendor, product, serial, subnet, architecture, image, layout, label: labels } = options;
  const actions = (['enrol', 'hold', 'ignore'] as const).filter((action) => options[action]);
  const [action] = actions;
  if (action === undefined || actions.length > 1)
    throw new CliError('a rule does one of --enrol, --hold and --ignore. See --help.', 2);
  return {
    name,
    match: {
      ...(vendor !== undefined && { vendor }),
      ...(product !== undefined && { product }),
      ...(serial !== undefined && { serials: [...serial] }),
      ...(subnet !== undefined && { subnet }),
      ...(architecture !== undefined && { architecture }),
    },
    action,
    ...(image !== undefined && { image }),
    ...(layout !== undefined && { layout }),
    ...(labels !== undefined && { labels }),
  };
}

function withRule(policy: PolicyView, rule: Rule, isFirst = false): PolicyView {
  const at = policy.rules.findIndex(({ name }) => name === rule.name);
  if (at >= 0 && !isFirst) return { ...policy, rules: policy.rules.with(at, rule) };
  const others = policy.rules.filter(({ name }) => name !== rule.name);
  return { ...policy, rules: isFirst ? [rule, ...others] : [...others, rule] };
}

async function policyIn({ world }: Session, file: string): Promise<PolicyView> {
  let content: unknown;
  try {
    content = JSON.parse(await world.readFile(file));
  } catch (error) {
    throw new CliError(
      `the rules in ${file} cannot be read: ${message(error)}. Write them as warmboot discovery --json does.`,
    );
  }
  // What is wrong in it the server says, by the schema that it has.
  return content as PolicyView;
}

async function edited(session: Session, change: (policy: PolicyView) => PolicyView): Promise<number> {
  const { raw, data } = await session.client.edit(PATH, policySchema, change);
  return shown(session, raw, data);
}

function shown({ json, print, printJson, world }: Session, raw: unknown, policy: PolicyView): number {
  if (json) {
    printJson(raw);
    return 0;
  }
  const { rules, otherwise, forgetAfterDays, maxWaiting } = policy;
  if (rules.length > 0)
    print(
      table(
        [
          { title: 'RULE' },
          { title: 'IF', least: 16 },
          { title: 'THEN' },
          { title: 'IMAGE', least: 10 },
          { title: 'LAYOUT' },
          { title: 'LABELS', least: 8 },
        ],
        rules.map((rule) => [
          rule.name,
          conditions(rule.match),
          rule.action,
          rule.image ?? '-',
          rule.layout ?? '-',
          labelText(rule.labels ?? {}) || '-',
        ]),
        tableWidth(world),
      ),
    );
  print(
    `${rules.length > 0 ? 'Where no rule fits' : 'There are no rules'}: ${otherwise}. ` +
      `At most ${maxWaiting} wait; one that is not heard of for ${forgetAfterDays} days is forgotten.\n`,
  );
  return 0;
}

function conditions({ serials, ...match }: Rule['match']): string {
  const words = Object.entries(match).map(([what, value]) => `${what} ${value}`);
  if (serials) words.push(`serial ${serials.join(' or ')}`);
  return words.join(', ') || 'any machine';
}
