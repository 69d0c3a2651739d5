import { AGENT_INIT } from '../agent-init.ts';
import { type CheckedImage, type CheckFailure, failure, installLine, KERNEL_PACKAGE } from './check.ts';
import { hasModule, readKernelModules } from './kernel-modules.ts';
import { hasProgram, isEnabled, isExecutable, isFile } from './tree-questions.ts';

const AGENT_LINE = 'COPY --from=warmboot/agent / /';

/** The boot partition's filesystem and the state partition's. */
const PARTITION_DRIVERS = ['vfat', 'ext4'];

/** The agent, its units, and what it cannot do without. */
export function checkAgent({ tree, os, kernel }: CheckedImage): CheckFailure[] {
  const failures: CheckFailure[] = [];
  const demand = (good: boolean, check: string, message: string, line: string): void => {
    if (!good) failures.push(failure(check, message, line));
  };
  demand(
    isFile(tree, 'usr/lib/warmboot/agent'),
    'agent',
    '/usr/lib/warmboot/agent is missing: the host could never be switched again',
    AGENT_LINE,
  );
  demand(
    isEnabled(tree, 'warmboot-agent.service'),
    'agent-unit',
    'warmboot-agent.service is not enabled: the agent would not be started',
    AGENT_LINE,
  );
  demand(
    isEnabled(tree, 'warmboot-trial.service'),
    'trial-guard',
    'warmboot-trial.service is not enabled: a trial that hangs would not come back to the old slot',
    AGENT_LINE,
  );
  // An agent of before has no init, and its image is started without.
  demand(
    !isFile(tree, AGENT_INIT) ||
      ['init', 'early'].every((name) => isExecutable(tree, `usr/lib/warmboot/${name}`)),
    'agent-init',
    `/${AGENT_INIT} or early beside it cannot be executed: the host would start without its identity and its files`,
    AGENT_LINE,
  );
  demand(
    hasProgram(tree, 'curl'),
    'curl',
    'curl is missing: the agent could not reach the server',
    installLine(os, { debian: 'curl', redHat: 'curl' }),
  );
  demand(
    hasProgram(tree, 'kexec'),
    'kexec',
    'kexec is missing: every switch would need a pass through the firmware',
    installLine(os, { debian: 'kexec-tools', redHat: 'kexec-tools' }),
  );
  const modules = kernel?.release ? readKernelModules(tree, kernel.release) : null;
  const lacking = PARTITION_DRIVERS.filter((name) => modules && !hasModule(modules, name));
  demand(
    lacking.length === 0,
    'kernel-partitions',
    `kernel ${kernel?.release} has no ${lacking.join(', no ')}: the agent could not mount the boot and state partitions`,
    installLine(os, { ...KERNEL_PACKAGE, redHat: 'kernel-modules' }),
  );
  return failures;
}
